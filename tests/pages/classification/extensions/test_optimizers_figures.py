import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.pages.classification.extensions.optimizers import figures


def test_each_optimum_lies_on_its_own_unit_ball():
    _, ax = figure()
    optima = [np.array([3.0, 0.0]), np.array([2.0, 1.0]), np.array([5.0, 5.0])]
    figures.plot_unit_balls(ax, np.array([1.0, 1.0]), optima)
    for p, ball, point in zip(
        (1, 2, np.inf), ax.lines[::2], ax.lines[1::2], strict=True
    ):
        sizes = np.linalg.norm(ball.get_xydata(), p, axis=1)
        assert sizes == pytest.approx(np.ones(201))
        assert np.linalg.norm(point.get_xydata()[0], p) == pytest.approx(1)


def test_bundles_have_their_median_as_a_thick_line_with_a_name():
    _, ax = figure()
    steps = np.array([10.0, 100.0])
    bundle = np.array([[1.0, 2.0, 4.0], [0.1, 0.2, 0.4]])
    figures.plot_rates(ax, steps, {"a": bundle, "b": bundle / 2, "c": bundle * 2})
    thick = [line for line in ax.lines if line.get_linewidth() > 2]
    middles = [list(line.get_ydata()) for line in thick]
    assert middles == [[2.0, 0.2], [1.0, 0.1], [4.0, 0.4]]
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]


def test_every_method_has_a_panel_with_three_norms_and_the_bar():
    _, axes = figure(2)
    steps = np.array([10.0, 100.0])
    gaps = np.ones((2, 4, 3)) * np.array([0.1, 1e-9, 0.3])
    figures.plot_norm_gaps(axes, steps, {"one": gaps, "other": gaps})
    for ax, title in zip(axes, ("one", "other"), strict=True):
        assert ax.get_title() == title
        thick = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() > 2]
        assert thick == pytest.approx([0.1, 1e-6, 0.3])
        assert list(ax.lines[-1].get_ydata()) == [1e-3, 1e-3]


def test_distances_early_and_late_stand_beside_the_norm():
    _, ax = figure()
    early, late = np.full((2, 3), 0.3), np.full((2, 3), 0.1)
    figures.plot_distances(ax, ["GD", "SGD"], early, late, np.array([5.0, 6.0, 7.0]))
    marks = [line.get_marker() for line in ax.lines]
    assert marks == ["o", "D", "o", "D", "|"]
    names = [text.get_text() for text in ax.texts]
    assert names == ["GD", "SGD", "norm of w itself"]
