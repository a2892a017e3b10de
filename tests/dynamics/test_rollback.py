import pytest
import torch

from ibcore.dynamics.rollback import descend_with_rollback
from ibcore.dynamics.trajectory import REACHED, step_limit, wall_limit
from ibcore.losses import Exponential, Logistic
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput

PROBLEM = planted_margin(12, 4, 0.5, torch.Generator().manual_seed(0))
MODEL, START = Linear(PROBLEM.signed), torch.zeros(2, 4, dtype=torch.float64)


HARD = Linear(torch.tensor([[1.0, 0.2], [-0.9, 0.2]]).double())


def test_levels_are_met_in_the_max_margin_direction():
    start = torch.zeros(2, 2, dtype=torch.float64)
    run = descend_with_rollback(
        HARD, Logistic(), start, log_loss=[-5.0, -50.0], max_steps=3000
    )
    assert run.status == (REACHED,) * 2
    assert bool((run.log_loss <= torch.tensor([[-5.0], [-50.0]])).all())
    best = max_margin(HARD.inputs, torch.ones(2)).primal
    assert bool((sin_angle(run.theta[1], best) < 0.1).all())
    assert bool((run.rejected > 0).all())
    assert torch.equal(run.steps + run.rejected, run.evaluations)


def test_the_first_step_is_the_gradient_over_the_loss():
    run = descend_with_rollback(
        MODEL, Exponential(), START, log_loss=[-1e-9], multiplier=0.01
    )
    torch.testing.assert_close(run.theta[0, 0], 0.01 * PROBLEM.signed.mean(0))
    assert run.steps.tolist() == [1, 1]


def test_a_step_that_raises_the_loss_is_taken_back():
    start = torch.zeros(1, 2, dtype=torch.float64)
    run = descend_with_rollback(
        HARD, Exponential(), start, log_loss=[-1e-3], multiplier=1e3, shrink=10.0
    )
    assert bool((run.rejected >= 1).all())
    assert bool((run.log_loss < 0).all())


def test_limits_are_told():
    assert (
        descend_with_rollback(
            MODEL, Logistic(), START, log_loss=[-1e4], max_steps=3
        ).status
        == (step_limit(3),) * 2
    )
    assert (
        descend_with_rollback(
            MODEL, Logistic(), START, log_loss=[-1e4], max_seconds=1e-9
        ).status
        == (wall_limit(1e-9),) * 2
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_loss": []}, "falling"),
        ({"log_loss": [-2.0, -1.0]}, "falling"),
        ({"log_loss": [-1.0], "grow": 1.0}, "above 1"),
        ({"log_loss": [-1.0], "multiplier": 0.0}, "multiplier"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        descend_with_rollback(MODEL, Logistic(), START, **options)


def test_a_run_that_is_done_stands_still_while_others_go_on():
    start = torch.stack([START[0], 3 * PROBLEM.teacher])
    both = descend_with_rollback(MODEL, Logistic(), start, log_loss=[-5.0, -9.0])
    for member in range(2):
        alone = descend_with_rollback(
            MODEL, Logistic(), start[member : member + 1], log_loss=[-5.0, -9.0]
        )
        assert int(both.steps[member]) == int(alone.steps[0])
        assert int(both.rejected[member]) == int(alone.rejected[0])
        torch.testing.assert_close(both.theta[:, member], alone.theta[:, 0])
    assert int(both.steps[0]) != int(both.steps[1])
