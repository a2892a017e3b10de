import numpy as np

from ibcore.figures import figure
from ibcore.pages.regression.linear_networks.diagonal_networks.figures import (
    plot_collapse,
    plot_distances,
    plot_excess_paths,
    plot_plane,
    plot_samples,
    plot_transition,
    plot_two_answers,
    plot_vector,
)


def test_the_truth_comes_first():
    _, ax = figure()
    plot_vector(ax, np.array([0.1, 0.0, -2.0]), np.array([0.0, 0.0, -1.0]))
    assert [bar.get_height() for bar in ax.patches] == [-1.0]
    assert ax.lines[1].get_ydata()[0] == -2.0


def test_the_path_of_the_current_depth_is_the_widest_and_bears_the_mark():
    _, ax = figure()
    alphas = np.array([1e-4, 1e-2, 1.0])
    excess = np.array([[1e-4, 1e-2, 1.0], [1e-6, 1e-3, 1.0]])
    plot_excess_paths(ax, alphas, excess, (2, 3), (1e-2, 1e-3, 3))
    first, second, mark = ax.lines
    assert second.get_linewidth() > first.get_linewidth()
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (1e-2, 1e-3)
    assert [text.get_text() for text in ax.texts] == ["depth 2", "depth 3"]


def test_the_line_of_interpolants_and_the_end_of_the_path():
    _, ax = figure()
    grid = np.linspace(-0.25, 1.25, 5)
    heights = np.add.outer(grid**2, grid**2)
    path = np.array([[0.0, 0.0], [0.2, 0.8]])
    plot_plane(ax, path, (grid, grid, heights), np.array([0.5, 1.0]), 1.0)
    line, walked, end, start = ax.lines
    x, y = line.get_data()
    np.testing.assert_allclose(0.5 * x + y, 1.0)
    assert walked.get_xdata().tolist() == [0.0, 0.2]
    assert end.get_ydata()[0] == 0.8
    assert start.get_xdata()[0] == 0


def test_every_network_is_marked_and_a_kind_of_mark_is_a_depth():
    _, ax = figure()
    distances = np.array([[1e-12, 1e-11, 1e-10], [2e-12, 2e-11, 2e-10]])
    plot_distances(
        ax, np.array([1.0, 0.1, 0.3]), np.array([2.0, 2.0, 3.0]), distances, 1e-9
    )
    first, second, bar = ax.lines
    assert first.get_xdata().tolist() == [1.0, 0.1, 1.0, 0.1]
    assert first.get_ydata().tolist() == [1e-12, 1e-11, 2e-12, 2e-11]
    assert second.get_ydata().tolist() == [1e-10, 2e-10]
    assert first.get_marker() != second.get_marker()
    assert set(bar.get_ydata()) == {1e-9}
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["depth 2", "depth 3"]


def test_excesses_at_rounding_level_are_left_out():
    _, ax = figure()
    excess = np.array([[1.0, 1e-3, 1e-13], [1.0, 1e-2, 1e-4]])
    plot_transition(
        ax, np.array([1.0, 1e-2, 1e-4]), excess, excess + 1, (np.ones(2), np.ones(2))
    )
    assert np.isnan(ax.lines[1].get_ydata()).tolist() == [False, False, True]


def test_medians_are_joined():
    _, ax = figure()
    plot_samples(
        ax, np.array([0.1, 1.0]), np.array([[3.0, 5.0, 9.0], [8.0, 9.0, 10.0]]), 10, 6.0
    )
    assert ax.lines[0].get_ydata().tolist() == [5.0, 9.0]


def test_one_mark_a_network_on_both_sides():
    _, axes = figure(2)
    shapes = np.array([0.0, 0.0, 0.9, 0.9])
    curve = np.stack([np.array([0.1, 1.0, 10.0]), np.array([1.0, 2.0, 3.0])])
    plot_collapse(
        axes,
        np.array([1.0, 0.1, 1.0, 0.1]),
        shapes,
        np.ones(4),
        np.array([2.0, 0.2, 19.0, 1.9]),
        curve,
    )
    assert len(axes[0].lines) == 2
    assert len(axes[1].lines) == 3
    assert axes[1].lines[0].get_ydata().tolist() == [1.0, 2.0, 3.0]
    _, ax = figure()
    plot_two_answers(ax, np.array([1e-3, 1e-3]), np.array([0.5, 1.0]))
    assert len(ax.lines) == 2
