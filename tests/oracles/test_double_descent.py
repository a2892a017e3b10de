import math

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy.stats import beta

from ibcore.oracles.double_descent import (
    bias_errors,
    weak_features_parts,
    weak_features_risk,
    weak_features_spread,
)
from ibcore.problems.weak_features import prescient
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def test_risk_without_features_is_the_variance_of_a_label():
    assert weak_features_risk(40, 0, 0.0, 1.0, 0.25) == 1.25


def test_risk_is_infinite_around_the_threshold_only():
    infinite = [
        p for p in range(100) if math.isinf(weak_features_risk(40, p, 0.5, 0.5, 0.1))
    ]
    assert infinite == [39, 40, 41]


def test_known_values():
    """Equally weak features, D=100, n=40, sigma=1/2."""
    risk = [
        weak_features_risk(40, p, p / 100, 1 - p / 100, 0.25) for p in (10, 20, 60, 100)
    ]
    assert risk == pytest.approx([1.547, 2.155, 2.218, 1.019], abs=5e-4)


def test_noiseless_and_complete_regression_is_exact():
    assert weak_features_risk(40, 20, 1.0, 0.0, 0.0) == 0


def test_without_noise_only_the_unseen_directions_cost():
    assert weak_features_risk(40, 160, 1.0, 0.0, 0.0) == pytest.approx(0.75)


def test_without_anything_to_amplify_there_is_no_peak():
    assert weak_features_risk(40, 40, 1.0, 0.0, 0.0) == 0
    assert weak_features_risk(40, 39, 1.0, 0.0, 0.0) == 0
    assert weak_features_risk(40, 41, 1.0, 0.0, 0.0) == pytest.approx(1 / 41)
    assert weak_features_spread(40, 39, 1.0, 0.0, 0.0) == 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_without_features_the_risk_is_the_variance_of_a_label_however_few_the_samples(
    n,
):
    assert weak_features_risk(n, 0, 0.0, 1.0, 0.25) == 1.25
    assert weak_features_spread(n, 0, 0.0, 1.0, 0.25) == 0


@pytest.mark.parametrize("n", [1, 2, 7])
def test_without_noise_every_number_of_features_has_the_risk_of_a_random_projection(n):
    """At v = 0 the risk is |b - P b|^2 for the projection P on the row space, at and
    beside p = n as elsewhere.
    """
    repetitions = 4000
    generator = torch.Generator().manual_seed(1104100 + n)
    for p in range(1, n + 5):
        Z = torch.randn(repetitions, n, p, generator=generator, dtype=torch.float64)
        rows = torch.linalg.svd(Z, full_matrices=False).Vh
        unseen = 1 - rows[..., 0].square().sum(-1)
        spread = weak_features_spread(n, p, 1.0, 0.0, 0.0)
        risk = weak_features_risk(n, p, 1.0, 0.0, 0.0)
        bar = 6 * spread / math.sqrt(repetitions) + 1e-12
        assert abs(float(unseen.mean()) - risk) <= bar, p
        assert float(unseen.std()) == pytest.approx(spread, rel=0.12, abs=1e-12), p


@pytest.mark.parametrize(("p", "signal"), [(8, 0.0), (30, 0.6), (55, 0.7), (120, 1.0)])
def test_spread_agrees_with_sampling(p, signal):
    n, repetitions = 40, 4000 if p < 40 else 2000
    generator = torch.Generator().manual_seed(p)
    Z = torch.randn(repetitions, n, p, generator=generator, dtype=torch.float64)
    v = 1 - signal + 0.1
    inverse = torch.linalg.inv(Z.mT @ Z if p < n else Z @ Z.mT)
    risk = v * (1 + inverse.diagonal(dim1=-2, dim2=-1).sum(-1))
    if p > n:
        seen = (inverse @ Z[..., :1]).mul(Z[..., :1]).sum((-2, -1))
        risk = risk + signal * (1 - seen)
    expected = weak_features_spread(n, p, signal, 1 - signal, 0.1)
    assert float(risk.std()) == pytest.approx(expected, rel=0.12)
    mean = weak_features_risk(n, p, signal, 1 - signal, 0.1)
    assert float(risk.mean()) == pytest.approx(
        mean, abs=5 * expected / math.sqrt(repetitions)
    )


def test_spread_is_infinite_where_the_second_moment_is():
    assert [
        p
        for p in range(20, 60)
        if math.isinf(weak_features_spread(40, p, 1.0, 0.0, 0.1))
    ] == list(range(37, 44))


@pytest.mark.parametrize(
    "energies", [(-1.0, 0.0, 0.0), (0.0, math.nan, 0.0), (0.0, 0.0, math.inf)]
)
def test_energies_must_be_finite_and_nonnegative(energies):
    with pytest.raises(InvalidInput, match="expected finite numbers"):
        weak_features_risk(40, 10, *energies)


def test_counts_must_be_counts():
    with pytest.raises(InvalidInput, match="samples is 0"):
        weak_features_risk(0, 1, 1.0, 0.0, 0.0)
    with pytest.raises(InvalidInput, match="used is -1"):
        weak_features_spread(10, -1, 1.0, 0.0, 0.0)


@few
@given(factor=FACTORS)
def test_risk_and_spread_are_proportional_to_the_energies(factor):
    for p in (8, 60):
        for law in (weak_features_risk, weak_features_spread):
            scaled = law(40, p, 0.4 * factor, 0.6 * factor, 0.1 * factor)
            assert scaled / factor == pytest.approx(law(40, p, 0.4, 0.6, 0.1))


def test_prescient_features_fall_like_their_reciprocal_ranks():
    beta = prescient(5, noise=0.0).beta
    torch.testing.assert_close(beta / beta[0], 1 / torch.arange(1, 6).double())


@pytest.mark.parametrize("used", [0, 1, 20, 38, 42, 60, 100])
def test_parts_add_up_to_the_risk(used):
    energies = (used / 100, 1 - used / 100, 0.25)
    parts = weak_features_parts(40, used, *energies)
    assert parts.total == pytest.approx(weak_features_risk(40, used, *energies))
    assert parts.noise == 0.25


def test_parts_of_known_values():
    """All of 100 features: bias 0.6^2, inputs 0.4 * 0.6, labels 40/59 of the noise."""
    parts = weak_features_parts(40, 100, 1.0, 0.0, 0.25)
    assert parts.bias == pytest.approx(0.36)
    assert parts.inputs == pytest.approx(0.24)
    assert parts.labels == pytest.approx(0.25 * 40 / 59)


def test_only_the_labels_have_a_peak():
    parts = weak_features_parts(40, 40, 0.4, 0.6, 0.25)
    assert (parts.bias, parts.inputs) == (0.6, 0.0)
    assert parts.labels == math.inf


def test_errors_of_the_bias_fall_with_the_draws():
    first, more = bias_errors(40, 60, 1000), bias_errors(40, 60, 4000)
    assert more == pytest.approx([error / 2 for error in first], rel=0.05)
    with pytest.raises(InvalidInput):
        bias_errors(40, 40, 1000)


@pytest.mark.parametrize(("n", "p"), [(4, 5), (5, 7), (40, 60), (3, 90)])
def test_errors_of_the_bias_are_those_of_the_covariance_of_a_random_projection(n, p):
    """x = b.P b has the law Beta(n/2, (p-n)/2); the rest of the energy of P b lies
    evenly across b. The estimates move with x by -2 (1 - x) and 1 - 2 x.
    """
    law, s = beta(n / 2, (p - n) / 2), n / p
    assert law.mean() == pytest.approx(s)
    along = law.var()
    across = (s - s**2 - along) / (p - 1)
    C = np.diag([along] + [across] * (p - 1))
    for draws in (2, 10, 10**9):
        halves = 4 * np.trace(C @ C) / draws**2
        slopes = np.array([2 * (1 - s), 1 - 2 * s])
        expected = np.sqrt(slopes**2 * along / draws + halves)
        assert bias_errors(n, p, draws) == pytest.approx(expected.tolist())


@pytest.mark.parametrize(("k", "gap"), [(1, 5), (3, 4), (20, 17)])
def test_the_spread_without_signal_is_that_of_the_trace_of_an_inverse_wishart(k, gap):
    """For k = 1 it is that of 1 / chi^2 with 1 + gap degrees of freedom, in general
    from the covariances of the entries (von Rosen 1988).
    """
    nu = k + gap
    one = 2 / ((nu - k - 1) ** 2 * (nu - k - 3))
    two = 2 / ((nu - k) * (nu - k - 1) ** 2 * (nu - k - 3))
    variance = k * one + k * (k - 1) * two
    for n, p in ((nu, k), (k, nu)):
        found = weak_features_spread(n, p, 0.0, 0.0, 2.0)
        assert found == pytest.approx(2 * math.sqrt(variance))
    if k == 1:
        chi = [1 / (nu - 2), 1 / ((nu - 2) * (nu - 4))]
        assert variance == pytest.approx(chi[1] - chi[0] ** 2)


@pytest.mark.parametrize(("n", "p"), [(1, 2), (4, 9)])
def test_the_spread_without_noise_is_that_of_the_part_outside_of_a_subspace(n, p):
    found = weak_features_spread(n, p, 3.0, 0.0, 0.0)
    assert found == pytest.approx(3 * beta((p - n) / 2, n / 2).std())
    assert weak_features_spread(n, n, 3.0, 0.0, 0.0) == 0
    assert weak_features_spread(n, 0, 0.0, 3.0, 0.0) == 0


def test_one_feature_can_be_at_the_threshold():
    assert weak_features_spread(2, 1, 0.5, 0.5, 0.0) == math.inf
    assert weak_features_risk(1, 1, 0.5, 0.5, 0.0) == math.inf


def test_without_features_all_of_the_signal_is_bias():
    parts = weak_features_parts(10, 0, 0.0, 2.0, 0.5)
    assert (parts.bias, parts.inputs, parts.labels, parts.noise) == (2, 0, 0, 0.5)


def test_fewer_features_than_samples_leave_no_variance_from_inputs():
    parts = weak_features_parts(40, 5, 0.3, 0.7, 0.1)
    assert (parts.bias, parts.inputs) == (pytest.approx(0.7), 0)
    assert parts.labels == pytest.approx(0.8 * 5 / 34)


def test_two_repetitions_have_a_covariance_and_one_has_none():
    assert min(bias_errors(4, 8, 2)) > 0
    with pytest.raises(InvalidInput, match="repetitions"):
        bias_errors(4, 8, 1)
