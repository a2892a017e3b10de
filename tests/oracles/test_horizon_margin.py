import math

import pytest
import torch

from ibcore.oracles.horizon_margin import (
    cosh_gap,
    hypentropy_gap,
    hypentropy_value,
    own_certificate,
)
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.problems.separable import planted_margin


def number(value):
    return torch.tensor(value, dtype=torch.float64)


def test_one_weight_and_one_example_need_no_correction():
    """w x with d = n = 1: 1 / |w| is what is left of the bound."""
    assert float(cosh_gap(number(2.0), number(10.0), 1, 1)) == pytest.approx(0.1)


def test_the_value_of_zero_weights_is_their_number():
    w = torch.zeros(2, 3).double()
    assert hypentropy_value(w).tolist() == [3, 3]
    assert float(hypentropy_value(number([3e8]))) == pytest.approx(3e8)


def test_the_hypentropy_bound_falls_like_one_over_the_logarithm():
    gaps = [
        float(hypentropy_gap(number(1.0), number(20.0), number(late), number(3.0), 8))
        for late in (1e6, 1e12, 1e24)
    ]
    assert gaps[0] < 0.4
    assert gaps[1] / gaps[0] == pytest.approx(0.5, abs=0.06)
    assert gaps[2] / gaps[1] == pytest.approx(0.5, abs=0.03)


def test_what_was_reached_is_kept():
    """A ratio of 0.9 at the early time bounds the gap at every later one."""
    found = hypentropy_gap(number(1.0), number(10.0), number(11.0), number(9.0), 8)
    assert float(found) <= 0.1 + 1e-12
    nothing = hypentropy_gap(number(1.0), number(10.0), number(11.0), number(-1.0), 8)
    assert math.isnan(float(nothing))


def test_the_certificate_of_the_optimum_is_zero_and_of_others_above_the_gap():
    data = planted_margin(6, 8, 0.2, torch.Generator().manual_seed(2))
    best = norm_max_margin(data.X, data.y, math.inf)
    pull = (data.signed.T @ best.dual).abs().sum()
    size = best.primal.abs().max()
    exact = own_certificate(number(1.0), size, best.dual, pull)
    assert float(exact) == pytest.approx(0, abs=1e-8)
    other = torch.ones(6).double()
    loose = own_certificate(
        number(1.0), size, other, (data.signed.T @ other).abs().sum()
    )
    assert float(loose) > 0
