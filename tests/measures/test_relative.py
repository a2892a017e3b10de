import math

import torch

from ibcore.measures.relative import relative_distance


def test_the_expected_vector_is_the_unit():
    expected = torch.tensor([3.0, 4.0]).double()
    found = torch.stack([expected, -expected, 2 * expected, expected + math.nan])
    apart = relative_distance(found, expected)
    assert apart[:3].tolist() == [0.0, 2.0, 1.0]
    assert bool(apart[3].isnan())
    assert bool(relative_distance(expected, expected * math.nan).isnan())
