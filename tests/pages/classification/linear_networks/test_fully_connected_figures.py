import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.pages.classification.linear_networks.fully_connected.figures import (
    plot_alignment,
    plot_directions,
    plot_spectra,
)

LEVELS = -np.array([[1e2, 1e2], [1e10, 1e10]])


def test_lines_have_the_predicted_slopes_through_the_last_marks():
    fig, axes = figure(2)
    sines = np.array([[0.1, 0.2], [1e-9, 1e-4]])
    plot_directions(axes, np.array([True, False]), {2: LEVELS}, {2: sines})
    for ax, exponent, last in zip(axes, (-1.0, -0.5), (1e-9, 1e-4), strict=True):
        line = next(line for line in ax.lines if line.get_marker() == "None")
        x, y = (
            np.log(np.asarray(line.get_xdata())),
            np.log(np.asarray(line.get_ydata())),
        )
        assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(exponent)
        assert y[1] == pytest.approx(np.log(last))
    assert fig.axes == list(axes)


def test_alignment_doubles_the_exponent():
    _, axes = figure(2)
    plot_alignment(axes, {4: LEVELS}, {4: np.ones((2, 2))}, {4: np.ones((2, 2))})
    falls = []
    for ax in axes:
        line = next(line for line in ax.lines if line.get_marker() == "None")
        falls.append(np.log(line.get_ydata()[0]) / np.log(1e8))
    assert falls == pytest.approx([0.25, 0.5])


def test_a_network_without_hidden_layers_says_so():
    _, ax = figure()
    plot_spectra(ax, [])
    assert ax.texts[0].get_text() == "no hidden layer"


def test_the_largest_singular_value_of_every_layer_is_one():
    _, ax = figure()
    plot_spectra(ax, [np.array([4.0, 1.0]), np.array([2.0, 0.2])])
    values = [list(line.get_ydata()) for line in ax.lines]
    assert values == [[1.0, 0.25], [1.0], [1.0, 0.1], [1.0]]
    assert not ax.texts
