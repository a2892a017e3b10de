"""Separability in the units of rows and columns, against rational arithmetic."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.separability import (
    is_separable,
    nonseparable_limit,
    separable_part,
)
from ibcore.oracles.separation import separate
from ibcore.validation import InvalidInput, NotSeparable
from tests.oracles.rational import dot, length, nearest, small_integers

FEW = settings(max_examples=25, derandomize=True, deadline=None)
UNITS = st.integers(-12, 12).map(lambda k: 10.0**k)
SEEDS = st.integers(0, 10_000)


def answer(X, y):
    try:
        return "separable" if is_separable(X, y) else "inseparable"
    except InvalidInput as refusal:
        return re.search("not resolved", str(refusal)).group()


@settings(FEW, max_examples=150)
@given(small_integers(), st.data())
def test_separability_is_that_of_exact_arithmetic_in_every_binary_unit(data, more):
    X, y = data
    power = st.integers(-40, 40).map(lambda k: 2.0**k)
    rows = more.draw(st.lists(power, min_size=len(X), max_size=len(X)))
    columns = more.draw(st.lists(power, min_size=X.shape[1], max_size=X.shape[1]))
    expected = length(nearest(X, y)[1]) > 0
    assert is_separable(np.array(rows)[:, None] * X * columns, y) == expected
    part = separable_part(X, y).separable if X.any() else None
    assert part is None or bool(part.all()) == expected


@settings(FEW, max_examples=100)
@given(small_integers(), st.data())
def test_separability_in_decimal_units_is_never_the_opposite(data, more):
    """Where the entries are rounded anew, degenerate contradictions may be unresolved,
    separable data stay so.
    """
    X, y = data
    rows = more.draw(st.lists(UNITS, min_size=len(X), max_size=len(X)))
    columns = more.draw(st.lists(UNITS, min_size=X.shape[1], max_size=X.shape[1]))
    scaled = np.array(rows)[:, None] * X * columns
    if length(nearest(X, y)[1]) > 0:
        assert is_separable(scaled, y)
        return
    assert answer(scaled, y) in ("inseparable", "not resolved")


@FEW
@given(SEEDS, st.lists(UNITS, min_size=4, max_size=4), st.booleans())
def test_overlap_in_general_position_is_certified_in_every_unit(seed, columns, rows):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(40, 4)), rng.choice([-1.0, 1.0], 40)
    scaled = X * columns * (10.0 ** rng.integers(-12, 13, 40)[:, None] if rows else 1)
    expected = is_separable(X, y)
    assert is_separable(scaled, y) == expected
    assert bool(separable_part(scaled, y).separable.all()) == expected


@settings(FEW, max_examples=100)
@given(small_integers())
def test_either_answer_carries_its_proof(data):
    X, y = data
    found = separate(y[:, None] * X)
    rows = [[Fraction(float(v)) for v in row] for row in y[:, None] * X]
    assert (found.direction is None) != (found.weights is None)
    if found.direction is not None:
        w = [Fraction(v) for v in found.direction.tolist()]
        assert all(dot(row, w) > 0 for row in rows)
        return
    weights = [Fraction(v) for v in found.weights.tolist()]
    assert min(weights) >= 0
    assert max(weights) > 0
    for column in zip(*rows, strict=True):
        sizes = [abs(v) for v in column]
        assert abs(dot(column, weights)) <= Fraction(1e-14) * dot(sizes, weights)


@FEW
@given(st.floats(-12, 12).map(lambda k: 10.0**k))
def test_one_column_in_any_unit(unit):
    X = np.array([[2.0, 1.0], [1.0, 3.0], [-1.0, -2.0], [-3.0, 0.5]])
    assert is_separable(X * [1, unit], [1, 1, -1, -1])
    assert not is_separable(X * [1, unit], [1, 1, 1, 1])


def test_derived_columns_hide_no_overlap():
    """Standardized dummies add up to a constant only to rounding: neither answer may
    hang on that.
    """
    rng = np.random.default_rng(3)
    dummies = np.eye(5)[rng.integers(0, 5, 300)]
    X = np.c_[
        (dummies - dummies.mean(0)) / dummies.std(0),
        rng.normal(size=(300, 4)),
        np.ones(300),
    ]
    assert not is_separable(X, rng.choice([-1, 1], 300))
    assert is_separable(X, np.sign(X @ rng.normal(size=10)))


def test_what_rounding_decides_is_called_unresolved():
    now = 1.7e9
    with pytest.raises(InvalidInput, match="not resolved") as refusal:
        max_margin([[now, 1.0], [now + 2**-22, 1.0]], [-1, 1])
    assert not isinstance(refusal.value, NotSeparable)
    with pytest.raises(InvalidInput, match="not resolved"):
        is_separable([[1.0, 1.0], [1.0, 1.0 + 2**-52]], [1, -1])
    with pytest.raises(NotSeparable, match="2 of 2 points"):
        max_margin([[now, 1.0], [now, 1.0]], [-1, 1])


@settings(FEW, max_examples=10)
@given(st.lists(UNITS, min_size=5, max_size=5))
def test_the_finite_part_of_the_limit_in_other_units_of_the_columns(columns):
    data = load_iris()
    X, y = np.c_[data.data[50:], np.ones(100)], np.where(data.target[50:] == 2, 1, -1)
    w = nonseparable_limit(X * columns, y).minimizer.numpy() * columns
    np.testing.assert_allclose(
        w, [-2.4652, -6.6809, 9.4294, 18.2861, -42.6378], atol=1e-4
    )


@settings(FEW, max_examples=10)
@given(st.lists(UNITS, min_size=2, max_size=2))
def test_quasi_separation_in_other_units(columns):
    X = np.c_[np.ones(11), np.r_[np.ones(5), np.zeros(6)]] * columns
    limit = nonseparable_limit(X, [1] * 5 + [1, 1, 1, 1, -1, -1])
    assert limit.separable.tolist() == [True] * 5 + [False] * 6
    assert float(limit.minimizer[0]) * columns[0] == pytest.approx(math.log(2))


@pytest.mark.parametrize("large", [1e9, 1e15, 1e30])
def test_a_row_alone_in_a_large_unit_hides_no_column(large):
    """Without the third row's unit the data are small integers, and separable."""
    X = np.array([[0.0, 1, 0], [0, -1, 1], [0, 0, large]])
    assert is_separable(X, -np.ones(3))
    assert is_separable(X.T, -np.ones(3)) == is_separable(
        X.T / [1, 1, large], -np.ones(3)
    )
