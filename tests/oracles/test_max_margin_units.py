"""Oracles of margins in the units of their data: laws under scalings, exact answers
under other changes.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from ibcore.oracles.fourier_margin import fourier_max_margin
from ibcore.oracles.max_margin import certify, max_margin
from ibcore.oracles.multiclass import multiclass_max_margin
from ibcore.oracles.neural_agreement import agreement_limit
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.oracles.quasi_norm import quasi_norm_minimizers
from ibcore.oracles.regularization_path import regularization_path, tail_limit
from ibcore.oracles.support_vectors import distinctness, offset_at_loss
from ibcore.oracles.variation_norm import gated_norm, variation_margin
from ibcore.oracles.woodworth import woodworth_max_margin
from ibcore.problems.plane import four_clusters
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput, NotSeparable
from tests.oracles.rational import dot, length, nearest, small_integers

FEW = settings(max_examples=25, derandomize=True, deadline=None)
UNITS = st.integers(-12, 12).map(lambda k: 10.0**k)
SEEDS = st.integers(0, 10_000)


def matches(best, X, y, rel=1e-9):
    """Margin, direction and support against the exact ones."""
    weights, point = nearest(X, y)
    assert best.margin == pytest.approx(length(point), rel=rel)
    w = np.array([float(v / dot(point, point)) for v in point])
    assert np.linalg.norm(best.primal.numpy() - w) <= rel * np.linalg.norm(w)
    assert best.support.nonzero()[:, 0].tolist() == sorted(weights)


@settings(FEW, max_examples=60)
@given(small_integers(), UNITS)
def test_max_margin_of_small_integers_is_exact_in_every_unit(data, unit):
    X, y = data
    weights, point = nearest(X, y)
    if not length(point):
        with pytest.raises(InvalidInput):
            max_margin(X * unit, y)
        return
    best = max_margin(X * unit, y)
    assert best.margin == pytest.approx(unit * length(point), rel=1e-12)
    w = np.array([float(v / dot(point, point)) for v in point])
    np.testing.assert_allclose(best.primal.numpy() * unit, w, rtol=1e-11, atol=1e-13)
    assert best.gap < 1e-13
    assert set(weights) <= set(np.flatnonzero(X.any(1)))
    signed = y[:, None] * X * unit
    np.testing.assert_allclose(
        signed.T @ best.dual.numpy() * unit, w, rtol=1e-11, atol=1e-13
    )


@FEW
@given(st.sampled_from([1.0, 2000.0, 1e5, 1e6]), SEEDS)
def test_an_offset_and_a_bias_are_exact(offset, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 50, 12).astype(float)
    cut = np.median(np.unique(x)) + 0.25
    X, y = np.c_[offset + x, np.ones(12)], np.where(x > cut, 1, -1)
    matches_margin(X, y)


def matches_margin(X, y, rel=1e-9):
    best, (_, point) = max_margin(X, y), nearest(X, y)
    assert best.margin == pytest.approx(length(point), rel=rel)
    assert max(best.gap, best.violation) < 1e-8


@FEW
@given(SEEDS, st.integers(-8, 8))
def test_one_column_in_another_unit_is_exact(seed, k):
    rng = np.random.default_rng(seed)
    X = rng.integers(-9, 10, (8, 3)) + 0.5
    y = np.sign(X @ rng.normal(size=3))
    X[:, 1] *= 10.0**k
    matches_margin(X, y)


@FEW
@given(SEEDS)
def test_the_solution_does_not_depend_on_where_the_active_set_starts(seed):
    data = planted_margin(15, 4, 0.05, torch.Generator().manual_seed(seed))
    signed = data.signed.numpy()
    best = max_margin(data.X, data.y)
    for start in (np.zeros(15), np.random.default_rng(seed).random(15)):
        other = certify(signed, start)
        torch.testing.assert_close(other.dual, best.dual, rtol=1e-9, atol=1e-12)
        assert torch.equal(other.support, best.support)


def test_calendar_years():
    X, y = (
        np.c_[np.arange(2000.0, 2010), np.ones(10)],
        np.where(np.arange(10) > 4, 1, -1),
    )
    best = max_margin(X, y)
    matches(best, X, y)
    np.testing.assert_allclose(best.primal, [2, -4009], rtol=1e-9)
    three = multiclass_max_margin([[2018.0, 1], [2019, 1], [2020, 1]], [0, 0, 1], 2)
    assert three.margin == pytest.approx(2**0.5 / math.hypot(2, 4039), rel=1e-9)
    assert norm_max_margin(X, y, 2).margin == pytest.approx(best.margin, rel=1e-8)


def test_two_days_in_seconds():
    now, w = 1.7e9, 2 / 86400
    best = max_margin([[now, 1.0], [now + 86400, 1.0]], [-1, 1])
    assert best.margin == pytest.approx(1 / math.hypot(w, w * (now + 43200)), rel=1e-9)


def with_bias(X):
    return np.c_[X, np.ones(len(X))]


def test_support_of_raw_wine():
    data = load_wine()
    two = data.target < 2
    best = max_margin(with_bias(data.data[two]), np.where(data.target[two] == 0, 1, -1))
    assert int(best.support.sum()) == 11
    assert best.rate > 0.1
    assert max(best.gap, best.violation) < 1e-10


def test_breast_cancer_raw_and_standardized():
    data = load_breast_cancer()
    y, X = 2 * data.target - 1, data.data
    raw = max_margin(with_bias(X), y)
    assert max(raw.gap, raw.violation) < 1e-8
    best = max_margin(with_bias((X - X.mean(0)) / X.std(0)), y)
    assert int(best.support.sum()) == 29
    assert best.rate > 0.1


def test_the_first_hundred_irises():
    data = load_iris()
    X, y = with_bias(data.data[:100]), 2 * data.target[:100] - 1
    assert max_margin(X, y).margin == pytest.approx(length(nearest(X, y)[1]), rel=1e-12)


def test_the_rate_belongs_to_the_mean_loss():
    """Repeating every row leaves the mean loss, and so everything but the dual, the
    same function.
    """
    assert max_margin([[1.0], [1.0]], [1, 1]).rate == pytest.approx(1, rel=1e-12)
    for seed in range(5):
        data = planted_margin(10, 3, 0.1, torch.Generator().manual_seed(seed))
        once = max_margin(data.X, data.y)
        twice = max_margin(torch.cat([data.X] * 2), torch.cat([data.y] * 2))
        assert twice.margin == pytest.approx(once.margin, rel=1e-12)
        assert twice.rate == pytest.approx(once.rate, rel=1e-9)
        assert twice.dual_slack > 0
        assert torch.equal(twice.support, torch.cat([once.support] * 2))


def test_dependent_support_vectors_carry_the_shares_of_the_flow():
    """Rows (1, +-1, +-1): by symmetry the flow weighs all four alike, and the remainder
    falls like 1/t.
    """
    rows = np.array([[1.0, a, b] for a, b in itertools.product([1, -1], [1, -1])])
    best = max_margin(rows, np.ones(4))
    np.testing.assert_allclose(best.dual, 0.25, rtol=1e-12)
    assert best.rate == pytest.approx(1, rel=1e-12)
    skew = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.5]])
    dual = max_margin(skew, np.ones(3)).dual.numpy()
    z = -np.log(dual)  # alpha_i = exp(-a_i.v): z is affine in the second coordinate
    assert (z[2] - z[1]) / 1.5 == pytest.approx((z[0] - z[1]) / 2, rel=1e-9)


def test_four_rows_with_collinear_columns_and_a_repeated_row():
    X = [[1.0, 0, 1], [1, 0, 1], [1, 2, 1], [1, 1, 1]]
    best = max_margin(X, [1, 1, -1, -1])
    np.testing.assert_allclose(best.primal, [0.5, -2, 0.5], rtol=1e-12)


def test_columns_of_zeros_and_repeated_columns_change_nothing():
    data = planted_margin(12, 3, 0.2, torch.Generator().manual_seed(1))
    X, y = data.X.numpy(), data.y
    wide = np.c_[X, np.zeros(12), X[:, :1]]
    half = np.c_[X[:, 0] * 2**0.5, X[:, 1:]]
    assert max_margin(wide, y).margin == pytest.approx(max_margin(half, y).margin)
    for p in (1, 1.5, math.inf):
        assert norm_max_margin(np.c_[X, np.zeros(12)], y, p).margin == pytest.approx(
            norm_max_margin(X, y, p).margin, rel=1e-7
        )
    few = quasi_norm_minimizers(data.signed.numpy(), 0.5).values[0]
    more = quasi_norm_minimizers(y.numpy()[:, None] * wide, 0.5).values[0]
    assert float(more) == pytest.approx(float(few))
    woodworth_max_margin(wide, y, 1.0)
    fourier_max_margin(wide, y)


def pair(seed):
    data = planted_margin(10, 3, 0.1, torch.Generator().manual_seed(seed))
    return data.X, data.y


def classes(X):
    return torch.arange(len(X)) % 2


OF_A_COMMON_FACTOR = {
    "norm 1": lambda X, y, s: norm_max_margin(X, y, 1).margin / s,
    "norm 1.3": lambda X, y, s: norm_max_margin(X, y, 1.3).margin / s,
    "norm infinity": lambda X, y, s: norm_max_margin(X, y, math.inf).margin / s,
    "Fourier": lambda X, y, s: fourier_max_margin(X, y).value * s,
    "agreement": lambda X, y, s: agreement_limit(X, y, 0.3).plus * s,
    "several classes": lambda X, y, s: (
        multiclass_max_margin(X, ((1 - y) / 2).long(), 2).primal * s
    ),
    "quasi-norm": lambda X, y, s: quasi_norm_minimizers(y[:, None] * X, 0.5).values * s,
    "quasi-norm's duals": lambda X, y, s: (
        quasi_norm_minimizers(y[:, None] * X, 0.5).duals * s**0.5
    ),
    "Q_1": lambda X, y, s: woodworth_max_margin(X, y, 2.0 * s).primal,
    "Q_1's dual": lambda X, y, s: woodworth_max_margin(X, y, 2.0 * s).dual * s,
    "path": lambda X, y, s: (
        regularization_path(y[:, None] * X, [1 / s, 50 / s])[1].w * s
    ),
    "tail": lambda X, y, _: (
        tail_limit(y[:, None] * X, 2.0, max_margin(X, y).primal).direction
    ),
    "distinctness": lambda X, y, _: distinctness(y[:, None] * X, max_margin(X, y).dual),
    "offset": lambda X, y, s: offset_at_loss(y[:, None] * X, max_margin(X, y).dual) * s,
    "rate": lambda X, y, s: max_margin(X, y).rate + 0 * s,
}


@pytest.mark.parametrize("name", OF_A_COMMON_FACTOR)
@settings(FEW, max_examples=6)
@given(UNITS, st.integers(0, 20))
def test_a_common_factor_of_the_data(name, unit, seed):
    X, y = pair(seed)
    law = OF_A_COMMON_FACTOR[name]
    one, other = (np.asarray(law(s * X, y, s)) for s in (1.0, unit))
    np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-7 * np.abs(one).max())


@settings(FEW, max_examples=6)
@given(UNITS)
def test_networks_in_the_plane_in_every_unit(unit):
    data = four_clusters(1, torch.Generator().manual_seed(2))
    one, other = (variation_margin(s * data.X, data.y) for s in (1.0, unit))
    assert other.margin / unit == pytest.approx(one.margin, rel=1e-6)
    assert other.rate(unit * data.X, data.y) == pytest.approx(
        one.rate(data.X, data.y), abs=1e-5
    )
    assert gated_norm(unit * data.X, data.y) * unit == pytest.approx(one.norm, rel=1e-6)


@settings(FEW, max_examples=10)
@given(st.integers(-12, 12))
def test_ratios_of_the_diagonal_network_have_a_certificate_over_all_their_range(k):
    X, y = pair(3)
    best = woodworth_max_margin(X, y, 10.0**k)
    assert max(best.gap, best.violation) < 1e-8
    pull = (y[:, None] * X).T @ best.dual
    torch.testing.assert_close(best.primal, 2 * torch.sinh(pull), rtol=1e-9, atol=0)


def test_a_path_through_inseparable_rows_is_refused():
    with pytest.raises(NotSeparable, match="2 of 2 points"):
        regularization_path([[1.0, 0.0], [-1.0, 0.0]], [1.0])


def test_a_path_beyond_double_precision_is_refused():
    X, y = pair(1)
    with pytest.raises(InvalidInput, match=r"not resolved.*smaller radii"):
        regularization_path(y[:, None] * X, [1e14])
