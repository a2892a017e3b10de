"""Equations in other units have the same solutions and the same errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import lstsq

from ibcore.oracles.equations import (
    backward_error,
    equations,
    failures_in_words,
    independent,
    independent_rows,
    power_of_two,
    powers_of_two,
    refuse_dependent_rows,
    single_targets,
    within,
)
from ibcore.validation import InvalidInput


def draw(n=3, d=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=n)


@pytest.mark.parametrize(
    ("size", "power"),
    [(0.0, 1.0), (0.3, 0.5), (0.5, 1.0), (1.0, 2.0), (5.0, 8.0), (1.7e308, 2.0**1023)],
)
def test_powers_of_two_lie_above(size, power):
    assert power_of_two(size) == power
    values = np.array([[size, -size / 4], [0.0, 0.0]])
    assert powers_of_two(values, axis=1).tolist() == [power, 1.0]


def test_what_is_not_known_is_not_within():
    assert within(1.0, 0.5, 1.0)
    assert not within(1.0, 0.5, 1.1)
    assert not within(1.0, 0.5, math.nan)


@pytest.mark.parametrize("units", [1.0, 1e-6, 1e9])
def test_solutions_and_multipliers_are_those_of_the_given_equations(units):
    X, y = draw()
    rows = np.array([units, 1.0, 3.0])
    X, y = X * rows[:, None], 5 * y * rows
    system = equations(X, y)
    w = lstsq(system.rows, system.targets)[0] * system.size
    np.testing.assert_allclose(X @ w, y, rtol=1e-12)
    nu = np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(X.T @ system.given(nu), system.rows.T @ nu, rtol=1e-12)
    assert 0.5 <= np.abs(system.targets).max() < 1
    largest = np.abs(system.rows).max(1)
    assert ((largest >= 0.5) & (largest < 1)).all()


def test_single_columns_in_other_units_are_scaled_with_their_rows():
    X, y = draw()
    units = 2.0 ** np.array([0, 40, 0, -40, 0])
    system, plain = equations(X * units, y), equations(X, y)
    assert np.ptp(np.log2(system.lengths / plain.lengths)) <= 2


def test_the_error_of_a_solution_by_hand():
    """Of 2 w_1 + w_2 = 3 and w_1 - w_2 = 1 at w = (1, 2): |4 - 3| / 7 and |-1 - 1| / 4."""
    rows, targets = np.array([[2.0, 1.0], [1.0, -1.0]]), np.array([3.0, 1.0])
    assert backward_error(rows, targets, np.array([1.0, 2.0])) == 0.5
    assert backward_error(rows, targets, np.array([4 / 3, 1 / 3])) < 1e-15
    assert backward_error(0 * rows, 0 * targets, np.array([1.0, 2.0])) == 0


def test_no_units_change_the_error():
    X, y = draw()
    w = np.arange(5.0) - 2
    rows, columns = np.array([1e8, 1e-4, 1.0]), np.array([1e-9, 1, 1, 1e5, 1])
    found = backward_error(X * rows[:, None] * columns, y * rows, w / columns)
    assert found == pytest.approx(backward_error(X, y, w))


def test_dependent_rows_are_told_in_any_units():
    X, _ = draw()
    dependent = np.vstack([X[:2], X[0] - 2 * X[1]])
    for units in (1.0, np.array([1.0, 1e9, 1e-9, 1, 1])):
        assert independent_rows(X * units)
        assert not independent_rows(dependent * units)
    assert not independent_rows(np.vstack([X, X[:, ::-1]]))
    refuse_dependent_rows(X)
    with pytest.raises(InvalidInput, match="dependent"):
        refuse_dependent_rows(dependent)


def test_equations_that_others_imply_are_left_out():
    X, y = draw()
    X, y = np.vstack([X, X[0] - 2 * X[1]]), np.append(y, y[0] - 2 * y[1])
    system = equations(X, y)
    kept = independent(system)
    assert kept.rows.shape == (3, 5)
    w = lstsq(kept.rows, kept.targets)[0] * system.size
    np.testing.assert_allclose(X @ w, y, rtol=1e-10)
    nu = np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(system.rows.T @ (kept.back @ nu), kept.rows.T @ nu)
    whole = independent(equations(X[:3], y[:3]))
    assert np.array_equal(whole.back, np.eye(3))
    y[3] += 1e-3
    with pytest.raises(InvalidInput, match="no solution"):
        independent(equations(X, y))


def test_what_cannot_serve_is_refused():
    X, y = draw()
    rows, targets = single_targets(X, y)
    assert np.array_equal(rows, X)
    assert np.array_equal(targets, y)
    with pytest.raises(InvalidInput, match="one target a row"):
        single_targets(X, np.stack([y, y], 1))
    for error in (np.linalg.LinAlgError, FloatingPointError, RuntimeError):
        with (
            pytest.raises(InvalidInput, match="resolve the solution"),
            failures_in_words("the solution"),
        ):
            raise error("rounding")


def test_units_of_rows_and_columns_are_told_apart_where_entries_are_zero():
    """Half of the entries are one, the others zero: the mean of a row says nothing of
    its unit before that of its columns is known.
    """
    n = 6
    rng = np.random.default_rng(3)
    base = (rng.random((n, n + 2)) < 0.6).astype(float)
    rows, columns = (2.0 ** rng.integers(-20, 20, size) for size in (n, n + 2))
    given = base * rows[:, None] * columns
    system = equations(given, np.ones(n))
    even = system.rows / columns
    sizes = np.abs(even).max(1)
    assert np.ptp(np.log2(sizes)) <= 2
    assert independent_rows(given)


def test_what_the_equations_are_divided_by_are_powers_of_two():
    X, y = draw()
    columns = np.array([1e-9, 1.0, 3e7, 1.0, 1e-3])
    system = equations(X * columns, y)
    assert (np.frexp(system.lengths)[0] == 0.5).all()
    np.testing.assert_array_equal(system.rows * system.lengths[:, None], X * columns)


def test_as_many_independent_rows_as_columns_are_independent():
    square = np.random.default_rng(5).normal(size=(4, 4))
    assert independent_rows(square)
    assert independent_rows(np.eye(3))
    assert not independent_rows(np.vstack([square, np.ones(4)]))
    square[3] = square[:3].sum(0)
    assert not independent_rows(square)


def test_equations_that_say_nothing_are_left_out():
    X, _ = draw()
    nothing = independent(equations(0 * X, np.zeros(3)))
    assert nothing.rows.shape == (0, 5)
    assert nothing.targets.shape == (0,)
    again = independent(equations(np.vstack([X, X]), np.zeros(6)))
    assert again.rows.shape == (3, 5)
    assert not again.targets.any()


def test_sizes_of_columns_are_kept_where_they_differ():
    X, y = draw()
    assert (independent(equations(X, y)).columns == 1).all()
    units = 2.0 ** np.array([0, 60, 0, -60, 0])
    found = independent(equations(X * units, y))
    assert np.ptp(np.log2(found.columns / units)) <= 4
