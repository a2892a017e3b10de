import math

import numpy as np
import pytest

from ibcore.oracles.benign_overfitting import (
    effective_ranks,
    equivalent,
    power_law_noise,
)
from ibcore.oracles.double_descent import weak_features_parts
from ibcore.validation import InvalidInput


def test_equal_eigenvalues_in_closed_form():
    beta = np.zeros(100)
    beta[0] = 1.0
    found = equivalent(np.full(100, 3.0), 40, beta)
    assert found.noise == pytest.approx(40 / 60)
    assert found.penalty == pytest.approx(3.0 * 60 / 40)
    assert found.signal == pytest.approx(3.0 * 0.6)
    exact = weak_features_parts(40, 100, 1.0, 0.0, 1.0)
    assert found.noise == pytest.approx(exact.labels, rel=1 / 59)
    assert found.signal == pytest.approx(3.0 * (exact.bias + exact.inputs))


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e20])
def test_units_of_the_inputs(scale):
    spectrum = np.arange(1, 200.0) ** -2
    beta = np.linspace(0, 1, 199)
    first = equivalent(spectrum, 20, beta)
    other = equivalent(scale * spectrum, 20, beta)
    assert other.noise == pytest.approx(first.noise)
    assert other.penalty == pytest.approx(scale * first.penalty)
    assert other.signal == pytest.approx(scale * first.signal)


def test_the_penalty_solves_its_equation():
    spectrum = np.concatenate([np.ones(5), np.full(500, 1 / 500)])
    kappa = equivalent(spectrum, 50, np.zeros(505)).penalty
    assert (spectrum / (spectrum + kappa)).sum() == pytest.approx(50, rel=1e-10)


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_power_laws_tend_to_their_limit(exponent):
    gaps = []
    for n in (20, 80):
        spectrum = np.arange(1, 50 * n**2 + 1.0) ** -exponent
        cost = equivalent(spectrum, n, np.zeros(len(spectrum))).noise
        gaps.append(abs(cost - power_law_noise(exponent)))
    assert gaps[1] < 0.3 * gaps[0]
    assert gaps[1] < 0.02


def test_effective_ranks_of_a_flat_tail():
    ranks = effective_ranks(np.concatenate([np.ones(5), np.full(500, 1 / 500)]), 50)
    assert ranks.split == 5
    assert ranks.rank == pytest.approx(500)
    assert ranks.variance(50) == pytest.approx(5 / 50 + 50 / 500)


def test_effective_ranks_by_their_definition():
    spectrum, n = np.arange(1, 400.0) ** -1.5, 10
    tails = [spectrum[k:] for k in range(399)]
    k = next(k for k, tail in enumerate(tails) if tail.sum() / tail[0] >= 2 * n)
    found = effective_ranks(spectrum[::-1], n, factor=2.0)
    assert found.split == k
    assert found.rank == pytest.approx(tails[k].sum() ** 2 / (tails[k] ** 2).sum())


def test_a_spectrum_that_falls_too_fast_has_no_split():
    ranks = effective_ranks(2.0 ** -np.arange(60), 10)
    assert math.isnan(ranks.split)
    assert math.isnan(ranks.variance(10))


@pytest.mark.parametrize("spectrum", [[], [1.0, -1.0], [1.0, math.nan], [[1.0]]])
def test_what_is_no_spectrum_is_refused(spectrum):
    with pytest.raises(InvalidInput):
        effective_ranks(spectrum, 3)


def test_as_many_samples_as_features_are_refused():
    with pytest.raises(InvalidInput):
        equivalent(np.ones(5), 5, np.ones(5))
    with pytest.raises(InvalidInput):
        equivalent(np.ones(5), 3, np.ones(4))
    with pytest.raises(InvalidInput):
        power_law_noise(1.0)
