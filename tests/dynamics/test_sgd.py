import math

import pytest
import torch

from ibcore.dynamics.sgd import sgd
from ibcore.dynamics.trajectory import step_limit, wall_limit
from ibcore.validation import InvalidInput

A = torch.tensor([[1.0, 2.0, 4.0], [3.0, 1.0, 0.5]], dtype=torch.float64)


def quadratic(theta, runs, _):
    """Gradient of (1/2) sum_k A_k theta_k^2."""
    return A[runs] * theta


def never(theta, _):
    return torch.zeros(len(theta), dtype=torch.bool)


def run(
    gradient=quadratic,
    *,
    done=lambda theta, _: theta.norm(dim=-1) < 1e-6,
    samples=10,
    batch_size=5,
    momentum=0.5,
    max_steps=1000,
    step_size=0.1,
    max_seconds=60.0,
):
    return sgd(
        gradient,
        done,
        torch.ones(2, 3, dtype=torch.float64),
        samples=samples,
        batch_size=batch_size,
        step_size=step_size,
        momentum=momentum,
        generator=torch.Generator().manual_seed(0),
        max_steps=max_steps,
        max_seconds=max_seconds,
    )


def test_follows_the_heavy_ball_recursion():
    out = run(done=never, max_steps=6)
    theta, velocity = (
        torch.ones(2, 3, dtype=torch.float64),
        torch.zeros(2, 3, dtype=torch.float64),
    )
    for _ in range(6):
        velocity = 0.5 * velocity - 0.1 * A * theta
        theta = theta + velocity
    torch.testing.assert_close(out.theta, theta)
    assert out.status == (step_limit(6),) * 2
    assert out.steps.tolist() == [6, 6]


def test_a_run_that_is_done_is_frozen():
    out = run(done=lambda theta, runs: (runs == 0) | (theta.norm(dim=-1) < 1e-6))
    assert out.status == ("converged", "converged")
    assert out.steps[0] == 0
    assert out.theta[0].tolist() == [1.0, 1.0, 1.0]
    assert float(out.theta[1].norm()) < 1e-6
    assert out.fits.tolist() == [True, True]


def test_an_epoch_visits_every_row_once_in_an_order_of_its_own():
    seen = []
    run(
        lambda theta, _, rows: (seen.append(rows), theta)[1],
        samples=12,
        batch_size=4,
        max_steps=6,
        done=never,
    )
    epochs = torch.cat(seen, -1).view(2, 2, 12)
    assert bool((epochs.sort(-1).values == torch.arange(12)).all())
    assert not torch.equal(epochs[0, 0], epochs[0, 1])
    assert not torch.equal(epochs[0, 0], epochs[1, 0])


def test_the_clock_ends_it_too():
    assert run(done=never, max_seconds=1e-9).status == (wall_limit(1e-9),) * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, "momentum"),
        ({"batch_size": 11}, "at most the 10 samples"),
        ({"step_size": math.nan}, "step_size"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        run(**options)
