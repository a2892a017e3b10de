import math

import pytest
import torch

from ibcore.dynamics.directions import Steepest
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant, decaying, loss_scaled
from ibcore.losses import Exponential, Logistic
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.norm_margin import conjugate, norm_max_margin
from ibcore.oracles.steepest_descent import (
    descent_loss_bound,
    scaled_margin_bound,
    steepest_margin_bound,
)
from ibcore.problems.separable import planted_margin

TRIANGLE = torch.tensor([[0.6, 0.8], [0.8, -0.6], [0.4, 0.3]]).double()


def gamma():
    return torch.tensor(max_margin(TRIANGLE, torch.ones(3).double()).margin).double()


@pytest.mark.parametrize("size", [0.05, 0.5, 3.0])
@pytest.mark.parametrize("p", [1.0, 2.0, 4.0, math.inf])
def test_no_steepest_descent_falls_below_its_bound(p, size):
    """min m >= sum s (gamma - bound) after any steps s, also where steps are long and
    the bound says little.
    """
    data = planted_margin(12, 3, 1.0, torch.Generator().manual_seed(1103010))
    radius = torch.linalg.vector_norm(data.X, conjugate(p), dim=1).max()
    pace, stops = decaying(size / float(radius), 0.5), [1, 10, 100, 1000, 3000]
    run = descend(
        Objective(Linear(data.signed), Exponential()),
        torch.zeros(1, 3),
        pace,
        steps=stops,
        direction=Steepest(p, normalized=True),
    )
    lengths = torch.tensor([pace.log_size(k) for k in range(3000)]).double().exp()
    best = norm_max_margin(data.X, data.y, p).margin
    for k, w in zip(stops, run.theta[:, 0], strict=True):
        bound = float(steepest_margin_bound(lengths[:k], radius, 12))
        least = float((data.signed @ w).min())
        assert least >= float(lengths[:k].sum()) * (best - bound)
        if bound < best:
            assert best - least / float(torch.linalg.vector_norm(w, p)) <= bound


def test_the_bound_counts_the_squares_of_the_steps():
    """For one example the bound is R^2 sum s^2 / (2 sum s): of second order in the
    steps, though the gap is zero.
    """
    lengths = torch.full((50,), 0.1).double()
    bound = steepest_margin_bound(lengths, torch.tensor(2.0).double(), 1)
    assert float(bound) == pytest.approx(4 * 0.1 / 2)


@pytest.mark.parametrize("k", [40, 400, 4000])
def test_gradient_descent_stays_below_the_bound_of_its_loss(k):
    objective = Objective(Linear(TRIANGLE), Logistic())
    run = descend(objective, torch.zeros(1, 2), constant(4.0), steps=[k])
    bound = descent_loss_bound(gamma(), torch.tensor(4.0 * k))
    assert float(run.log_loss[0, 0].exp()) <= float(bound)


def test_where_the_bound_of_the_loss_comes_from():
    """L(u) + |u|^2 / (2 t) for one example of margin gamma and u with the margin
    log(gamma^2 t).
    """
    best, time = torch.tensor(0.5).double(), torch.tensor(400.0).double()
    u = math.log(100.0) / 0.5
    exact = math.log1p(math.exp(-0.5 * u)) + u**2 / 800
    assert exact < float(descent_loss_bound(best, time)) < exact + 1e-4


@pytest.mark.parametrize("k", [1, 10, 1000])
@pytest.mark.parametrize("power", [0.0, 0.5])
def test_steps_over_the_loss_stay_within_the_bound_of_ji_and_telgarsky(k, power):
    objective = Objective(Linear(TRIANGLE), Exponential())
    run = descend(objective, torch.zeros(1, 2), loss_scaled(1.0, power), steps=[k])
    w = run.theta[0, 0]
    gap = gamma() - (TRIANGLE @ w).min() / w.norm()
    sums = sum((1.0 + j) ** -power for j in range(k))
    bound = scaled_margin_bound(gamma(), torch.tensor(sums), 3)
    assert float(gap) <= float(bound)
    assert float(bound) == pytest.approx((1 + math.log(3)) / float(gamma()) / sums)
