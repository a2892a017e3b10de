import math

import pytest
import torch
from torch.nn.functional import softplus

from ibcore.dynamics.descent import constant, descend, loss_scaled
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.trajectory import NOT_FINITE, REACHED, step_limit, wall_limit
from ibcore.losses import Exponential, Logistic
from ibcore.models import Linear
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput

PROBLEM = planted_margin(12, 4, 0.2, torch.Generator().manual_seed(0))
SIGNED = PROBLEM.signed
START = torch.randn(
    2, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64
)


def run(schedule=None, start=START, **options):
    return descend(
        Linear(SIGNED), Logistic(), start, schedule or constant(0.3), **options
    )


def gradient(theta):
    """Of (1/n) sum_i log(1 + exp(-m_i)), by autograd."""
    theta = theta.clone().requires_grad_()
    softplus(-(theta @ SIGNED.T)).mean(-1).sum().backward()
    return theta.grad


def test_one_step_is_autograds_gradient_of_the_mean_loss():
    out = run(stops=[0, 1])
    torch.testing.assert_close(out.theta[0], START, rtol=0, atol=0)
    torch.testing.assert_close(
        out.theta[1], START - 0.3 * gradient(START), rtol=1e-13, atol=1e-14
    )
    torch.testing.assert_close(
        out.log_loss[0], softplus(-(START @ SIGNED.T)).mean(-1).log()
    )
    assert float(out.log_time[1, 0]) == pytest.approx(math.log(0.3))
    assert out.status == (REACHED, REACHED)


def test_a_loss_scaled_step_divides_by_the_loss():
    out = run(loss_scaled(0.1), stops=[1])
    loss = softplus(-(START @ SIGNED.T)).mean(-1, keepdim=True)
    torch.testing.assert_close(
        out.theta[0], START - 0.1 / loss * gradient(START), rtol=1e-12, atol=1e-13
    )
    torch.testing.assert_close(out.log_time[0], torch.log(0.1 / loss[:, 0]))


def test_small_steps_approach_the_flow_with_order_one():
    exact = flow(
        Linear(SIGNED), Logistic(), START, log_time=math.log(4.0), tolerance=1e-9
    ).theta[0]
    errors = [
        float((run(constant(4.0 / count), stops=[count]).theta[0] - exact).norm())
        for count in (50, 100, 200)
    ]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.05)


def test_loss_scaled_descent_continues_below_underflow():
    start = PROBLEM.teacher[None] * 5000
    out = run(loss_scaled(0.5), start, stops=[0, 200, 400])
    assert float(out.log_loss[0, 0]) < -800
    assert bool((out.log_loss.diff(dim=0) < -10).all())
    assert bool(out.theta.isfinite().all())
    assert bool(out.log_time.diff(dim=0)[1:].gt(0).all())


def test_sgd_steps_have_the_full_gradient_as_their_mean():
    generator, start, count = torch.Generator().manual_seed(2), START[:1], 2000
    steps = torch.stack(
        [
            start
            - run(
                constant(1.0), start, stops=[1], batch_size=5, generator=generator
            ).theta[0]
            for _ in range(count)
        ]
    )[:, 0]
    standard_error = steps.std(0) / math.sqrt(count)
    assert bool(((steps.mean(0) - gradient(start)[0]).abs() < 5 * standard_error).all())


def test_sgd_repeats_with_its_generator():
    first, again, other = (
        run(
            stops=[20], batch_size=3, generator=torch.Generator().manual_seed(seed)
        ).theta
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_until_ends_the_run_and_limits_are_told():
    ended = run(stops=[5, 100], until=lambda theta: theta.norm(dim=-1) > 0)
    assert ended.status == (REACHED,) * 2
    assert ended.steps.tolist() == [0, 0]
    torch.testing.assert_close(ended.theta[0], START, rtol=0, atol=0)
    assert bool(ended.theta[1].isnan().all())
    assert (
        run(stops=[3], until=lambda theta: theta.norm(dim=-1) < 0).status
        == (step_limit(3),) * 2
    )
    assert run(stops=[10], max_seconds=1e-9).status == (wall_limit(1e-9),) * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stops": []}, "rising"),
        ({"stops": [3, 3]}, "rising"),
        ({"stops": [-1]}, "at least 0"),
        ({"stops": [1.5]}, "integer"),
        ({"stops": [1], "batch_size": 0}, "batch_size"),
        ({"stops": [1], "batch_size": 2}, "generator"),
        ({"stops": [1], "start": torch.tensor([[math.nan] * 4])}, "NaN"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        run(**options)


@pytest.mark.parametrize("schedule", [constant, loss_scaled])
@pytest.mark.parametrize("step_size", [0.0, -1.0, math.nan, math.inf])
def test_a_step_size_is_positive(schedule, step_size):
    with pytest.raises(InvalidInput, match="step_size"):
        schedule(step_size)


def test_a_step_below_the_logistic_limit_may_diverge_on_the_exponential_loss():
    """Rows (+-1, 0.3), step 7.92 below 8 n / sigma_max^2 = 8: from (1, 0) the first weight changes sign and grows."""
    rows = torch.tensor([[1.0, 0.3], [-1.0, 0.3]], dtype=torch.float64)
    limit = 8 * len(rows) / float(torch.linalg.matrix_norm(rows, 2)) ** 2
    assert 7.92 < limit < 8.001
    start = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    exponential, logistic = (
        descend(Linear(rows), loss, start, constant(7.92), stops=range(200))
        for loss in (Exponential(), Logistic())
    )
    assert exponential.status == (NOT_FINITE,)
    assert bool((exponential.log_loss[:3, 0].diff() > 5).all())
    assert exponential.theta[:3, 0, 0].sign().tolist() == [1, -1, 1]
    assert bool((logistic.log_loss[:, 0].diff() < 0).all())


@pytest.mark.parametrize("seed", range(1100401, 1100409))
@pytest.mark.parametrize("share", [0.5, 0.99])
def test_below_its_own_limit_the_step_decreases_each_loss(seed, share):
    """8 n / sigma_max^2 for the logistic loss from any start, 2 / (R^2 L) at the start for the exponential one."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(7, 3, generator=generator, dtype=torch.float64).abs()
    start = 3 * torch.randn(1, 3, generator=generator, dtype=torch.float64)
    first = float(torch.exp(-rows @ start[0]).mean())
    limits = {
        Logistic(): 8 * 7 / float(torch.linalg.matrix_norm(rows, 2)) ** 2,
        Exponential(): 2 / (float(rows.square().sum(1).max()) * first),
    }
    for loss, limit in limits.items():
        run = descend(
            Linear(rows), loss, start, constant(share * limit), stops=range(100)
        )
        assert bool((run.log_loss[:, 0].diff() < 0).all())
