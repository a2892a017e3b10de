import numpy as np

from ibcore.figures.diagonal_networks import (
    draw_collapse,
    draw_samples,
    draw_transition,
    draw_two_answers,
    draw_vector,
)
from ibcore.figures.style import figure


def test_the_truth_comes_first():
    _, ax = figure()
    draw_vector(ax, np.array([0.1, 0.0, -2.0]), np.array([0.0, 0.0, -1.0]))
    assert [bar.get_height() for bar in ax.patches] == [-1.0]
    assert ax.lines[1].get_ydata()[0] == -2.0


def test_excesses_at_rounding_level_are_left_out():
    _, ax = figure()
    excess = np.array([[1.0, 1e-3, 1e-13], [1.0, 1e-2, 1e-4]])
    draw_transition(
        ax, np.array([1.0, 1e-2, 1e-4]), excess, excess + 1, (np.ones(2), np.ones(2))
    )
    assert np.isnan(ax.lines[1].get_ydata()).tolist() == [False, False, True]


def test_medians_are_joined():
    _, ax = figure()
    draw_samples(
        ax, np.array([0.1, 1.0]), np.array([[3.0, 5.0, 9.0], [8.0, 9.0, 10.0]]), 10, 6.0
    )
    assert ax.lines[0].get_ydata().tolist() == [5.0, 9.0]


def test_one_mark_a_network_on_both_sides():
    _, axes = figure(2)
    shapes = np.array([0.0, 0.0, 0.9, 0.9])
    draw_collapse(
        axes,
        np.array([1.0, 0.1, 1.0, 0.1]),
        shapes,
        np.ones(4),
        np.array([2.0, 0.2, 19.0, 1.9]),
        np.ones((5, 2)),
    )
    assert len(axes[0].lines) == 2
    assert len(axes[1].lines) == 3
    _, ax = figure()
    draw_two_answers(ax, np.array([1e-3, 1e-3]), np.array([0.5, 1.0]))
    assert len(ax.lines) == 2
