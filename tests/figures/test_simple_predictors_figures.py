import numpy as np

from ibcore.figures import simple_predictors as draw
from ibcore.figures.style import figure


def test_alignment_shows_every_network_and_every_neuron_that_counts():
    stops, sines = (
        -np.array([1e2, 1e4, 1e6]),
        np.array([[1e-1, 2e-1], [1e-2, 2e-2], [1e-3, 2e-3]]),
    )
    fig, ax = figure()
    draw.draw_alignment(ax, stops, sines, np.array([[0.2, 0.0], [0.5, 0.1]]))
    fig.canvas.draw()
    squares = [line for line in ax.lines if line.get_marker() == "s"]
    assert len(squares[0].get_xdata()) == 3
    assert len(ax.lines) == 4


def test_line_networks_and_kinks():
    fig, (top, bottom) = figure(rows=2)
    grid = np.linspace(-1, 1, 5)
    draw.draw_line_network(
        top, grid, grid, np.array([-1.0, 1.0]), np.array([-1.0, 1.0])
    )
    draw.draw_kink_bars(bottom, np.array([0.1, 0.2]), np.array([-2.0, 1.0]))
    draw.draw_kink_bars(bottom, np.zeros(0), np.zeros(0))
    fig.canvas.draw()
    heights = [line.get_ydata() for line in bottom.lines if line.get_marker() == "D"]
    assert heights[0].tolist() == [-1.0, 0.5]


def test_boundaries_and_counts():
    fig, (left, right) = figure(2)
    angles = np.linspace(0, 360, 7)
    draw.draw_boundaries(
        left, angles, (2 * np.cos(angles), np.sin(angles)), ("small", "large")
    )
    draw.draw_region_counts(
        right,
        np.array([3.0, 5.0]),
        np.array([5, 7]),
        np.array([3, 5]),
        np.array([9, 18]),
    )
    fig.canvas.draw()
    assert max(abs(left.lines[0].get_ydata())) == 1
