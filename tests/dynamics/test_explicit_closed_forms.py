"""Descents in closed form: paces of the one loop, events that end its members, steps
that are undone.
"""

from __future__ import annotations

import math

import pytest
import torch

from ibcore.dynamics import paces
from ibcore.dynamics.directions import Adam, Momentum
from ibcore.dynamics.events import short_gradient
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.trajectory import CONVERGED, REACHED, step_limit
from ibcore.losses import Exponential, Square
from ibcore.models.linear import Linear
from ibcore.oracles.least_squares import minimum_norm
from ibcore.validation import InvalidInput

CURVATURES = torch.tensor([[1.0, 3.0], [10.0, 0.5]]).double()


def _bowls(theta, members):
    """A quadratic for each member, its gradient, and its largest curvature."""
    curvatures = CURVATURES[members]
    loss = (curvatures * theta.square()).sum(-1) / 2
    return loss, curvatures * theta, curvatures.amax(-1)


BOWLS = FunctionObjective(_bowls)


def _normal(*shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).double()


SIZES = torch.tensor([0.1, 0.05]).double()
SHARES = torch.tensor([0.5, 1.5]).double()


@pytest.mark.parametrize(
    ("pace", "sizes"),
    [
        (paces.constant(0.1), torch.tensor([0.1, 0.1]).double()),
        (paces.constant(SIZES), SIZES),
        (paces.Bounded(0.5), 0.5 / CURVATURES.amax(-1)),
        (paces.Bounded(SHARES), SHARES / CURVATURES.amax(-1)),
    ],
)
def test_on_a_quadratic_each_coordinate_shrinks_by_its_own_factor(pace, sizes):
    start = _normal(2, 2, seed=1114010)
    run = descend(BOWLS, start, pace, steps=[7])
    torch.testing.assert_close(run.last, start * (1 - sizes[:, None] * CURVATURES) ** 7)
    loss = (CURVATURES * run.last.square()).sum(-1) / 2
    torch.testing.assert_close(run.last_log_loss, loss.log())


@pytest.mark.parametrize("pace", [paces.constant(SIZES), paces.Bounded(SHARES)])
def test_a_pace_of_each_member_stays_with_it_when_others_end(pace):
    start = torch.tensor([[1e-4, 1e-4], [1.0, 1.0]]).double()
    both = descend(BOWLS, start, pace, log_loss=[-12.0], max_steps=200)
    steps = int(both.steps[1])
    alone = descend(BOWLS, start, pace, steps=[steps])
    assert both.steps[0] == 0 < steps
    torch.testing.assert_close(both.last[1], alone.last[1])
    assert both.last[0].equal(start[0])


def test_adam_along_half_a_cosine_takes_the_steps_of_torch():
    start = _normal(2, 2, seed=1114011)
    theta = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([theta], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    for _ in range(40):
        optimizer.zero_grad()
        _bowls(theta, slice(None))[0].sum().backward()
        optimizer.step()
        schedule.step()
    run = descend(BOWLS, start, paces.Cosine(0.05, 40), direction=Adam(), steps=[40])
    torch.testing.assert_close(run.last, theta.detach(), atol=1e-8, rtol=1e-6)


def test_descent_that_ends_at_a_short_gradient_has_one_and_not_before():
    start = _normal(2, 2, seed=1114012)
    until = short_gradient(1e-6)
    run = descend(BOWLS, start, paces.constant(SIZES), steps=[1000], until=until)
    assert run.status == (CONVERGED,) * 2
    assert not run.arrived.any()
    assert (BOWLS.at(run.last).gradient.norm(dim=-1) <= 1e-6).all()
    for member, steps in enumerate(run.steps.tolist()):
        before = descend(BOWLS, start, paces.constant(SIZES), steps=[steps - 1])
        assert BOWLS.at(before.last).gradient.norm(dim=-1)[member] > 1e-6
    with pytest.raises(InvalidInput, match="length"):
        short_gradient(0.0)


def test_descent_from_zero_interpolates_with_least_norm_and_from_elsewhere_does_not():
    Z, y = _normal(2, 10, 40, seed=1114013), _normal(2, 10, seed=1114014)
    eta = 5 / torch.linalg.matrix_norm(Z, 2).square()
    least = minimum_norm(Z, y).weights
    for start in (torch.zeros(2, 40).double(), torch.ones(2, 40).double()):
        run = descend(
            Objective(Linear(Z), Square(), y, shared=False),
            start,
            paces.constant(eta),
            steps=[5000],
            until=short_gradient(1e-12),
        )
        unseen = start - (torch.linalg.pinv(Z) @ (Z @ start[..., None]))[..., 0]
        torch.testing.assert_close(run.last, least + unseen, atol=1e-10, rtol=0)


def test_on_an_exponential_steps_over_the_loss_have_one_length():
    run = descend(
        Objective(Linear(torch.ones(1, 1).double()), Exponential()),
        torch.zeros(1, 1).double(),
        paces.Rollback(0.1, grow=1.0, shrink=2.0),
        log_loss=[math.log(0.5), math.log(0.1)],
    )
    assert run.work[:, 0].tolist() == [7, 24]
    assert float(run.last) == pytest.approx(2.4)
    assert run.arrived.all()


def _written_out(curvatures, theta, restart, steps, rise=1.5):
    """Heavy ball over the loss for one member, a step undone where the loss rises by
    half: end, steps undone.
    """
    velocity, rate, undone = torch.zeros_like(theta), 0.4, 0
    for _ in range(steps):
        loss = (curvatures * theta.square()).sum() / 2
        pushed = 0.9 * velocity - rate / loss * curvatures * theta
        after = (curvatures * (theta + pushed).square()).sum() / 2
        if after < rise * loss:
            theta, velocity = theta + pushed, pushed
            continue
        rate, undone = rate / 2, undone + 1
        velocity = torch.zeros_like(theta) if restart else velocity
    return theta, undone


@pytest.mark.parametrize("restart", [True, False])
def test_momentum_begins_anew_after_a_step_that_is_undone_where_that_is_asked(restart):
    start = _normal(2, 2, seed=1114015)
    run = descend(
        BOWLS,
        start,
        paces.Rollback(0.4, grow=1.0, shrink=2.0, rise=1.5, restart=restart),
        direction=Momentum(0.9),
        steps=[25],
    )
    assert (run.rejected > 0).all()
    for member in range(2):
        end, undone = _written_out(CURVATURES[member], start[member], restart, 25)
        torch.testing.assert_close(run.last[member], end)
        assert int(run.rejected[member]) == undone


def test_a_run_that_ends_at_its_limit_says_so_and_leaves_its_start_alone():
    start = torch.ones(2, 2).double()
    run = descend(BOWLS, start, paces.Bounded(), log_loss=[-1.0, -99.0], max_steps=9)
    assert run.status == (step_limit(9),) * 2
    assert run.theta[1].isnan().all()
    assert run.last_log_loss.isfinite().all()
    assert start.equal(torch.ones(2, 2).double())
    further = descend(BOWLS, start, paces.Bounded(), log_loss=[-1.0])
    assert further.status == (REACHED,) * 2
    torch.testing.assert_close(further.last_log_loss, further.log_loss[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: paces.Cosine(0.0, 10),
        lambda: paces.Cosine(0.1, 0),
        lambda: paces.Bounded(0.0),
        lambda: paces.Bounded(torch.tensor([1.0, math.nan])),
    ],
)
def test_paces_that_make_no_sense(make):
    with pytest.raises(InvalidInput):
        make()
