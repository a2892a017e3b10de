import numpy as np
import torch

from ibcore.figures import figure
from ibcore.pages.dynamical_stability.edge_of_stability import (
    explorers,
    figures,
    runs,
)

CPU = torch.device("cpu")


def test_frames_before_and_at_the_edge(monkeypatch):
    monkeypatch.setattr(explorers, "UNTIL", 45.0)
    explorers.edge_courses.cache_clear()
    fig, sentence = explorers.explore_edge(0.025, "tanh")
    assert len(fig.axes) == 2
    assert "times the bound 2/step = 80, and the loss falls at every step" in sentence
    _, sentence = explorers.explore_edge(0.15, "tanh")
    assert "comes to the bound 2/step = 13.3" in sentence
    assert "while the loss goes up and down" in sentence
    explorers.edge_courses.cache_clear()


def test_every_figure_draws():
    courses = runs.follow(runs.chebyshev("tanh", [1, 2], (0.1, 0.05), 120, CPU))
    fig, axes = figure(7, height=3, width=21)
    figures.plot_sharpness(axes[0], courses, 0, until=6)
    figures.plot_loss(axes[1], courses, 0, until=6)
    figures.plot_settled(axes[2], courses, 1)
    figures.plot_ratios(axes[3], courses[0], "tanh")
    figures.plot_steps(axes[4], courses[0], 1, 10, 40)
    times, heights = np.linspace(0, 1, 5), np.ones((5, 2))
    figures.plot_drift(axes[5], times, heights, (times, heights), "drift")
    figures.plot_zigzag(axes[6], np.array([[0.1, 1.0], [-0.1, 0.9]]), 0.1)
    fig.draw_without_rendering()
    assert len(axes[0].lines) == 4
    assert len(axes[5].lines) == 4
