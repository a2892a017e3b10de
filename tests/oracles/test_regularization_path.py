import math

import cvxpy as cp
import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.regularization_path import regularization_path, tail_limit
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput


def problem(seed, n=15, d=3):
    data = planted_margin(n, d, 0.1, torch.Generator().manual_seed(seed))
    return data.signed, max_margin(data.X, data.y).primal


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_limit_for_two_orthogonal_examples(power):
    """For a_1 = (c, 0), a_2 = (0, 1) the least c^-p u_1^-p + u_2^-p on the circle has
    u_1/u_2 = c^(-p/(p+2)).
    """
    c = 3.0
    limit = tail_limit(
        torch.tensor([[c, 0.0], [0.0, 1.0]]), power, torch.tensor([1.0, 1.0])
    )
    assert float(limit.direction[0] / limit.direction[1]) == pytest.approx(
        c ** (-power / (power + 2)), rel=1e-12
    )
    assert limit.error < 1e-14
    assert limit.margin == pytest.approx(
        float(torch.minimum(c * limit.direction[0], limit.direction[1]))
    )


@pytest.mark.parametrize("power", [1, 2, 5])
def test_limit_agrees_with_the_convex_program(power):
    signed, best = problem(1)
    u = cp.Variable(3)
    loss = cp.sum(cp.power(signed.numpy() @ u, -power))
    cp.Problem(cp.Minimize(loss), [cp.sum_squares(u) <= 1]).solve(solver=cp.CLARABEL)
    limit = tail_limit(signed, float(power), best)
    assert limit.error < 1e-13
    np.testing.assert_allclose(
        limit.direction.numpy(), u.value / np.linalg.norm(u.value), atol=2e-5
    )


def test_the_start_does_not_matter():
    signed, best = problem(2)
    other = tail_limit(signed, 7.0, best).direction
    first, second = tail_limit(signed, 1.0, best), tail_limit(signed, 1.0, 50 * other)
    torch.testing.assert_close(first.direction, second.direction, rtol=0, atol=1e-13)


@pytest.mark.parametrize("radius", [0.3, 4.0, 20.0])
def test_path_agrees_with_a_constrained_minimizer(radius):
    signed, _ = problem(3)
    rows = signed.numpy()
    (point,) = regularization_path(signed, [radius])
    found = minimize(
        lambda w: np.log(np.logaddexp(0, -rows @ w).mean()),
        point.w.numpy() * 0.5 + 0.01,
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda w: radius**2 - w @ w},
        options={"ftol": 1e-15},
    )
    np.testing.assert_allclose(point.w.numpy(), found.x, rtol=2e-4, atol=2e-4 * radius)
    assert point.residual < 1e-12
    assert float(point.w.norm()) == pytest.approx(radius, rel=1e-13)


def test_path_starts_at_the_mean_and_ends_at_the_max_margin_direction():
    signed, best = problem(4)
    first, last = regularization_path(signed, [1e-6, 1e6])
    mean = signed.mean(0)
    torch.testing.assert_close(
        first.w / first.w.norm(), mean / mean.norm(), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(
        last.w / last.w.norm(), best / best.norm(), rtol=0, atol=1e-4
    )
    assert last.residual < 1e-8


def test_one_example_has_a_straight_path():
    points = regularization_path(torch.tensor([[3.0, 4.0]]), [1.0, 10.0])
    for point, radius in zip(points, (1.0, 10.0), strict=True):
        torch.testing.assert_close(
            point.w,
            radius * torch.tensor([0.6, 0.8], dtype=torch.float64),
            rtol=1e-13,
            atol=0,
        )


def test_bad_input_is_refused():
    signed, best = problem(5)
    with pytest.raises(InvalidInput, match="does not separate"):
        tail_limit(signed, 1.0, -best)
    with pytest.raises(InvalidInput, match="power"):
        tail_limit(signed, -1.0, best)
    with pytest.raises(InvalidInput, match="radii must rise"):
        regularization_path(signed, [2.0, 1.0])
    with pytest.raises(InvalidInput, match="radii must rise"):
        regularization_path(signed, [-math.pi])
