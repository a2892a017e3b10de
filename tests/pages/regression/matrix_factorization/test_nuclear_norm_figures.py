import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.pages.regression.matrix_factorization.nuclear_norm.figures import (
    plot_errors,
    plot_excess,
    plot_matrix,
    plot_spectrum_ratio,
    plot_traces,
)

SCALES = np.array([1e-1, 1e-4, 1e-8])
ROWS = np.array([[1e-1, 1e-2, 1e-3], [2e-1, 3e-2, 2e-3], [3e-1, 4e-2, 4e-3]])


@pytest.fixture
def ax():
    return figure()[1]


def test_known_entries_are_framed_and_all_entries_written(ax):
    plot_matrix(ax, np.arange(6.0).reshape(2, 3), [0, 1], [2, 0])
    assert [text.get_text() for text in ax.texts] == [
        "0.00",
        "1.00",
        "2.00",
        "3.00",
        "4.00",
        "5.00",
    ]
    assert [patch.get_xy() for patch in ax.patches] == [(1.54, -0.46), (-0.46, 0.54)]


def test_traces_lie_between_two_named_levels_and_scales_fall_to_the_right(ax):
    plot_traces(ax, SCALES, 12 + 10 * ROWS, 12, 20, chosen=1)
    assert {text.get_text() for text in ax.texts} == {
        "least nuclear norm, 12",
        "rank one, 20",
    }
    left, right = ax.get_xlim()
    assert left > right
    assert ax.lines[-1].get_xdata()[0] == 1e-4


def test_error_lines_have_the_predicted_exponents(ax):
    plot_errors(ax, SCALES, ROWS, np.array([0.5, 1.0, 0.8]))
    assert [text.get_text() for text in ax.texts] == ["0.50", "0.80", "1.00"]
    law = ax.lines[1].get_ydata()
    assert law[0] / law[-1] == pytest.approx(1e7**0.5)


def test_ratios_get_a_line_of_their_exponent(ax):
    plot_spectrum_ratio(ax, SCALES, ROWS, 0.565)
    law = ax.lines[-1].get_ydata()
    assert law[1] / law[2] == pytest.approx(1e4**0.565)


def test_excess_is_drawn_problem_by_problem(ax):
    plot_excess(ax, SCALES, ROWS)
    assert len(ax.lines) == 3
