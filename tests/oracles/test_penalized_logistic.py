import math

import numpy as np
import pytest
import torch
from scipy.special import expit

from ibcore.oracles.penalized_logistic import penalized_logistic, penalty_over_zero
from ibcore.validation import InvalidInput


def problem(seed, n=20, d=30):
    rng = np.random.default_rng(1600130 + seed)
    return rng.normal(size=(n, d)), rng.choice([-1.0, 1.0], n)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("strength", [0.02, 5e-4])
def test_without_width_it_meets_the_conditions_of_the_lasso(seed, strength):
    X, y = problem(seed)
    found = penalized_logistic(X, y, strength)
    A, beta = y[:, None] * X, found.primal.numpy()
    slope = -A.T @ expit(-A @ beta) / len(A)
    used = np.abs(beta) > 1e-6
    np.testing.assert_allclose(slope[used], -strength * np.sign(beta[used]), rtol=1e-5)
    assert np.abs(slope).max() <= strength * (1 + 1e-5)
    assert 0 < used.sum() < len(beta)
    assert abs(found.gap) < 1e-7


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("width", [0.05, 1.0, 200.0])
def test_with_width_the_slope_vanishes(seed, width):
    X, y = problem(seed)
    found = penalized_logistic(X, y, 5e-4, width)
    beta = found.primal.clone().requires_grad_()
    margins = torch.from_numpy(y[:, None] * X) @ beta
    loss = torch.nn.functional.softplus(-margins).mean()
    total = loss + 5e-4 * torch.hypot(beta, torch.full_like(beta, width)).sum()
    (slope,) = torch.autograd.grad(total, beta)
    assert float(slope.abs().max()) < 1e-9
    assert abs(found.gap) < 1e-9


def test_one_point_in_closed_form():
    assert float(penalized_logistic([[2.0]], [1.0], 0.5).primal) == pytest.approx(
        math.log(3) / 2
    )
    assert float(penalized_logistic([[2.0]], [1.0], 1.5).primal) == pytest.approx(
        0, abs=1e-9
    )


def test_the_penalty_does_not_cancel():
    assert penalty_over_zero(np.array([1e-3]), 1e3) == pytest.approx(5e-10)
    assert penalty_over_zero(np.array([3.0, -4.0]), 0.0) == 7


def test_wrong_input():
    with pytest.raises(InvalidInput, match="width"):
        penalized_logistic([[1.0]], [1.0], 1.0, -1.0)
    with pytest.raises(InvalidInput, match="strength"):
        penalized_logistic([[1.0]], [1.0], 0.0)
