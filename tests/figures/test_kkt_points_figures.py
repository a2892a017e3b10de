import numpy as np

from ibcore.figures import kkt_points as draw
from ibcore.figures.style import figure


def test_every_network_has_its_dot():
    fig, ax = figure()
    draw.draw_apart(ax, [("one", np.array([1.0, 20.0])), ("two", np.array([0.1]))])
    fig.canvas.draw()
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]


def test_smoothed_margins_end_at_one_and_are_told_apart():
    fig, ax = figure()
    stops = -np.array([[2.0, 2.0], [10.0, 10.0], [1e3, 1e3]])
    values = np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]])
    draw.draw_smoothed(ax, stops, values, values[::-1])
    fig.canvas.draw()
    assert all(line.get_ydata()[-1] == 1 for line in ax.lines)
    assert len(ax.get_legend().get_texts()) == 2


def test_alignment_shows_both_flows():
    fig, ax = figure()
    records = -np.array([[1e2, 1e2], [1e4, 1e4], [1e6, 1e6]])
    gaps = np.array([[1e-1, 2e-1], [1e-2, 2e-2], [1e-3, 2e-3]])
    draw.draw_alignment(ax, records, gaps, -np.array([1e2, 1e6]), gaps[:2])
    fig.canvas.draw()
    assert len(ax.lines) == 4
    assert len(ax.texts) == 2
