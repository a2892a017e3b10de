"""Paces: step sizes of members, over the loss or not, and steps that are taken back."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from ibcore.dynamics import descent, paces
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.trajectory import NOT_FINITE, REACHED
from ibcore.losses import Exponential, Logistic
from ibcore.measures import sin_angle
from ibcore.models.linear import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.validation import InvalidInput
from tests.cases import least_squares, normal, separable

HARD = Objective(Linear([[1.0, 0.2], [-0.9, 0.2]]), Logistic())


def test_a_step_below_the_logistic_limit_may_diverge_on_the_exponential_loss():
    """Rows (+-1, 0.3), step 7.92 below 8 n / sigma_max^2 = 8: from (1, 0) the first
    weight changes sign and grows.
    """
    rows = torch.tensor([[1.0, 0.3], [-1.0, 0.3]], dtype=torch.float64)
    limit = 8 * len(rows) / float(torch.linalg.matrix_norm(rows, 2)) ** 2
    assert 7.92 < limit < 8.001
    start, pace = [[1.0, 0.0]], paces.constant(7.92)
    exponential, logistic = (
        descend(Objective(Linear(rows), loss), start, pace, steps=range(200))
        for loss in (Exponential(), Logistic())
    )
    assert exponential.status == (NOT_FINITE,)
    assert bool((exponential.log_loss[:3, 0].diff() > 5).all())
    assert exponential.theta[:3, 0, 0].sign().tolist() == [1, -1, 1]
    assert bool((logistic.log_loss[:, 0].diff() < 0).all())


@pytest.mark.parametrize("seed", range(1100401, 1100409))
@pytest.mark.parametrize("share", [0.5, 0.99])
def test_below_its_own_limit_the_step_decreases_each_loss(seed, share):
    """8 n / sigma_max^2 for the logistic loss from any start, 2 / (R^2 L) at the start
    for the exponential one.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(7, 3, generator=generator, dtype=torch.float64).abs()
    start = 3 * torch.randn(1, 3, generator=generator, dtype=torch.float64)
    first = float(torch.exp(-rows @ start[0]).mean())
    limits = {
        Logistic(): 8 * 7 / float(torch.linalg.matrix_norm(rows, 2)) ** 2,
        Exponential(): 2 / (float(rows.square().sum(1).max()) * first),
    }
    for loss, limit in limits.items():
        pace = paces.constant(share * limit)
        run = descend(Objective(Linear(rows), loss), start, pace, steps=range(100))
        assert bool((run.log_loss[:, 0].diff() < 0).all())


def test_a_step_over_the_loss_is_the_gradient_of_its_logarithm():
    start = normal(3, 2, seed=1113020).requires_grad_()
    log_loss = softplus(-(start @ HARD.model.inputs.T)).mean(-1).log()
    log_loss.sum().backward()
    run = descend(HARD, start.detach(), paces.loss_scaled(0.1), steps=[1])
    torch.testing.assert_close(run.last, start.detach() - 0.1 * start.grad)
    torch.testing.assert_close(run.log_time[0], math.log(0.1) - log_loss.detach())
    first = descend(HARD, start.detach(), paces.Rollback(first=0.1), steps=[1])
    torch.testing.assert_close(first.last, run.last)


def test_step_sizes_decay():
    for size in (0.1, torch.tensor([0.1]).double()):
        run = descend(HARD, torch.zeros(1, 2), paces.decaying(size, 0.5), steps=[3])
        total = float(run.log_time.exp())
        assert total == pytest.approx(0.1 * (1 + 2**-0.5 + 3**-0.5))


def test_every_member_has_its_own_size_decay_and_scaling():
    objective, start = separable()
    sizes = torch.tensor([0.02, 0.01, 0.02, 0.03, 0.01]).double()
    powers = torch.tensor([0.0, 0.5, 0.2, 0.0, 0.1]).double()
    scaled = torch.tensor([True, False, True, False, True])

    def train(theta, pace):
        return descend(objective, theta, pace, log_loss=[-2.0], max_steps=2000)

    together = train(start, paces.decaying(sizes, powers, over=30.0, over_loss=scaled))
    assert len(set(together.steps.tolist())) > 2
    for member in range(5):
        size, power = float(sizes[member]), float(powers[member])
        make = paces.loss_scaled if scaled[member] else paces.decaying
        alone = train(start[member : member + 1], make(size, power, over=30.0))
        assert together.steps[member] == alone.steps[0]
        torch.testing.assert_close(together.last[member], alone.last[0])


def test_steps_that_are_taken_back_lead_to_the_max_margin():
    run = descend(
        HARD,
        torch.zeros(2, 2),
        paces.Rollback(),
        log_loss=[-5.0, -50.0],
        max_steps=3000,
    )
    assert run.status == (REACHED,) * 2
    assert (run.log_loss <= torch.tensor([[-5.0], [-50.0]])).all()
    best = max_margin(HARD.model.inputs, torch.ones(2)).primal
    assert (sin_angle(run.theta[1], best) < 0.1).all()
    assert (run.rejected > 0).all()
    assert torch.equal(run.steps + run.rejected, run.evaluations)


def test_rollback_keeps_only_steps_that_lower_the_loss():
    objective, start = separable()
    losses: list[Tensor] = []

    def watch(point):
        losses.append(point.log_loss.clone())
        return torch.zeros(len(point.theta), dtype=torch.bool)

    run = descend(
        objective,
        start[:1],
        paces.Rollback(first=10.0),
        steps=[300],
        until=watch,
    )
    assert run.rejected[0] > 0
    assert run.steps[0] + run.rejected[0] == 300
    assert (torch.stack(losses).diff(dim=0) <= 0).all()


def test_a_member_whose_loss_is_no_number_does_not_run_to_the_limit():
    def values(theta, members):
        loss = theta.square().sum(-1) + torch.where(members == 1, math.nan, 0.0)
        return loss, 2 * theta

    run = descend(
        FunctionObjective(values, torch.arange(2)),
        torch.ones(2, 2),
        paces.Rollback(),
        log_loss=[-3.0],
    )
    assert run.status == (REACHED, NOT_FINITE)
    assert run.steps[1] == 0


def test_cosine_steps_add_up_to_half_of_their_number():
    objective, start = least_squares()
    run = descend(objective, start, paces.Cosine(0.01, 100), steps=[100])
    assert float(run.log_time[0, 0].exp()) == pytest.approx(0.01 * 50.5)


def test_a_loss_of_exp_minus_thousands_does_not_underflow():
    X = normal(12, 3, seed=1112017)
    y = X[:, 0].sign()
    margins = Linear((X + 3 * torch.eye(3).double()[0] * y[:, None]) * y[:, None])
    run = descend(
        Objective(margins, Logistic()),
        torch.zeros(1, 3, dtype=torch.float64),
        paces.loss_scaled(0.1),
        log_loss=[-3000.0],
    )
    assert run.status == (REACHED,)
    assert run.log_time[0, 0] > 1000


@pytest.mark.parametrize(
    "make",
    [paces.constant, paces.loss_scaled, lambda size: paces.decaying(size, 0.5)],
)
@pytest.mark.parametrize(
    "size", [0.0, -1.0, math.nan, math.inf, torch.tensor([1.0, math.nan])]
)
def test_a_step_size_is_a_finite_number_above_zero(make, size):
    with pytest.raises(InvalidInput, match="step_size"):
        make(size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first": 0.0}, "first"),
        ({"rise": -1.0}, "rise"),
        ({"grow": 0.9}, "above 1"),
        ({"shrink": 1.0}, "above 1"),
    ],
)
def test_factors_of_a_rollback_that_make_no_sense(options, message):
    with pytest.raises(InvalidInput, match=message):
        paces.Rollback(**options)


def test_older_notebooks_find_the_step_sizes_where_they_were():
    assert descent.constant is paces.constant
    assert descent.decaying is paces.decaying
    assert descent.loss_scaled is paces.loss_scaled


def test_steps_over_the_tail_shrink_as_the_loss_goes_down():
    objective = Objective(Linear(torch.eye(1).double()), Exponential())
    theta = torch.tensor([[-3.0], [0.0], [400.0]]).double()
    point = objective.at(theta)
    found = paces.OverTail(0.5).log_step(0, point, ())
    expected = math.log(0.5) + theta[:, 0] - torch.tensor([0.0, 0.0, math.log(401)])
    torch.testing.assert_close(found, expected.double())
    with pytest.raises(InvalidInput, match="share"):
        paces.OverTail(0.0)


@pytest.mark.parametrize("over", [0.5, 1.0, 40.0])
def test_a_decay_begins_after_the_steps_that_it_is_over(over):
    """0.1 (1 + k / over)^-p: at k = over it has fallen by 2^p."""
    run = descend(
        HARD, torch.zeros(1, 2), paces.decaying(0.1, 0.7, over=over), steps=[1, 2, 41]
    )
    sizes = [0.1 * (1 + k / over) ** -0.7 for k in range(41)]
    sums = [sum(sizes[:k]) for k in (1, 2, 41)]
    assert run.log_time[:, 0].exp().tolist() == pytest.approx(sums)


def test_a_constant_step_is_the_same_at_every_step():
    run = descend(HARD, torch.zeros(1, 2), paces.constant(0.25), steps=[1, 2, 30])
    assert run.log_time[:, 0].exp().tolist() == pytest.approx([0.25, 0.5, 7.5])
