import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.pages.since.attention_and_language import explorers, figures


@pytest.mark.parametrize(("gap", "attention"), [(0.75, "1.00"), (1.25, "0.00")])
def test_a_frame_of_the_explorer(gap, attention):
    fig, sentence = explorers.explore_selection(gap, 12)
    assert f"At t = 10^12 input B pays {attention} of its attention" in sentence
    assert len(fig.axes) == 2
    start = explorers.explore_selection(gap, 0)[1]
    assert "At the start input B pays 0.00" in start
    assert "0 degrees from the solution of input A" in start


def test_every_figure_draws():
    fig, axes = figure(3, rows=2, height=5)
    axes = axes.ravel()
    rng = np.random.default_rng(1)
    path = np.array([[30.0, 0.0], [25.0, 25.0]])
    figures.plot_query(axes[0], path, np.array([1.0, 0.0]), np.array([1.0, 2.0]))
    figures.plot_attention(axes[1], np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]]))
    figures.plot_outcomes(axes[2], np.linspace(0.8, 1.5, 4), np.eye(3, 4), (5, 15, 50))
    times = np.array([1.0, 10.0, 100.0])
    figures.plot_selection_angles(axes[3], times, rng.uniform(0.1, 1, (4, 3, 5)))
    figures.plot_two_parts(
        axes[4:],
        times,
        rng.uniform(size=(3, 5)),
        times,
        rng.uniform(size=(3, 5)),
        np.ones(5),
    )
    fig.draw_without_rendering()
    assert len(axes[2].lines) == 4
    assert len(axes[4].lines) == 7
