"""Uniform bounds in numbers: their constants, and how they move with each argument."""

import math

import pytest
from scipy.integrate import quad

from ibcore.oracles.margin_bounds import frobenius_bound, spectral_bound
from ibcore.validation import InvalidInput


def test_uniform_bounds_in_numbers():
    n, chance = 200, 0.05
    rest = 3 * math.sqrt(math.log(40) / 400)
    factor = 72 * math.log(200) * math.sqrt(math.log(2 * 64**2))
    assert spectral_bound(13.0, n, 64, chance) == pytest.approx(
        8 / 200**1.5 + factor * 13 + rest
    )
    assert frobenius_bound(3.75, n, 2, chance) == pytest.approx(
        2 * (1.17741 + 0.70711) * 3.75 + rest, rel=1e-5
    )
    with pytest.raises(InvalidInput):
        spectral_bound(1.0, n, 64, 0.0)


BOUNDS = {
    "spectral": lambda leading, n, chance: spectral_bound(leading, n, 30, chance),
    "frobenius": lambda leading, n, chance: frobenius_bound(leading, n, 3, chance),
}


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_without_a_leading_term_the_deviation_of_hoeffding_is_left(bound):
    """(error / 3)^2 = log(2 / chance) / (2 n), but for 8 / n^1.5 of the integral."""
    n, chance = 10**6, 0.01
    left = bound(0.0, n, chance) / 3
    assert 2 * math.exp(-2 * n * left**2) == pytest.approx(chance, rel=1e-4)


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_a_bound_is_affine_in_its_leading_term_and_rises_with_certainty(bound):
    zero, one, two = (bound(k, 100, 0.05) for k in (0.0, 1.0, 2.0))
    assert two - one == pytest.approx(one - zero)
    assert one > zero > 0
    assert bound(1.0, 100, 0.01) > one
    assert bound(0.0, 200, 0.05) < zero


def test_the_spectral_bound_is_an_integral_of_entropy():
    """4 alpha + 12 / sqrt(n) int_alpha^1 sqrt(entropy / e^2) of Dudley, for covering
    numbers whose logarithm is log(2 W^2) (R / e)^2: R log(1/alpha) times 12 sqrt(log(2
    W^2)), at alpha = 1/n, with the factors 2 of symmetry and 3 of the theorem.
    """
    n, widest, leading = 50, 20, 0.3
    area = quad(lambda e: 1 / e, 1 / n, 1)[0]
    per_unit = 72 * math.sqrt(math.log(2 * widest**2)) * area
    rise = spectral_bound(leading, n, widest) - spectral_bound(0.0, n, widest)
    assert rise == pytest.approx(per_unit * leading)
    assert spectral_bound(0.0, n, widest) - frobenius_bound(0.0, n, 2) == pytest.approx(
        8 / n**1.5
    )


def test_depth_helps_the_factor_of_norms_and_width_hurts_the_other():
    assert frobenius_bound(1.0, 9, 4) < frobenius_bound(1.0, 9, 1)
    slope = frobenius_bound(1.0, 9, 4) - frobenius_bound(0.0, 9, 4)
    assert slope == pytest.approx(2 * math.sqrt(2 * math.log(2)) + 1)
    assert spectral_bound(1.0, 9, 20) > spectral_bound(1.0, 9, 10)


@pytest.mark.parametrize("chance", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_a_chance_that_is_none_is_refused(chance):
    for bound in BOUNDS.values():
        with pytest.raises(InvalidInput, match="chance"):
            bound(1.0, 10, chance)


def test_counts_are_counts():
    with pytest.raises(InvalidInput, match="n is 0"):
        spectral_bound(1.0, 0, 3)
    with pytest.raises(InvalidInput, match="widest"):
        spectral_bound(1.0, 3, 0)
    with pytest.raises(InvalidInput, match="depth"):
        frobenius_bound(1.0, 3, 0)
