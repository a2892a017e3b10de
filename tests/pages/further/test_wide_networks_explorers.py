import numpy as np
import pytest
import torch

from ibcore.figures import figure
from ibcore.pages.further.wide_networks import explorers, figures


def test_a_frame_of_the_explorer():
    fig, sentence = explorers.explore_line(32, 30)
    assert sentence.startswith("32 neurons after 30 steps: the network and its")
    assert len(fig.axes) == 2


def test_at_the_start_nothing_differs():
    network, predicted = explorers.line_paths(4)
    torch.testing.assert_close(network[0], predicted[0])
    assert "random start" in explorers.explore_line(4, 0)[1]


@pytest.mark.parametrize("width", explorers.LINE_WIDTHS[1:])
def test_networks_and_predictions_fit_the_examples(width):
    targets = explorers.line_points()[1]
    for path in explorers.line_paths(width):
        assert float((path[-1, :4] - targets).abs().max()) < 0.05


def test_the_prediction_becomes_better_with_the_width():
    gaps = []
    for width in explorers.LINE_WIDTHS:
        network, predicted = explorers.line_paths(width)
        gaps.append(float((network - predicted).abs().max()))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.2 < gaps[0]


def test_every_figure_draws():
    fig, axes = figure(3, rows=2, height=5)
    axes = axes.ravel()
    x = np.linspace(-1, 1, 5)
    figures.plot_functions(axes[0], x, x, -x, (x[:2], x[:2]))
    figures.plot_paths(axes[1], np.arange(5.0), np.ones((5, 2)), np.ones((5, 2)), 3)
    figures.plot_density(axes[2], np.random.default_rng(0).normal(size=1000), "m")
    rows = {"one": (np.ones((2, 3)), np.ones(2))}
    figures.plot_kurtosis(axes[3], (16, 32), rows)
    figures.plot_errors(axes[4], {"one": ((16, 32), np.ones((2, 3)))}, "error")
    fig.draw_without_rendering()
    assert len(axes[4].lines) == 5
