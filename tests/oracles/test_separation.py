"""Either a direction or weights, each checked by hand or in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from ibcore.oracles.separation import (
    Whitened,
    _difference,
    _rank_modulo,
    _two_product,
    _without_common_part,
    balanced,
    factors_to_unit_size,
    opposing_weights,
    separate,
    whitened,
)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_factors_bring_sizes_between_a_half_and_one():
    sizes = np.array([0.0, 0.3, 1.0, 6.0])
    assert factors_to_unit_size(sizes).tolist() == [1.0, 2.0, 0.5, 0.125]


@pytest.mark.parametrize("units", [1.0, 1e-9, 1e9])
def test_a_direction_separates_in_any_units(units):
    A = np.array([[1.0, 0.1], [1.0, -0.1], [2.0, 0.3]]) * np.array([units, 1.0])
    found = separate(A)
    assert found.weights is None
    assert found.residual == 0
    assert (A @ found.direction > 0).all()


@pytest.mark.parametrize("units", [1.0, 1e-9, 1e9])
def test_weights_combine_the_rows_to_zero_in_any_units(units):
    """Of (1, 0), (-1, 1), (-1, -1) the only ones are a multiple of (2, 1, 1)."""
    A = np.array([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])
    found = separate(A * np.array([units, 1.0]))
    assert found.direction is None
    assert found.residual < 1e-14
    np.testing.assert_allclose(found.weights / found.weights[1], [2, 1, 1])
    pull = np.abs(A.T @ found.weights) / (np.abs(A).T @ found.weights)
    assert found.residual == pytest.approx(pull.max(), abs=1e-15)


def test_a_row_of_zeros_is_its_own_certificate():
    found = separate(np.array([[1.0, 2.0], [0.0, 0.0]]))
    assert found.direction is None
    assert found.weights.tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(4))
def test_a_column_that_is_a_rounded_sum_of_others_can_separate(seed):
    """The errors of the sum, 1e-16 of its size, have the signs of no other combination."""
    X = normal(40, 3, seed=seed)
    total = X.sum(1)
    A = np.column_stack([X, total + 2**-46 * np.abs(total).max()])
    found = separate(A)
    assert found.weights is None
    exact = [Fraction(v) for v in found.direction.tolist()]
    for row in A.tolist():
        assert sum(Fraction(a) * v for a, v in zip(row, exact, strict=True)) > 0


def test_scaling_is_exact_and_leaves_entries_of_size_one():
    A = normal(6, 3) * np.array([1e-12, 1.0, 1e7])
    B, rows, columns = balanced(A)
    assert np.array_equal(B, A * columns * rows[:, None])
    assert (np.abs(B).max(1) >= 0.5).all()
    assert (np.abs(B).max(1) < 1).all()


def test_whitened_rows_are_those_of_an_orthonormal_basis():
    B = normal(6, 3)
    B = np.column_stack([B, B[:, 0] + B[:, 1]])
    white = whitened(B)
    assert (len(white.pivots), len(white.others)) == (3, 1)
    np.testing.assert_allclose(np.linalg.norm(white.rows, axis=1), 1)
    basis = white.lengths[:, None] * white.rows
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(basis @ white.triangle, B[:, white.pivots])
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(B @ white.direction(v), basis @ v, atol=1e-12)


def test_products_with_their_rounding_errors_are_exact():
    a, b = normal(50), normal(50, seed=1)
    product, error = _two_product(a, b)
    for one in zip(a, b, product, error, strict=True):
        first, second, rounded, rest = map(Fraction, one)
        assert first * second == rounded + rest


def test_differences_have_twice_the_precision():
    """Of sums that cancel to a part in 1e16 all digits of what is left are right."""
    basis, share = normal(20, 3), normal(3, 2, seed=1)
    target = basis @ share
    found = _difference(target, basis, share)
    for i in range(20):
        for j in range(2):
            products = (Fraction(basis[i, k]) * Fraction(share[k, j]) for k in range(3))
            exact = float(Fraction(target[i, j]) - sum(products))
            assert found[i, j] == pytest.approx(exact, rel=1e-12, abs=1e-30)


@pytest.mark.parametrize("unit", [1.0, 2.0**-40, 2.0**40])
@pytest.mark.parametrize(("rest", "left"), [(2.0**-70, True), (2.0**-90, False)])
def test_what_others_leave_of_a_column_does_not_depend_on_its_unit(unit, rest, left):
    B = unit * np.array([[1.0, 1.0], [0.0, rest]])
    first, second = np.array([0]), np.array([1])
    white = Whitened(np.ones((2, 1)), np.ones(2), first, second, np.ones((1, 1)))
    C, change = _without_common_part(B, white)
    assert bool(C[:, 1].any()) is left
    assert C[:, 1].tolist() == [0, 0.5 if left else 0]
    y = np.array([2.0**40 / unit, 2.0])
    if left:
        np.testing.assert_allclose(B @ change(y), C @ y, rtol=1e-14)


def test_opposing_weights_are_the_shortest_combination():
    """Of (1, 1) and (1, -1) it is half of each, up to the soft constraint on the sum."""
    weights = opposing_weights(np.array([[1.0, 1.0], [1.0, -1.0]]))
    np.testing.assert_allclose(weights, [0.25, 0.25])


@pytest.mark.parametrize(
    ("rows", "rank"),
    [
        ([[1.0, 2.0], [2.0, 4.0]], 1),
        ([[1.0, 2.0], [2.0, 4.5]], 2),
        ([[0.0, 0.25], [3.0, 0.0], [6.0, 1.0]], 2),
        ([[0.0, 0.0]], 0),
        ([[0.1, 0.2], [0.3, 0.6000000000000001]], 2),
    ],
)
def test_ranks_in_exact_arithmetic(rows, rank):
    assert _rank_modulo(np.array(rows), 2147483647) == rank
