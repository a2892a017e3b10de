"""How runs of the loop end that are given an event and no stops, or a limit."""

from __future__ import annotations

import pytest
import torch

from ibcore.dynamics import paces
from ibcore.dynamics.batches import epochs
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.trajectory import CONVERGED, step_limit, wall_limit
from ibcore.losses import Square
from ibcore.models.linear import Linear
from ibcore.validation import InvalidInput

CURVATURES = torch.tensor([1.0, 2.0, 0.01], dtype=torch.float64)


def run(until, **options):
    """theta <- (1 - 0.1 c) theta for curvatures c, from 1."""

    def values(theta, members):
        slope = CURVATURES[members, None] * theta
        return (slope * theta).sum(-1) / 2, slope

    start = torch.ones(3, 1, dtype=torch.float64)
    objective = FunctionObjective(values, torch.arange(3))
    return descend(objective, start, paces.constant(0.1), until=until, **options)


def test_an_event_ends_a_member_and_the_limit_the_others():
    out = run(lambda point: point.theta[:, 0] < 0.5, max_steps=20)
    assert out.status == (CONVERGED, CONVERGED, step_limit(20))
    assert out.steps.tolist() == [7, 4, 20]
    assert out.last[:, 0].tolist() == pytest.approx([0.9**7, 0.8**4, 0.999**20])
    assert out.theta.shape == (0, 3, 1)


def test_a_member_whose_event_came_before_the_start_takes_no_step():
    out = run(lambda point: torch.ones(len(point.theta)).bool())
    assert out.status == (CONVERGED,) * 3
    assert out.steps.tolist() == [0, 0, 0]
    assert out.last.tolist() == [[1.0]] * 3


def test_an_event_is_asked_for_when_it_is_said():
    asked = []

    def until(point):
        asked.append(len(point.theta))
        return point.theta[:, 0] < 0.5

    out = run(until, ask_every=5, max_steps=12)
    assert asked == [3, 3, 2]
    assert out.steps.tolist() == [10, 5, 12]


def test_asking_once_an_epoch_draws_what_asking_at_every_step_draws():
    """The event is seen on all examples, whatever a step sees."""
    X = torch.randn(6, 8, generator=torch.Generator().manual_seed(1115006)).double()
    objective = Objective(Linear(X), Square(), X[:, 0])
    sizes = []

    def until(point):
        sizes.append(point.outputs.shape[-1])
        return point.residuals.norm(dim=-1) < 1e-6

    once, always = (
        descend(
            objective,
            torch.zeros(2, 8, dtype=torch.float64),
            paces.constant(0.02),
            batches=epochs(2, torch.Generator().manual_seed(1115007)),
            until=until,
            ask_every=every,
        )
        for every in (3, 1)
    )
    assert set(once.status) == set(always.status) == {CONVERGED}
    assert set(sizes) == {6}
    assert (once.steps % 3 == 0).all()
    assert ((once.steps - always.steps) >= 0).all()
    assert ((once.steps - always.steps) < 3).all()


def test_the_clock_ends_all_that_still_run():
    out = run(lambda point: point.theta[:, 0] > 2, max_seconds=1e-9)
    assert out.status == (wall_limit(1e-9),) * 3


def test_an_event_that_is_never_asked_for_is_refused():
    with pytest.raises(InvalidInput, match="ask_every"):
        run(lambda point: point.theta[:, 0] < 0.5, ask_every=0)
