import math

import pytest
import torch

from ibcore.oracles.cross_entropy_margin import cross_entropy_margin_bound


def bound(lengths, *, gamma=0.5, radius=1.0, n=4, log_loss=-8.0, norm=20.0):
    numbers = [
        torch.tensor(one, dtype=torch.float64)
        for one in (gamma, radius, lengths, log_loss, norm)
    ]
    return float(cross_entropy_margin_bound(*numbers[:3], n, *numbers[3:]))


def test_without_steps_it_is_the_margin_that_the_loss_forces():
    """n L >= log(1 + e^-m), with equality if one example has all of the loss."""
    m, n = 6.0, 4
    log_loss = math.log(math.log1p(math.exp(-m)) / n)
    assert bound([], n=n, log_loss=log_loss, norm=3.0) == pytest.approx(m / 3)


def test_one_short_step_by_hand():
    mass = 4 * math.exp(-8.0)
    log_loss = -8.0 - 0.1 * 0.5 * (1 - math.exp(-mass)) / mass + 0.1**2 / 2
    expected = -math.log(math.expm1(4 * math.exp(log_loss))) / 20.1
    assert bound([0.1]) == pytest.approx(expected)


def test_many_short_steps_force_the_largest_margin():
    """sum s = 100 and sum s^2 = 2: gamma 100 - 1 + 8 - log n over 120."""
    found = bound([0.02] * 5000)
    assert found == pytest.approx((50 - 1 + 8 - math.log(4)) / 120, rel=1e-3)


def test_it_says_nothing_of_a_large_loss_and_of_long_steps():
    assert bound([], log_loss=1.0) <= 0 + 1e-12
    assert bound([10.0] * 3) <= 0 + 1e-12
