import numpy as np
import pytest
import torch

from ibcore.figures import figure
from ibcore.pages.regression.matrix_factorization.greedy_low_rank.claims.deep_mf_singular_dynamics import (
    Dynamics,
    Flows,
)
from ibcore.pages.regression.matrix_factorization.greedy_low_rank.figures import (
    plot_approach,
    plot_dynamics,
    plot_errors,
    plot_growth,
    plot_recovery,
    plot_spectra,
    plot_stages,
)


def test_dynamics_have_a_panel_for_each_depth():
    draw = torch.Generator().manual_seed(7)
    values = {k: torch.rand(2, 10, 5, generator=draw).double() for k in (2, 3)}
    one = torch.ones(2).double()
    flows = {k: Flows(one, v, v + 1, one) for k, v in values.items()}
    times = torch.arange(1.0, 11.0).double()
    fig, axes = figure(2)
    plot_dynamics(axes, Dynamics(times, flows, one, ()))
    assert [ax.get_title() for ax in axes] == ["depth 2", "depth 3"]
    lines = axes[1].get_lines()
    assert len(lines) == 10
    np.testing.assert_array_equal(lines[0].get_ydata(), values[3][0, :, 0])
    np.testing.assert_array_equal(lines[1].get_ydata(), values[3][0, ::5, 0] + 1)
    fig.draw_without_rendering()


def test_growth_is_drawn_beside_the_truth():
    fig, ax = figure()
    values = np.random.default_rng(8).random((4, 6))
    plot_growth(ax, (1, 2, 5, 9), values, np.array([1.0, 0.5]))
    heights = [line.get_ydata() for line in ax.get_lines()]
    assert [float(one[0]) for one in heights[:2]] == [1.0, 0.5]
    np.testing.assert_array_equal(np.stack(heights[2:], -1), values[:, :5])
    fig.draw_without_rendering()


def test_stages_draw_eigenvalues_over_the_trace():
    path = np.stack([[t, max(0.0, t - 1), 0.0] for t in np.linspace(0, 2, 9)])
    fig, (left, right) = figure(2)
    plot_approach(left, np.array([1e-8, 1e-64]), np.array([[1e-2, 1e-5]]))
    plot_stages(right, path, {"large": path / 2, "small": path})
    lines = right.get_lines()
    assert max(line.get_xdata().max() for line in lines) == pytest.approx(3)
    assert {"large", "small"} <= {text.get_text() for text in right.texts}
    np.testing.assert_array_equal(lines[0].get_ydata(), path[:, 0])
    np.testing.assert_array_equal(lines[3].get_ydata(), path[:, 0] / 2)
    fig.draw_without_rendering()


def test_each_depth_is_named_beside_its_marks():
    fig, (left, right) = figure(2)
    plot_errors(
        left,
        np.array([0.1, 0.2]),
        {2: np.array([0.01, 0.3]), 3: np.array([1e-3, 1e-4])},
    )
    plot_recovery(
        right, (0.4, 0.6), {"nuclear norm": (0.0, 0.3), "depth 2": (0.3, 1.0)}, 0.2
    )
    words = {text.get_text() for ax in (left, right) for text in ax.texts}
    assert {"depth 2", "depth 3", "nuclear norm"} <= words
    fig.draw_without_rendering()


def test_spectra_keep_vanishing_singular_values_on_the_axis():
    fig, ax = figure()
    plot_spectra(
        ax,
        {
            "truth": np.array([1.0]),
            "nuclear": np.array([1.0, 0.0]),
            "descent": np.array([1.0, 0.0]),
        },
    )
    assert min(line.get_ydata().min() for line in ax.get_lines()) > 0
    fig.draw_without_rendering()
