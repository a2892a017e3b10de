import numpy as np
import pytest

from ibcore.figures.style import figure
from ibcore.figures.two_layer_margins import (
    draw_potential,
    draw_trap_gaps,
    draw_width_gaps,
)


def test_gaps_of_both_groups_are_drawn_and_named():
    depths, gaps = (
        np.array([1e2, 1e4, 1e10]),
        np.array([[1e-3, 2e-3], [1e-5, 2e-5], [1e-11, 2e-11]]),
    )
    fig, ax = figure()
    draw_trap_gaps(ax, depths, gaps, 2 * gaps)
    fig.canvas.draw()
    assert len(ax.lines) == 4
    assert [text.get_text() for text in ax.texts] == [
        "in the trap, to 1/4",
        r"one neuron a point, to $\sqrt{17}/8$",
    ]


def test_the_potential_passes_through_its_neurons():
    X, y = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, -1.0])
    fig, ax = figure()
    draw_potential(ax, X, y, np.ones(2), X, y)
    fig.canvas.draw()
    curve = ax.lines[0].get_ydata()
    assert curve.max() == 1
    assert curve.min() == -1
    assert ax.lines[3].get_ydata().tolist() == [1, -1]


def test_every_stage_and_width_is_drawn():
    gaps = np.logspace(-2, -7, 4)[:, None, None] * np.ones((4, 3, 2))
    fig, ax = figure()
    draw_width_gaps(ax, [10, 30, 100], gaps, [-1e2, -1e4, -1e6, -1e10])
    fig.canvas.draw()
    assert len(ax.lines) == 8
    assert ax.texts[-1].get_text() == "log L = -1e10"


def test_a_network_without_a_gap_has_no_mark_and_is_not_in_the_median():
    gaps = np.array([[[1e-3, 1e-5, np.nan]], [[np.nan, np.nan, np.nan]]])
    fig, ax = figure()
    draw_width_gaps(ax, [10], gaps, [-1e2, -1e10])
    fig.canvas.draw()
    assert ax.lines[0].get_ydata().tolist() == [pytest.approx(5.05e-4)]
    assert np.isnan(ax.lines[2].get_ydata()).all()
    assert np.isfinite(ax.lines[1].get_ydata()).sum() == 2
