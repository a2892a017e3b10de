import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from ibcore.figures import figure
from ibcore.pages.classification.logistic_regression import figures
from ibcore.pages.classification.logistic_regression.routes import Route


@pytest.fixture
def ax():
    fig, axes = figure()
    yield axes
    fig.canvas.draw()
    plt.close(fig)


def test_the_line_is_orthogonal_to_its_direction_and_the_street_has_width_two(ax):
    X, y = np.array([[1.0, 2.0], [-1.0, -2.0]]), np.array([1.0, -1.0])
    figures.plot_line(ax, X, y, np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    middle, upper, lower, line = ax.lines[2:]
    np.testing.assert_allclose(line.get_ydata(), 0, atol=1e-12)
    for drawn, level in ((middle, 0), (upper, 1), (lower, -1)):
        np.testing.assert_allclose(drawn.get_xdata() + drawn.get_ydata(), level)


def test_no_line_is_drawn_for_the_zero_vector(ax):
    X, y = np.array([[1.0, 2.0], [-1.0, -2.0]]), np.array([1.0, -1.0])
    figures.plot_line(ax, X, y, np.zeros(2), np.array([1.0, 1.0]))
    assert len(ax.lines) == 5


def test_the_mark_stands_at_the_current_time(ax):
    log_times = np.array([1.0, 100.0, 1e4]) * np.log(10)
    figures.plot_angle_marker(ax, log_times, np.array([9.0, 0.5, 0.01]), 1)
    _, mark = ax.lines
    assert mark.get_xdata().tolist() == pytest.approx([100])
    assert mark.get_ydata().tolist() == [0.5]


def test_every_route_is_named_at_its_end(ax):
    rows = torch.tensor([1.0, 10.0, 100.0])
    routes = [Route(name, rows / 9, rows, 1 / rows) for name in ("a", "b", "c")]
    figures.plot_routes(ax, routes, "evaluations")
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    assert ax.lines[1].get_xdata().tolist() == [100]
    assert ax.get_xlabel() == "gradient evaluations"


def test_constants_are_relative_to_their_last_value(ax):
    constants = np.array([[2.1, 5.0], [2.0, 5.0], [2.0, 4.0]])
    figures.plot_constants(ax, np.array([1e3, 1e4, 1e6]), constants)
    first, second = ax.lines
    np.testing.assert_allclose(first.get_ydata(), [1.05, 1, 1])
    np.testing.assert_allclose(second.get_ydata(), [1.25, 1.25, 1])
    assert ax.texts[0].get_text() == "1 % band"


def test_weights_stand_over_the_bars_of_their_duals(ax):
    duals = np.array([0.2, 0.8, 0.0])
    shares = [np.array([0.3, 0.4, 0.3]), np.array([0.25, 0.7, 0.05]), duals]
    figures.plot_weights(ax, shares, duals, ["early", "later", "late"])
    assert [bar.get_height() for bar in ax.patches] == [0.8, 0.2, 0]
    assert ax.lines[2].get_ydata().tolist() == [0.8, 0.2, 0]
    assert ax.lines[0].get_ydata().tolist() == [0.4, 0.3, 0.3]
    assert ax.get_legend().get_title().get_text() == "softmax weights at"


def test_the_flow_stands_at_the_largest_margin(ax):
    margins = np.array([[0.1, 0.9], [0.2, 0.8]])
    errors = np.array([[0.4, 0.2], [0.3, 0.1]])
    figures.plot_margin_cloud(ax, margins, errors, np.array([0.15, 0.12]))
    *clouds, flow = ax.lines
    assert len(clouds) == 2
    assert clouds[1].get_ydata().tolist() == [0.3, 0.1]
    assert flow.get_xdata().tolist() == [1, 1]
    assert ax.get_ylim()[0] == 0


def test_distances_and_norms_of_every_data_set_are_drawn(ax):
    log_times = np.array([0.0, 1.0, 2.0]) * np.log(10)
    falling = np.array([[1.0, 2.0], [0.1, 0.2], [0.01, 0.02]])
    figures.plot_split(ax, log_times, falling, 1 / falling)
    assert len(ax.lines) == 4
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0, 1, 2])
    assert ax.lines[1].get_ydata().tolist() == [2, 0.2, 0.02]
    assert [text.get_text() for text in ax.texts] == [
        "distance to the minimizer, in the span",
        "norm off the span",
    ]
