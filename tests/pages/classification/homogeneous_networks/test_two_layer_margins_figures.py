import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.pages.classification.homogeneous_networks.two_layer_margins import figures


def test_the_landscape_has_its_angles_and_the_walk_its_ends():
    fig, ax = figure()
    first, second = np.linspace(0, 180, 4), np.linspace(-90, 270, 5)
    figures.plot_landscape(ax, first, second, np.full((5, 4), 0.3))
    walk = np.array([80.0, 90.0, 100.0])
    figures.plot_walk(ax, walk, walk - 80, ((14.0, 166.0), (166.0, 14.0)))
    fig.canvas.draw()
    assert list(ax.images[0].get_extent()) == [0, 180, -90, 270]
    crosses, path, ring, diamond = ax.lines
    assert len(crosses.get_xdata()) == 2
    assert path.get_xdata().tolist() == walk.tolist()
    assert ring.get_xdata()[0] == 80
    assert diamond.get_xydata()[0].tolist() == [100, 20]


def test_the_rise_is_drawn_between_its_two_ends():
    fig, ax = figure()
    figures.plot_rise(
        ax, np.array([1.0, 1e2, 1e4]), np.array([0.1, 0.2, 0.25]), 0.25, 0.515
    )
    fig.canvas.draw()
    assert [text.get_text() for text in ax.texts] == [
        "KKT point, 1/4",
        "optimum, 0.515",
    ]
    assert ax.lines[-1].get_ydata().tolist() == [0.25]


def test_gaps_of_both_groups_are_drawn_and_named():
    depths = np.array([1e2, 1e4, 1e10])
    gaps = np.array([[1e-3, 2e-3], [1e-5, 2e-5], [1e-11, 2e-11]])
    fig, ax = figure()
    figures.plot_trap_gaps(ax, depths, gaps, 2 * gaps)
    fig.canvas.draw()
    assert len(ax.lines) == 4
    assert [text.get_text() for text in ax.texts] == [
        "in the trap, to 1/4",
        r"one neuron a point, to $\sqrt{17}/8$",
    ]


def test_the_potential_passes_through_its_neurons():
    X, y = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, -1.0])
    fig, ax = figure()
    figures.plot_potential(ax, X, y, np.ones(2), X, y)
    fig.canvas.draw()
    curve = ax.lines[0].get_ydata()
    assert curve.max() == 1
    assert curve.min() == -1
    assert ax.lines[3].get_ydata().tolist() == [1, -1]


def test_every_stage_and_width_is_drawn():
    gaps = np.logspace(-2, -7, 4)[:, None, None] * np.ones((4, 3, 2))
    fig, ax = figure()
    figures.plot_width_gaps(ax, [10, 30, 100], gaps, [-1e2, -1e4, -1e6, -1e10])
    fig.canvas.draw()
    assert len(ax.lines) == 8
    assert ax.texts[-1].get_text() == "log L = -1e10"


def test_a_network_without_a_gap_has_no_mark_and_is_not_in_the_median():
    gaps = np.array([[[1e-3, 1e-5, np.nan]], [[np.nan, np.nan, np.nan]]])
    fig, ax = figure()
    figures.plot_width_gaps(ax, [10], gaps, [-1e2, -1e10])
    fig.canvas.draw()
    assert ax.lines[0].get_ydata().tolist() == [pytest.approx(5.05e-4)]
    assert np.isnan(ax.lines[2].get_ydata()).all()
    assert np.isfinite(ax.lines[1].get_ydata()).sum() == 2
