import numpy as np
import pytest
from matplotlib.figure import Figure

from ibcore.figures import PALETTE, plot_separators, plot_watched


def test_the_run_in_focus_is_thick_and_marked_at_its_time():
    ax = Figure().subplots()
    values = np.arange(8.0).reshape(4, 2)
    styles = (("blue", "-"), ("orange", "--"))
    plot_watched(ax, np.arange(4.0), values, ("a", "b"), styles, (2, 1))
    first, second, mark = ax.lines
    assert second.get_linewidth() > first.get_linewidth()
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (2, 5)
    with pytest.raises(ValueError, match="zip"):
        plot_watched(ax, np.arange(4.0), values, ("a",), styles, (2, 1))


def test_lines_are_orthogonal_to_their_weights():
    ax = Figure().subplots()
    X, y = np.array([[2.0, 1.0], [-2.0, -1.0]]), np.array([1.0, -1.0])
    found, predicted = np.array([1.0, 2.0]), np.array([3.0, 0.0])
    plot_separators(ax, X, y, found, predicted, reach=(4, 3), title="Lines")
    positive, negative, dashed, solid = ax.lines
    assert (positive.get_xdata(), negative.get_xdata()) == (2, -2)
    for line, normal in ((dashed, predicted), (solid, found)):
        assert np.abs(line.get_xydata() @ normal).max() < 1e-12
    assert (dashed.get_linestyle(), solid.get_linestyle()) == ("--", "-")
    assert solid.get_color() == PALETTE["blue"]
    assert (ax.get_xlim(), ax.get_ylim()) == ((-4, 4), (-3, 3))
