import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.pages.further.modified_losses import explorers, figures, runs


def test_frames_of_the_explorer():
    fig, sentence = explorers.explore_valley((1.8, -1.2), 0.01)
    assert "sharpness 5.38" in sentence
    assert "one of 5.30, gradient descent at one of 5.30" in sentence
    assert len(fig.axes) == 2
    _, sentence = explorers.explore_valley((1.8, -1.2), 0.06)
    assert "one of 4.99, gradient descent at one of 4.85" in sentence


@pytest.mark.parametrize("start", explorers.STARTS)
def test_the_flow_conserves_the_imbalance_and_every_path_arrives(start):
    flow = explorers._flows(start)[:, 0]
    q = flow[:, 0].square() - flow[:, 1].square()
    assert float((q - q[0]).abs().max()) < 1e-9
    for eta in explorers.ETAS:
        end = runs.product_descent(start, eta, runs.VALLEY_TIME)[-1]
        assert float(runs.product_loss(end)) < 1e-6


@pytest.mark.parametrize("start", explorers.STARTS)
def test_every_frame_shows_the_whole_path(start):
    for eta in explorers.ETAS:
        fig, _ = explorers.explore_valley(start, eta)
        for ax in fig.axes:
            drawn = {line.get_label(): line for line in ax.get_lines()}
            x, y = drawn["gradient descent"].get_data()
            low, high = ax.get_ylim()
            assert low < y.min() <= y.max() < high
            low, high = ax.get_xlim()
            assert low <= x.min() <= x.max() < high + 0.05


def test_a_leap_can_make_the_imbalance_larger():
    """1 - 4 eta^2 r^2 is below -1 where eta |r| is above 0.71."""
    first = runs.product_descent((1.8, -1.2), 0.25, 0.25)
    q = (first[:, 0].square() - first[:, 1].square()).abs()
    assert float(q[1]) > float(q[0])


def test_every_figure_draws():
    fig, axes = figure(4, height=3)
    etas = np.array([0.1, 0.05])
    rows = np.array([[1e-2, 2e-2], [5e-3, 1e-2]])
    figures.plot_orders(
        axes[0], etas, {"flow": (rows, "flow"), "modified": (rows**2, "other")}, "eta"
    )
    figures.plot_coefficients(
        axes[1], np.array([0.0, 0.25]), [rows, rows], ["large", "small"]
    )
    figures.plot_ends(axes[2], etas, np.array([5.0, 6.0]), 7.0, np.array([6.5, 6.8]))
    figures.plot_shares(axes[3], np.array([0.9, 0.1]), np.array([0.99, 0.01]))
    fig.draw_without_rendering()
    assert len(axes[0].get_legend().get_texts()) == 2
