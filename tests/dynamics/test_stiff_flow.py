import math

import numpy as np
import pytest
import torch

from ibcore.dynamics.stiff_flow import (
    CONVERGED,
    NO_EVENT,
    integrate,
    stiff_flow,
)
from ibcore.dynamics.trajectory import REACHED, step_limit, wall_limit
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.validation import InvalidInput

X = torch.randn(6, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = X[:, 0] - X[:, 1]
START = even_start(10, torch.tensor([0.1], dtype=torch.float64))[0]


def test_one_point_follows_its_closed_form():
    """beta = u^2 - v^2 with one feature x = 1: d beta/dt = -8 sqrt(beta^2 + 4 alpha^4)
    (beta - y).
    """
    model, alpha, y = Diagonal(torch.ones(1, 1, dtype=torch.float64)), 0.5, 2.0
    start = torch.tensor([alpha, alpha])
    run = stiff_flow(
        model, torch.tensor([y]), start, target_loss=0, times=[0.05], tolerance=1e-12
    )
    beta = float(model.coefficients(run.state))
    s, end = math.asinh(beta / (2 * alpha**2)), math.asinh(y / (2 * alpha**2))
    grid = np.linspace(0, s, 4001)
    rate = 1 / (8 * (y - 2 * alpha**2 * np.sinh(grid)))
    assert s < end
    assert np.trapezoid(rate, grid) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize("method", ["LSODA", "BDF", "Radau", "DOP853"])
def test_methods_agree(method):
    run = stiff_flow(
        Diagonal(X), Y, START, target_loss=0, horizon=3.0, method=method, tolerance=1e-9
    )
    other = stiff_flow(
        Diagonal(X),
        Y,
        START,
        target_loss=0,
        horizon=3.0,
        method="DOP853",
        tolerance=1e-12,
    )
    assert run.status == REACHED
    torch.testing.assert_close(run.state, other.state, rtol=1e-5, atol=1e-6)


def test_the_stiff_solver_needs_far_fewer_evaluations():
    start = even_start(10, torch.tensor([0.02], dtype=torch.float64))[0]
    counts = {
        method: stiff_flow(
            Diagonal(X), Y, start, target_loss=1e-8, method=method, tolerance=1e-6
        ).evaluations
        for method in ("LSODA", "DOP853")
    }
    assert counts["DOP853"] > 3 * counts["LSODA"]


def test_errors_follow_the_tolerance():
    exact = math.exp(-5)
    errors = [
        abs(
            float(
                integrate(
                    lambda x: -x, None, [1.0], horizon=5.0, tolerance=tolerance
                ).state
            )
            - exact
        )
        for tolerance in (1e-4, 1e-7, 1e-10)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-9


def test_path_and_event():
    run = integrate(
        lambda x: -x,
        None,
        [1.0],
        times=[0.5, 1.0],
        done=lambda x: x[0] < 0.5,
        tolerance=1e-9,
    )
    assert run.status == CONVERGED
    assert float(run.path[0]) == pytest.approx(math.exp(-0.5), rel=1e-6)
    assert math.isnan(run.path[1])


def test_gradient_flow_keeps_the_product_of_the_halves():
    """d(u_j v_j)/dt = 0 for beta = u^2 - v^2."""
    run = stiff_flow(
        Diagonal(X),
        Y,
        START,
        tolerance=1e-10,
        invariants={
            "product": lambda x: float(np.abs(x[:10] * x[10:] / 0.01 - 1).max())
        },
    )
    assert run.status == CONVERGED
    assert run.drift["product"] < 1e-6


def test_hessian_is_the_derivative_of_the_pullback():
    model, theta = (
        Diagonal(X, depth=3),
        torch.rand(1, 20, generator=torch.Generator().manual_seed(1)).double(),
    )
    weights = torch.randn(1, 6, generator=torch.Generator().manual_seed(2)).double()
    expected = torch.autograd.functional.jacobian(
        lambda t: model.pullback(t[None], weights)[0], theta[0]
    )
    torch.testing.assert_close(model.hessian(theta, weights)[0], expected)
    torch.testing.assert_close(
        model.pullback(theta, weights), (weights[:, None] @ model.jacobian(theta))[:, 0]
    )


def test_a_limit_is_named():
    assert stiff_flow(Diagonal(X), Y, START, max_steps=3).status == step_limit(3)
    assert stiff_flow(Diagonal(X), Y, START, max_seconds=1e-9).status == wall_limit(
        1e-9
    )
    assert (
        integrate(
            lambda x: -x, lambda _: -np.eye(1), [1.0], done=lambda x: x[0] < -1
        ).status
        == NO_EVENT
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "no end"),
        ({"times": [1.0, 0.5]}, "do not rise"),
        ({"horizon": 1.0, "tolerance": 0.0}, "tolerance"),
    ],
)
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(InvalidInput, match=words):
        integrate(lambda x: -x, None, [1.0], **settings)


def test_targets_that_do_not_match_are_refused():
    with pytest.raises(InvalidInput, match="one for each of the 6"):
        stiff_flow(Diagonal(X), Y[:-1], START)


@pytest.mark.parametrize("depth", [2, 3])
def test_the_jacobian_of_the_field_agrees_with_differences(monkeypatch, depth):
    given = {}

    def keep(field, jacobian, _start, **_settings):
        given.update(field=field, jacobian=jacobian)

    monkeypatch.setattr("ibcore.dynamics.stiff_flow.integrate", keep)
    generator = torch.Generator().manual_seed(1)
    theta = torch.rand(20, generator=generator, dtype=torch.float64)
    stiff_flow(Diagonal(X, depth), Y, theta)
    x, step = theta.numpy(), 1e-6
    differences = [
        (given["field"](x + step * e) - given["field"](x - step * e)) / (2 * step)
        for e in np.eye(len(x))
    ]
    np.testing.assert_allclose(
        given["jacobian"](x), np.stack(differences, 1), rtol=1e-7, atol=1e-6
    )


@pytest.mark.parametrize("level", [-50.0, -0.5, 0.5, 50.0])
def test_drift_is_relative_to_the_size_of_an_invariant_of_either_sign(level):
    """x falls from 1 to 1/e: a quantity of 50 + x - 1 changes by 1.3 %, and of one
    below 1 the change itself is told.
    """
    run = integrate(
        lambda x: -x,
        None,
        [1.0],
        horizon=1.0,
        invariants={"no invariant": lambda x: level + x[0] - 1},
    )
    change = (1 - math.exp(-1)) / max(1.0, abs(level))
    assert run.drift["no invariant"] == pytest.approx(change, rel=1e-5)
