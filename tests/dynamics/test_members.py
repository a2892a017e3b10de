"""Nested states are taken apart by members and joined again."""

import pytest
import torch

from ibcore.dynamics.members import joined, rows, select, where
from tests.cases import normal


def state(seed=0, count=5):
    """Tensors of several shapes, in tuples, with something that members share."""
    first, second = normal(count, seed=seed), normal(count, 2, 3, seed=seed + 1)
    return first, (second, "shared", (first > 0,)), 7


def flat(one):
    if isinstance(one, tuple):
        return [leaf for part in one for leaf in flat(part)]
    return [one]


def same(first, second):
    pairs = zip(flat(first), flat(second), strict=True)
    return all(a.equal(b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def test_parts_that_were_selected_join_to_the_whole():
    whole = state()
    members = [torch.tensor(part) for part in ([3, 0], [4], [1, 2])]
    parts = [select(whole, part) for part in members]
    numbers = [select(rows(whole), part) for part in members]
    assert same(joined(parts, numbers), whole)
    assert same(joined(parts[::-1], numbers[::-1]), whole)
    assert not same(joined(parts, [rows(part) for part in parts]), whole)


def test_a_selection_has_the_rows_that_were_asked_for():
    whole, members = state(), torch.tensor([4, 1])
    part = select(whole, members)
    assert part[0].equal(whole[0][members])
    assert part[1][0].shape == (2, 2, 3)
    assert part[1][1:2] == ("shared",)
    assert part[2] == 7


def test_chosen_members_are_new_and_the_others_old():
    new, old = state(1), state(2)
    chosen = torch.tensor([True, False, False, True, False])
    mixed = where(chosen, new, old)
    for source, members in ((new, chosen), (old, ~chosen)):
        assert same(select(mixed, members), select(source, members))
    assert same(where(torch.ones(5, dtype=torch.bool), new, old), new)
    assert same(where(torch.zeros(5, dtype=torch.bool), new, old), old)


def test_what_is_shared_comes_from_the_new_and_from_the_last():
    on = torch.tensor([True])
    assert where(on, "new", "old") == "new"
    assert joined(["first", "last"], [None, None]) == "last"
    assert rows("word") == "word"
    assert select(None, on) is None


def test_rows_are_counted_in_every_tensor():
    numbers = rows(state(count=3))
    tensors = [leaf for leaf in flat(numbers) if isinstance(leaf, torch.Tensor)]
    assert len(tensors) == 3
    assert all(leaf.tolist() == [0, 1, 2] for leaf in tensors)


def test_tuples_that_do_not_fit_are_no_states_of_one_run():
    with pytest.raises(ValueError, match="zip"):
        where(torch.tensor([True]), (torch.ones(1),), (torch.ones(1), torch.ones(1)))
