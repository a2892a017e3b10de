import itertools

import pytest
import torch

from ibcore.problems import latin_squares as tables
from ibcore.validation import InvalidInput


def is_latin(table):
    p = len(table)
    names = torch.arange(p)
    rows, columns = table.sort(1).values, table.sort(0).values
    return bool((rows == names).all() and (columns == names[:, None]).all())


def generator(seed):
    return torch.Generator().manual_seed(1600110 + seed)


@pytest.mark.parametrize("p", [5, 7, 11])
def test_random_tables_are_latin_squares(p):
    drawn = [tables.latin_square(p, generator(seed)) for seed in range(4)]
    assert all(map(is_latin, drawn))
    assert len({tuple(table.flatten().tolist()) for table in drawn}) == 4


def test_a_group_is_one_by_any_names():
    for seed in range(5):
        names = tables.new_names(7, generator(seed))
        table = tables.renamed(tables.addition(7), names)
        assert is_latin(table)
        assert tables.is_group(table)
        one, two, three = names
        assert int(table[one[2], two[6]]) == int(three[1])


def test_all_latin_squares_of_order_four_are_two_groups_with_other_names():
    """A classical count: 576, 144 of the cyclic group and 432 of Klein's."""
    rows = list(itertools.permutations(range(4)))
    squares = [
        square
        for square in itertools.product(rows, repeat=4)
        if all(len(set(column)) == 4 for column in zip(*square, strict=True))
    ]
    assert len(squares) == 576
    assert all(tables.is_group(torch.tensor(square)) for square in squares)


@pytest.mark.parametrize("p", [5, 7])
def test_tables_of_no_group(p):
    table = tables.no_group(p, generator(9))
    assert is_latin(table)
    assert not tables.is_group(table)


def test_affine_names():
    names = torch.arange(7)
    assert tables.is_affine((3 * names + 2) % 7)
    assert not tables.is_affine(torch.tensor([1, 0, 2, 3, 4, 5, 6]))
    with pytest.raises(InvalidInput):
        tables.new_names(3, generator(0))
