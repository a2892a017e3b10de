import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad, solve_ivp

from ibcore.dynamics.potential_flow import (
    COSH,
    HYPENTROPY,
    QUADRATIC,
    capped_cosh,
    fields,
    potential_flow,
)
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput

POTENTIALS = (COSH, HYPENTROPY, QUADRATIC, capped_cosh(2.0))
SIGNED = planted_margin(5, 7, 0.2, torch.Generator().manual_seed(3)).signed


def euclidean(w):
    return float(np.linalg.norm(w))


@pytest.mark.parametrize("potential", POTENTIALS, ids=lambda one: one.name)
def test_the_gradient_is_the_integral_of_the_curvature(potential):
    for w in (-4.0, 0.3, 2.5):
        area, _ = quad(
            lambda x: float(np.exp(potential.log_curvature(np.array([x])))[0]), 0, w
        )
        gradient = float(potential.gradient(np.array([w]))[0])
        assert gradient == pytest.approx(area, rel=1e-8)
        steps = np.array([w - 1e-5, w + 1e-5])
        slope = np.diff(potential.log_curvature(steps))[0] / 2e-5
        expected = float(potential.log_curvature_slope(np.array([w]))[0])
        assert slope == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("potential", POTENTIALS, ids=lambda one: one.name)
def test_the_jacobian_is_that_of_differences(potential):
    field, jacobian = fields(SIGNED.numpy(), potential)
    w = np.random.default_rng(1).normal(size=7)
    columns = [
        (field(w + 1e-6 * e) - field(w - 1e-6 * e)) / 2e-6 for e in np.eye(len(w))
    ]
    np.testing.assert_allclose(jacobian(w), np.stack(columns, 1), atol=1e-7)


def test_it_is_the_path_of_mirror_flow_in_the_mirrored_weights():
    """d/dt sinh w = -grad L, integrated in z = sinh w by an explicit method."""
    A = SIGNED.numpy()
    states, _ = potential_flow(SIGNED, COSH, euclidean, [2.0], tolerance=1e-9)
    w = states[0].numpy()

    def descent(_t, z):
        return A.T @ np.exp(-A @ np.arcsinh(z)) / len(A)

    def arrived(_t, z):
        return euclidean(np.arcsinh(z)) - euclidean(w)

    arrived.terminal = True
    other = solve_ivp(
        descent, (0, 1e6), np.zeros(7), rtol=1e-10, atol=1e-12, events=arrived
    )
    np.testing.assert_allclose(np.arcsinh(other.y[:, -1]), w, atol=1e-6)


def test_the_mirrored_weights_stay_in_the_span_of_the_inputs():
    states, runs = potential_flow(SIGNED, HYPENTROPY, euclidean, [10.0, 1e4])
    assert all(run.complete for run in runs)
    assert euclidean(states[0]) >= 10
    for w in states:
        z = torch.asinh(w)[:, None]
        rest = SIGNED.T @ torch.linalg.lstsq(SIGNED.T, z).solution - z
        assert float(rest.norm() / z.norm()) < 1e-4


def test_a_run_that_ends_early_leaves_no_state():
    states, runs = potential_flow(SIGNED, COSH, euclidean, [1.0, 1e4], max_seconds=0.5)
    assert bool(states[0].isfinite().all())
    assert bool(states[1].isnan().all())
    assert not runs[-1].complete


def test_levels_that_do_not_rise_are_refused():
    for levels in ([2.0, 1.0], [0.0, 1.0], [math.nan]):
        with pytest.raises(InvalidInput, match="rise"):
            potential_flow(SIGNED, QUADRATIC, euclidean, levels)
