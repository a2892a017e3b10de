import torch

from ibcore.evidence import attempt
from ibcore.measures.members import column, rows


def halves(value):
    if value == 0:
        raise ArithmeticError("made up")
    return torch.tensor([value / 2, value]).double()


def test_members_that_broke_down_are_nan():
    found, broken = attempt(halves, [2, 0, 4])
    assert len(broken) == 1
    table = rows(found, 2)
    assert table[[0, 2]].tolist() == [[1.0, 2.0], [2.0, 4.0]]
    assert bool(table[1].isnan().all())
    numbers = column([0.1, found[1].size, found[0][1]])
    assert numbers.dtype == torch.float64
    assert numbers[[0, 2]].tolist() == [0.1, 2.0]
    assert bool(numbers[1].isnan())
