import math

import pytest
import torch

from ibcore.measures.frequencies import power_shares


@pytest.mark.parametrize("p", [5, 6, 7])
def test_a_cosine_has_one_frequency(p):
    places = 2 * math.pi * torch.arange(p) / p
    for k in range(1, p // 2 + 1):
        shares = power_shares(torch.cos(k * places + 0.3).double())
        expected = torch.zeros(p // 2 + 1, dtype=torch.float64)
        expected[k] = 1
        torch.testing.assert_close(shares, expected, atol=1e-7, rtol=0)


def test_shares_add_up_and_a_constant_is_frequency_zero():
    draw = torch.randn(3, 7, generator=torch.Generator().manual_seed(1600102))
    torch.testing.assert_close(power_shares(draw).sum(-1), torch.ones(3))
    assert power_shares(torch.ones(5)).tolist()[0] == 1
    assert bool(power_shares(torch.zeros(5)).isnan().all())
