import numpy as np

from ibcore.figures import figure
from ibcore.pages.classification.homogeneous_networks.univariate_networks import figures


def test_line_networks_and_kinks():
    fig, (top, bottom) = figure(rows=2)
    grid, ends = np.linspace(-1, 1, 5), np.array([-1.0, 1.0])
    figures.plot_line_network(top, grid, grid, ends, ends)
    figures.plot_kink_bars(bottom, np.array([0.1, 0.2]), np.array([-2.0, 1.0]))
    figures.plot_kink_bars(bottom, np.zeros(0), np.zeros(0))
    fig.canvas.draw()
    points = [line.get_xydata().tolist() for line in top.lines[2:]]
    assert points == [[[1, 1]], [[-1, -1]]]
    heights = [line.get_ydata() for line in bottom.lines if line.get_marker() == "D"]
    assert heights[0].tolist() == [-1.0, 0.5]


def test_counts_stand_at_their_numbers_of_sign_changes():
    fig, ax = figure()
    changes = np.array([3.0, 5.0])
    fine, coarse, frozen = np.array([[5, 7], [3, 5], [9, 18]])
    figures.plot_region_counts(ax, changes, fine, coarse, frozen)
    fig.canvas.draw()
    marks = {line.get_marker(): line for line in ax.lines}
    assert marks["D"].get_xydata().tolist() == [[3, 3], [5, 5]]
    assert marks["o"].get_ydata().tolist() == [5, 7]
    assert marks["s"].get_ydata().tolist() == [9, 18]
