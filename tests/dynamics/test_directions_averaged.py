"""Means of iterates, and what else a direction remembers, seen at the stops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ibcore.dynamics import paces
from ibcore.dynamics.directions import Adam, Averaged, Momentum
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.losses import Square
from ibcore.models.linear import Linear


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def least_squares(members: int = 3) -> tuple[Objective, Tensor]:
    """Members with targets of their own, and starts."""
    X, y = normal(8, 4, seed=1115001), normal(members, 8, seed=1115002)
    objective = Objective(Linear(X), Square(), y, shared=False)
    return objective, normal(members, 4, seed=1115003)


def average(direction, **options):
    objective, start = least_squares()
    return descend(
        objective,
        start,
        options.pop("pace", paces.constant(0.05)),
        direction=Averaged(direction) if direction else Averaged(),
        recall={"average": Averaged.mean},
        **options,
    )


def test_the_average_on_a_quadratic_has_its_closed_form_and_counts_the_start():
    """theta <- theta / 2 from 1: the mean of the first k iterates is 2 (1 - 2^-k) / k."""

    def half(theta, _members):
        return theta.square().sum(-1) / 2, theta

    run = descend(
        FunctionObjective(half, torch.arange(2)),
        torch.ones(2, 1, dtype=torch.float64),
        paces.constant(0.5),
        steps=[0, 1, 3, 10],
        direction=Averaged(),
        recall={"average": Averaged.mean},
    )
    found = run.watched["average"][..., 0]
    assert found[0].isnan().all()
    for row, k in zip(found[1:], (1, 3, 10), strict=True):
        assert row.tolist() == pytest.approx([2 * (1 - 2.0**-k) / k] * 2)


@pytest.mark.parametrize("direction", [None, Momentum(0.7), Adam()])
def test_the_average_is_that_of_the_iterates_and_changes_none(direction):
    path = average(direction, steps=range(13))
    objective, start = least_squares()
    plain = descend(
        objective, start, paces.constant(0.05), steps=range(13), direction=direction
    )
    torch.testing.assert_close(path.theta, plain.theta, rtol=0, atol=0)
    for k in (1, 7, 12):
        torch.testing.assert_close(path.watched["average"][k], path.theta[:k].mean(0))


def test_members_that_end_take_their_average_with_them():
    objective, start = least_squares()
    first = objective.at(start).log_loss
    high, low = float(first.max()), float(first.min())
    levels = [high - 0.1, high - 0.2, low - 0.3]
    together = average(Momentum(0.5), log_loss=levels, max_steps=400)
    assert len(set(together.steps.tolist())) == 3
    for member in range(3):
        alone = descend(
            objective.select(torch.tensor([member])),
            start[member : member + 1],
            paces.constant(0.05),
            log_loss=levels,
            max_steps=400,
            direction=Averaged(Momentum(0.5)),
            recall={"average": Averaged.mean},
        )
        torch.testing.assert_close(
            together.watched["average"][:, member],
            alone.watched["average"][:, 0],
            equal_nan=True,
        )
        torch.testing.assert_close(
            Averaged.mean(together.memory)[member], Averaged.mean(alone.memory)[0]
        )


def test_a_step_that_is_undone_does_not_count():
    pace = paces.Rollback(first=1.0, grow=2.0, shrink=4.0)
    run = average(None, pace=pace, steps=range(40))
    assert (run.rejected > 0).all()
    for member in range(3):
        path = run.theta[:, member]
        moved = (path.diff(dim=0) != 0).any(-1)
        assert moved.sum() == run.steps[member] > 5
        mean = path[:-1][moved].mean(0)
        torch.testing.assert_close(run.watched["average"][-1, member], mean)
