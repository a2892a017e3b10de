"""Members of a batch that begin, stop and end at different places."""

from __future__ import annotations

import pytest
import torch

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.log_time_batch import _near
from ibcore.dynamics.trajectory import PASSED, REACHED, step_limit, wall_limit
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.validation import InvalidInput

ONE = Linear(torch.ones(1, 1).double())  # log L = -theta, exactly
LAST = torch.tensor([10.0]).double()


def run(*starts, **options):
    theta = torch.tensor(starts, dtype=torch.float64)[:, None]
    return flow(ONE, Exponential(), theta, **{"log_loss": [-10.0], **options})


def test_a_start_on_its_stop_up_to_the_landing_stays_there():
    edge = float(LAST + _near(LAST, 1e-10))
    beside = float(LAST - _near(LAST, 1e-10))
    found = run(edge, beside, 10.0, 9.0)
    assert found.status == (REACHED,) * 4
    assert found.steps[:3].tolist() == [0, 0, 0]
    assert int(found.steps[3]) > 0
    assert found.theta[0, :3, 0].tolist() == [edge, beside, 10.0]
    assert float(found.theta[0, 3, 0]) == pytest.approx(10, rel=1e-9)
    alone = run(edge)
    assert alone.status == (REACHED,)


def test_a_start_beyond_its_stop_is_told():
    beyond = float(LAST + 1.01 * _near(LAST, 1e-10))
    found = run(beyond, 9.0)
    assert found.status == (PASSED, REACHED)
    with pytest.raises(InvalidInput, match="log"):
        run(beyond, 11.0)


@pytest.mark.parametrize(
    ("target", "landing", "near"),
    [(10.0, 1e-3, 1e-2), (0.5, 1e-3, 1e-3), (-10.0, 1e-3, 1e-2)],
)
def test_a_landing_is_relative_to_stops_above_one(target, landing, near):
    found = _near(torch.tensor([target]).double(), landing)
    assert float(found) == pytest.approx(near)
    finest = _near(torch.tensor([4.0]).double(), 0.0)
    assert float(finest) == pytest.approx(4 * 32 * torch.finfo(torch.float64).eps)


def test_limits_end_those_who_are_still_under_way():
    found = run(10.0, 0.0, max_steps=3)
    assert found.status == (REACHED, step_limit(3))
    assert bool(found.theta[0, 1].isnan().all())
    assert int((found.steps + found.rejected)[1]) == 3
    found = run(10.0, 0.0, max_seconds=1e-9)
    assert found.status == (REACHED, wall_limit(1e-9))


def test_members_are_followed_as_if_they_were_alone():
    """One margin: exp(theta) - exp(theta_0) = t, at every member's own pace."""
    starts = [-3.0, 0.0, 4.0]
    together = run(*starts, log_loss=[-5.0, -100.0], tolerance=1e-10)
    begun = torch.tensor(starts).double()
    for level, log_time in zip((5.0, 100.0), together.log_time, strict=True):
        exact = level + torch.log1p(-torch.exp(begun - level))
        torch.testing.assert_close(log_time, exact, rtol=1e-8, atol=1e-8)


def ends(unit, method, level):
    rows = unit * torch.tensor([[1.0, 0.5], [0.7, -0.3], [0.9, 1.2]]).double()
    start = torch.zeros(1, 2).double()
    return flow(Linear(rows), Exponential(), start, log_loss=[level], method=method)


@pytest.mark.parametrize("unit", [2.0**-6, 1.0, 2.0**6])
def test_steps_are_explicit_until_they_are_not_stable_in_any_unit(unit):
    """Where the loss has fallen little the work is that of the explicit method; far
    out it is a small part of it. Stability is a matter of h times the curvature, which
    no unit of the inputs changes.
    """
    near, plain = ends(unit, "auto", -0.5), ends(unit, "explicit", -0.5)
    assert near.evaluations.equal(plain.evaluations)
    torch.testing.assert_close(near.theta, plain.theta, rtol=0, atol=0)
    far, plain = ends(unit, "auto", -600.0), ends(unit, "explicit", -600.0)
    assert int(far.evaluations) < int(plain.evaluations) / 2
    torch.testing.assert_close(far.theta, plain.theta, rtol=1e-4, atol=0)
