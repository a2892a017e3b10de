import numpy as np
import pytest
from matplotlib.figure import Figure

from ibcore.figures import plot_watched


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
