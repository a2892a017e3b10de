import numpy as np
import pytest
import torch

from ibcore.figures import figure
from ibcore.pages.dynamical_stability.flat_minima import explorers, figures


def test_the_network_passes_through_its_points():
    objective, theta = explorers.line_network()
    assert float(objective.mean(theta)) <= 1e-20


def test_a_frame_says_that_the_function_stays_and_the_sharpness_does_not():
    fig, sentence = explorers.explore_rescaling(4.0, 0.2)
    assert "the function is the same" in sentence
    assert "Hidden layer times 4, output layer over 4" in sentence
    assert len(fig.axes) == 2
    after, before = (line.get_ydata() for line in fig.axes[0].lines[:2])
    np.testing.assert_allclose(after, before, atol=1e-12)
    assert explorers.sharpest(0.25)[2] > 8 * explorers.sharpest(1.0)[2]


@pytest.mark.parametrize("c", [0.5, 4.0])
def test_the_slice_has_the_curvature_of_the_sharpness(c):
    distance = torch.tensor([-1e-5, 0.0, 1e-5]).double()
    values = explorers.losses(c, distance)
    second = float((values[0] - 2 * values[1] + values[2]) / 1e-10)
    assert second == pytest.approx(explorers.sharpest(c)[2], rel=1e-2)


def test_every_figure_draws():
    fig, axes = figure(3, rows=2, height=6)
    axes = axes.ravel()
    line = np.linspace(0.1, 1, 7)
    cloud = np.random.default_rng(0).uniform(1.1, 2, (5, 2))
    figures.plot_rescaling(axes[0], line, line, line, line)
    figures.plot_family(axes[1], line, line[:, None] * cloud[0])
    figures.plot_minima(axes[2], {2: cloud, 3: cloud}, {2: cloud, 3: cloud})
    figures.plot_steps(axes[3], [1.4, 1.3], [cloud[:2], cloud[2:4]])
    figures.plot_noise(axes[4], cloud[:3], np.ones((3, 2, 4)), "trace")
    figures.plot_full(axes[5], (0.1, 0.2), cloud[:2], "trace")
    fig.draw_without_rendering()
    assert len(axes[2].lines) == 2
