import numpy as np
import pytest

from ibcore.figures.greedy_low_rank import (
    draw_approach,
    draw_dynamics,
    draw_errors,
    draw_recovery,
    draw_spectra,
    draw_stages,
)
from ibcore.figures.style import figure


def test_dynamics_have_a_panel_for_each_depth():
    values = {depth: np.random.default_rng(depth).random((10, 5)) for depth in (2, 3)}
    fig, axes = figure(2)
    draw_dynamics(axes, np.arange(1.0, 11.0), values, values)
    assert [ax.get_title() for ax in axes] == ["depth 2", "depth 3"]
    fig.draw_without_rendering()


def test_stages_draw_eigenvalues_over_the_trace():
    path = np.stack([np.diag([t, max(0.0, t - 1), 0.0]) for t in np.linspace(0, 2, 9)])
    fig, (left, right) = figure(2)
    draw_approach(left, np.array([1e-8, 1e-64]), np.array([[1e-2, 1e-5]]))
    draw_stages(right, path, {"one": path})
    assert max(line.get_xdata().max() for line in right.get_lines()) == pytest.approx(3)
    fig.draw_without_rendering()


def test_each_depth_is_named_beside_its_marks():
    fig, (left, right) = figure(2)
    draw_errors(
        left,
        np.array([0.1, 0.2]),
        {2: np.array([0.01, 0.3]), 3: np.array([1e-3, 1e-4])},
    )
    draw_recovery(
        right, (0.4, 0.6), {"nuclear norm": (0.0, 0.3), "depth 2": (0.3, 1.0)}, 0.2
    )
    words = {text.get_text() for ax in (left, right) for text in ax.texts}
    assert {"depth 2", "depth 3", "nuclear norm"} <= words
    fig.draw_without_rendering()


def test_spectra_keep_vanishing_singular_values_on_the_axis():
    fig, ax = figure()
    draw_spectra(
        ax,
        {
            "truth": np.array([1.0]),
            "nuclear": np.array([1.0, 0.0]),
            "descent": np.array([1.0, 0.0]),
        },
    )
    assert min(line.get_ydata().min() for line in ax.get_lines()) > 0
    fig.draw_without_rendering()
