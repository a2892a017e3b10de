import itertools

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
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["GD", "SGD", "norm of w itself"]


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_every_mark_of_the_distances_is_inside_the_axes(unit):
    """Also the norms, which lie far to the right of the distances."""
    _, ax = figure()
    early, late = unit * np.full((2, 3), 0.3), unit * np.full((2, 3), 1e-3)
    norms = unit * np.array([15.0, 20.0, 40.0])
    figures.plot_distances(ax, ["GD", "SGD"], early, late, norms)
    left, right = ax.get_xlim()
    low, high = ax.get_ylim()
    for line in ax.lines:
        x, y = line.get_data()
        assert bool(((left < x) & (x < right)).all())
        assert bool(((low < y) & (y < high)).all())


def test_labels_of_gaps_that_end_together_do_not_overlap():
    fig, axes = figure(2, height=2.9)
    steps = np.array([10.0, 100.0])
    gaps = np.ones((2, 4, 3)) * np.array([0.05, 1e-4, 0.051])
    figures.plot_norm_gaps(axes, steps, {"one": gaps, "other": gaps})
    fig.draw_without_rendering()
    for ax in axes:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert len(boxes) == 3
        assert not any(
            one.overlaps(other) for one, other in itertools.combinations(boxes, 2)
        )


def test_labels_apart_keep_their_order_and_stay_where_there_is_room():
    heights = [0.05, 1e-4, 0.051]
    moved = figures.apart(heights)
    assert list(np.argsort(moved)) == list(np.argsort(heights))
    assert moved[1] == pytest.approx(1e-4)
    assert moved[2] / moved[0] == pytest.approx(3)
    assert moved[2] * moved[0] == pytest.approx(0.05 * 0.051, rel=1e-6)


def test_curves_of_the_rates_end_where_the_axes_end():
    fig, ax = figure()
    steps = np.array([10.0, 5000.0])
    bundle = np.array([[1.0, 2.0], [0.1, 0.2]])
    figures.plot_rates(ax, steps, {"a": bundle, "b": bundle / 9, "c": bundle * 9})
    fig.draw_without_rendering()
    assert ax.get_xlim() == (10.0, 5000.0)
    assert all(
        text.get_window_extent().x1 <= fig.get_window_extent().x1 for text in ax.texts
    )
