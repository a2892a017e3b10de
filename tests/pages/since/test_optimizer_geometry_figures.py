import math

import numpy as np
import pytest

from ibcore.figures import figure
from ibcore.pages.since.optimizer_geometry import figures
from ibcore.pages.since.optimizer_geometry.plane import plane_decay


def test_borders_are_where_the_two_best_scores_agree():
    angles = np.array([90, 210, 330]) * math.pi / 180
    W = np.stack([np.cos(angles), np.sin(angles)], 1)
    rays = figures.tie_rays(W)
    found = sorted(math.degrees(math.atan2(y, x)) % 360 for x, y in rays)
    assert found == pytest.approx([30, 150, 270])


def test_bars_say_their_margins_and_show_the_own_norm():
    _, ax = figure()
    figures.plot_bars(ax, np.array([0.5, 0.6, 0.7]), np.array([0.9, 0.95, 0.99]), 2)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx([0.9, 0.95, 0.99])
    colors = [bar.get_facecolor() for bar in ax.patches]
    assert colors[0] == colors[1] != colors[2]
    assert [text.get_text() for text in ax.texts] == ["0.90", "0.95", "0.99"]


def test_adam_has_a_panel_for_each_norm_with_both_medians():
    fig, axes = figure(2)
    stops = np.array([10.0, 100.0])
    ratios = np.ones((2, 2, 5, 2)) * np.array([0.7, 0.9])
    ratios[:, 1] -= 0.05
    figures.plot_adam(axes, stops, ratios, ["one", "other"])
    fig.draw_without_rendering()
    for ax, level in zip(axes, (0.7, 0.9), strict=True):
        thick = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() > 2]
        assert thick == pytest.approx([level, level - 0.05])


def test_level_sets_go_from_round_to_square_and_to_diamond():
    for phi, corner in (("cosh", 1.0), ("hypentropy", 0.5)):
        along = [float(figures.level_set(phi, v)[45, 0]) for v in (1e-4, 1e9)]
        assert along[0] == pytest.approx(math.sqrt(0.5), abs=1e-3)
        assert along[1] == pytest.approx(corner, abs=0.04)
        assert figures.level_set(phi, 10.0)[0] == pytest.approx([1, 0], abs=1e-9)


def test_horizons_draw():
    fig, axes = figure(2)
    figures.plot_horizons(axes)
    fig.draw_without_rendering()
    assert [len(ax.lines) for ax in axes] == [3, 3]


def test_runs_end_on_the_box_and_inside_of_it():
    plane = plane_decay()
    ends = plane.paths[-1]
    assert float(ends[0, 0]) == pytest.approx(1, abs=1e-2)
    assert float((ends[0] - ends[1]).norm()) < 0.05
    assert float((ends[0] - ends[2]).norm()) > 0.3
    assert float((plane.barrier[0] - ends[0]).norm()) < 0.02
    assert float(plane.barrier[-1].norm()) < 0.1
    fig, ax = figure()
    figures.plot_box(
        ax,
        (plane.hessian.numpy(), plane.center.numpy()),
        {name: plane.paths[:, k].numpy() for k, name in enumerate("abc")},
        plane.barrier.numpy(),
    )
    fig.draw_without_rendering()
    assert float(plane.center[0]) == pytest.approx(2)
