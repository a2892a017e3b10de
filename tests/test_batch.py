"""Rows of data that members share, or that each member has of its own."""

import pytest
import torch

from ibcore.batch import rows_of
from tests.cases import normal

MANY = torch.tensor([[0, 3], [2, 2], [4, 1]])


@pytest.mark.parametrize("more", [(), (2,)])
@pytest.mark.parametrize("shared", [True, False])
def test_every_member_gets_the_rows_it_asked_for(shared, more):
    data = normal(*([5] if shared else [3, 5]), *more, seed=1)
    found = rows_of(data, MANY, shared=shared)
    assert found.shape == (3, 2, *more)
    for b in range(3):
        for k in range(2):
            source = data if shared else data[b]
            assert found[b, k].equal(source[MANY[b, k]])


def test_one_choice_for_all_members():
    rows = torch.tensor([4, 0])
    shared, own = normal(5, 2, seed=2), normal(3, 5, 2, seed=3)
    assert rows_of(shared, rows, shared=True).equal(shared[[4, 0]])
    assert rows_of(own, rows, shared=False).equal(
        torch.stack([member[[4, 0]] for member in own])
    )
