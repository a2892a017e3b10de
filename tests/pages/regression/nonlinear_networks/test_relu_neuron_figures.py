import numpy as np

from ibcore.figures import figure
from ibcore.pages.regression.nonlinear_networks.relu_neuron.figures import (
    plot_bound,
    plot_chain,
    plot_pair,
    plot_ratios,
    plot_winding,
)


def test_the_path_is_drawn_in_units_of_its_reach():
    _, ax = figure()
    plot_winding(ax, np.array([[0.0, 0.0], [20.0, 10.0]]), np.array([1.0, -1.0]), 20.0)
    assert any(np.allclose(line.get_xydata(), [[0, 0], [1, 0.5]]) for line in ax.lines)


def test_the_chosen_member_is_marked():
    _, ax = figure()
    plot_ratios(ax, (2, 4, 8), (1.1, 1.3, 1.5), 4)
    assert ax.lines[-1].get_xydata().tolist() == [[4, 1.3]]


def test_a_pair_shares_its_ray():
    _, axes = figure(2)
    ends = [np.array([[0, 0, 0], [1, 2, end]]) for end in (0.0, -1.0)]
    plot_pair(axes, ends, 2.0, 0.1)
    assert axes[1].lines[0].get_xdata().tolist() == [2, 2]
    assert [text.get_text() for text in axes[1].texts] == [
        "$D_1$",
        "$D_2$",
        "zero\nloss",
    ]


def test_a_chain_is_flat_and_begins_on_the_first_axis():
    _, ax = figure()
    points = np.array([[0.0, 2.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 3.0]])
    plot_chain(ax, points, points[0], points[-1])
    np.testing.assert_allclose(
        ax.lines[0].get_xydata(), [[1, 0], [1, 0.5], [0, 1.5]], atol=1e-12
    )


def test_measured_and_predicted_ratios_are_told_apart():
    _, axes = figure(2)
    turns = {4: ([1.3, 1.31], [1.32, 1.34]), 8: ([1.5], [1.56])}
    plot_bound(axes, np.array([1.0, 1.2, 1.1]), turns)
    assert axes[0].lines[0].get_ydata()[0] == 1.2
    assert [line.get_ydata().tolist() for line in axes[1].lines[:2]] == [
        [1.33, 1.56],
        [1.3, 1.31, 1.5],
    ]
