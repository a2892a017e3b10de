"""Batches given beforehand: every member sees its own, for as long as they last."""

import math

import pytest
import torch

from ibcore.dynamics import paces
from ibcore.dynamics.batches import prescribed
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.validation import InvalidInput
from tests.cases import least_squares


def train(rows, members, steps):
    objective, start = least_squares(1)
    many = Objective(objective.model, Square(), objective.targets[0])
    return descend(
        many,
        start.expand(members, -1),
        paces.constant(0.01),
        steps=[steps],
        batches=prescribed(rows),
        max_seconds=math.inf,
    ).last


def test_each_member_takes_its_own_rows():
    rows = torch.tensor([[[0, 1], [2, 3]], [[2, 3], [0, 1]]])
    both = train(rows, 2, 2)
    alone = train(rows[:, 0], 1, 2)
    torch.testing.assert_close(both[:1], alone, rtol=0, atol=1e-15)
    assert float((both[0] - both[1]).norm()) > 1e-6


def test_a_step_without_rows_is_refused():
    with pytest.raises(InvalidInput, match="2 steps"):
        train(torch.tensor([[0], [1]]), 1, 3)
    with pytest.raises(InvalidInput, match="2 members"):
        train(torch.zeros(1, 2, 1, dtype=torch.int64), 3, 1)
    with pytest.raises(InvalidInput, match="expected"):
        prescribed(torch.tensor([1, 2]))
