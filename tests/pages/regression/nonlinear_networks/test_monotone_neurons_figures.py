import numpy as np

from ibcore.figures import figure
from ibcore.pages.regression.nonlinear_networks.monotone_neurons import figures


def test_a_path_ends_on_the_dashed_line_of_fits():
    _, ax = figure()
    path = np.array([[0.0, 0.0], [1.0, 1.0]])
    line = np.array([1.0, 1.0]), 2.0
    figures.plot_path(ax, path, path[-1], np.array([1.0, 1.0]), line)
    fits, drawn = ax.lines[:2]
    assert fits.get_linestyle() == "--"
    np.testing.assert_allclose(fits.get_xydata().sum(1), 2)
    assert drawn.get_linestyle() == "-"
    np.testing.assert_allclose(drawn.get_xydata(), path)
    words = [text.get_text() for text in ax.texts]
    assert words == ["start", "least Q", "shortest"]


def test_one_level_line_passes_through_the_best_point():
    _, ax = figure()
    across, up = np.meshgrid(np.linspace(-2, 2, 21), np.linspace(-2, 2, 21))
    figures.plot_levels(ax, (across, up, across**2 + up**2), np.array([1.0, 0.0]))
    levels = ax.collections[0].levels
    assert len(levels) == 6
    assert np.isclose(levels, 1).any()


def test_errors_are_drawn_over_losses_beside_the_criterion():
    _, ax = figure()
    losses = np.array([[1e-30, 1e-3], [1e-29, 0.0], [1e-29, 1e-29]])
    errors = np.array([[1e-14, 0.1], [0.0, 1e-12], [1e-15, 1e-15]])
    names = ("tanh", "softplus", "leaky ReLU")
    figures.plot_errors(ax, names, losses, errors, 1e-28)
    assert ax.lines[0].get_xydata().tolist() == [[1e-30, 1e-14], [1e-3, 0.1]]
    assert ax.lines[1].get_ydata().min() == 1e-17
    assert ax.lines[3].get_xdata() == [1e-28, 1e-28]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == list(names)


def test_two_candidates_of_a_run_stand_in_one_column():
    _, ax = figure()
    figures.plot_hidden(ax, np.array([3.0, 1.0, 2.0]), np.array([1e-3, 1e-1, 1e-2]))
    far, near = ax.lines
    assert far.get_ydata().tolist() == [1, 2, 3]
    assert near.get_ydata().tolist() == [1e-1, 1e-2, 1e-3]


def test_small_starts_are_drawn_beside_a_line_of_slope_one():
    _, ax = figure()
    scales = np.array([1e-2, 1e-3, 1e-4])
    figures.plot_shrinking(ax, scales, np.outer(scales, [1.0, 2.0]))
    first, second, guide = ax.lines
    np.testing.assert_allclose(second.get_ydata(), 2 * first.get_ydata())
    rise = np.diff(np.log(guide.get_ydata())) / np.diff(np.log(guide.get_xdata()))
    np.testing.assert_allclose(rise, 1)
