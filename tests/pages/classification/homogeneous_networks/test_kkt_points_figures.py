import numpy as np

from ibcore.figures import figure
from ibcore.pages.classification.homogeneous_networks.kkt_points import figures

STOPS = -np.array([1e2, 1e4, 1e6])
GAPS = np.array([[1e-1, 2e-1], [1e-2, 2e-2], [1e-3, 2e-3]])


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_every_network_has_its_dot():
    fig, ax = figure()
    figures.plot_apart(ax, {"one": np.array([1.0, 20.0]), "two": np.array([0.1])})
    fig.canvas.draw()
    assert [len(line.get_xdata()) for line in ax.lines] == [2, 1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]


def test_residuals_stand_beside_their_bars():
    fig, ax = figure()
    groups = {"one": np.array([1e-3, 2e-3]), "two": np.array([0.5])}
    figures.plot_residuals(ax, groups, [5e-3])
    fig.canvas.draw()
    dots, alone, bar = ax.lines
    assert len(dots.get_xdata()) == 2
    assert alone.get_ydata().tolist() == [-1.18]
    assert list(bar.get_xdata()) == [5e-3, 5e-3]
    assert ax.get_xscale() == "log"


def test_neurons_are_drawn_by_sign_and_points_by_label():
    fig, ax = figure()
    X, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, -1.0])
    a, w = np.array([1.0, -2.0]), np.array([[1.0, 1.0], [0.0, 3.0]])
    figures.plot_neurons(ax, X, y, a, w)
    fig.canvas.draw()
    rays, neurons, points = ax.lines[:2], ax.lines[2:6], ax.lines[6:]
    for ray, point in zip(rays, X, strict=True):
        assert abs(np.diff(ray.get_xydata(), axis=0) @ point).max() < 1e-12
    assert [line.get_linestyle() for line in neurons[::2]] == ["-", "--"]
    np.testing.assert_allclose(neurons[2].get_xydata()[1], [0, 0.9])
    assert [line.get_marker() for line in points] == ["o", "s"]


def test_the_history_marks_the_stage():
    fig, ax = figure()
    clock = np.array([0.0, 1.0, 2.0])
    figures.plot_history(ax, clock, clock / 2, 1 - clock / 2, 1)
    fig.canvas.draw()
    assert [line.get_xdata().tolist() for line in ax.lines[2:]] == [[1.0], [1.0]]
    assert texts(ax) == ["margin", "KKT residual"]


def test_smoothed_margins_end_at_one_and_are_told_apart():
    fig, ax = figure()
    values = np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]])
    figures.plot_smoothed(ax, STOPS, values, values[::-1])
    fig.canvas.draw()
    assert len(ax.lines) == 4
    assert all(line.get_ydata()[-1] == 1 for line in ax.lines)
    assert all(line.get_xdata().tolist() == (-STOPS).tolist() for line in ax.lines)
    assert len(ax.get_legend().get_texts()) == 2


def test_products_have_a_line_for_every_network_and_a_name_for_every_degree():
    fig, ax = figure()
    figures.plot_products(ax, -STOPS, [GAPS, GAPS, GAPS[:, :1]])
    fig.canvas.draw()
    assert len(ax.lines) == 5
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["k = 1", "k = 2", "k = 3"]


def test_alignment_shows_both_flows():
    fig, ax = figure()
    figures.plot_alignment(ax, STOPS, GAPS, STOPS[::2], GAPS[:2])
    fig.canvas.draw()
    assert [len(line.get_xdata()) for line in ax.lines] == [3, 3, 2, 2]
    assert texts(ax) == ["output layer four times as fast", "gradient flow"]


def test_shares_are_named_by_their_degrees():
    fig, ax = figure()
    figures.plot_shares(ax, STOPS, {"1 + 2": GAPS, "2 + 2": GAPS})
    fig.canvas.draw()
    assert len(ax.lines) == 4
    assert texts(ax) == ["1 + 2", "2 + 2"]
