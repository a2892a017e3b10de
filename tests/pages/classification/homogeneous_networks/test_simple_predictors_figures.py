import numpy as np

from ibcore.figures import figure
from ibcore.pages.classification.homogeneous_networks.simple_predictors import figures


def test_alignment_shows_every_network_and_every_neuron_that_counts():
    stops = -np.array([1e2, 1e4, 1e6])
    sines = np.array([[1e-1, 2e-1], [1e-2, 2e-2], [1e-3, 2e-3]])
    fig, ax = figure()
    figures.plot_alignment(ax, stops, sines, np.array([[0.2, 0.0], [0.5, 0.1]]))
    fig.canvas.draw()
    squares = [line for line in ax.lines if line.get_marker() == "s"]
    assert len(squares[0].get_xdata()) == 3
    assert len(ax.lines) == 4


def test_boundaries_are_relative_to_their_largest_value():
    fig, ax = figure()
    angles = np.linspace(0, 360, 7)
    curves = (2 * np.cos(angles), np.sin(angles))
    figures.plot_boundaries(ax, angles, curves, ("small", "large"))
    fig.canvas.draw()
    assert max(abs(ax.lines[0].get_ydata())) == 1


def circle():
    angles = np.linspace(0, 2 * np.pi, 13)
    return np.stack([np.cos(angles), np.sin(angles)], -1)


def test_level_lines_of_a_linear_function_are_straight():
    fig, ax = figure()
    points, labels = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, -1.0])
    figures.plot_levels(ax, circle(), 3 * circle()[:, 0], points, labels)
    fig.canvas.draw()
    levels = [line.get_xydata() for line in ax.lines if line.get_marker() == "None"]
    assert len(levels) == 10
    for xy in levels:
        inside = xy[np.abs(xy).max(1) < 1.1]
        assert len(inside) > 0
        assert np.ptp(inside[:, 0]) < 1e-12


def test_an_odd_function_lies_on_its_mirror_image():
    fig, ax = figure()
    figures.plot_around(ax, circle()[:, 0])
    fig.canvas.draw()
    values, opposite = (line.get_ydata() for line in ax.lines[:2])
    np.testing.assert_allclose(values[:-1], opposite, atol=1e-12)
    figures.plot_around(ax, np.abs(circle()[:, 0]))
    values, opposite = (line.get_ydata() for line in ax.lines[3:5])
    np.testing.assert_allclose(values[:-1], -opposite, atol=1e-12)
