import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given

from ibcore.oracles.least_interpolant import least_interpolant
from ibcore.problems.relu_turns import even_turns, turning_data
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def program(X, y):
    w = cp.Variable(X.shape[1])
    positive = y > 0
    constraints = [X[positive] @ w == y[positive], X[~positive] @ w <= 0]
    cp.Problem(cp.Minimize(cp.sum_squares(w)), constraints).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
    )
    return w.value


@pytest.mark.parametrize(("points", "features"), [(5, 3), (6, 8), (12, 5)])
def test_against_the_program_as_stated(points, features):
    rng = np.random.default_rng(points)
    X, teacher = rng.normal(size=(points, features)), rng.normal(size=features)
    y = np.maximum(X @ teacher, 0)
    found = least_interpolant(X, y)
    np.testing.assert_allclose(found.weights, program(X, y), atol=1e-6)
    assert abs(found.gap) < 1e-12
    assert found.violation < 1e-12


def test_the_turning_family_in_closed_form():
    data = turning_data(even_turns(8), reach=7.0, facing=0.4)
    found = least_interpolant(data.X, data.y)
    np.testing.assert_allclose(
        found.weights, [1, 7 * np.cos(0.4), 7 * np.sin(0.4)], atol=1e-11
    )


def test_labels_of_zero_only_are_fitted_by_zero():
    found = least_interpolant([[1.0, 2.0], [0.5, -1.0]], [0.0, 0.0])
    assert not found.weights.any()
    assert found.gap == found.violation == 0


def test_one_direction_with_positive_labels_only():
    np.testing.assert_allclose(
        least_interpolant([[3.0, 4.0]], [5.0]).weights, [0.6, 0.8], atol=1e-14
    )


def test_contradictions_and_negative_labels_are_refused():
    with pytest.raises(InvalidInput, match="no weights fit"):
        least_interpolant([[1.0, 0.0], [2.0, 0.0]], [1.0, 1.0])
    with pytest.raises(InvalidInput, match="no weights fit"):
        least_interpolant([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [1.0, 0.0])
    with pytest.raises(InvalidInput, match="labels >= 0"):
        least_interpolant([[1.0, 0.0]], [-1.0])


@few
@given(a=FACTORS, b=FACTORS, r=FACTORS)
def test_units_of_inputs_labels_and_single_points_do_not_matter(a, b, r):
    rng = np.random.default_rng(5)
    X, teacher = rng.normal(size=(6, 8)), rng.normal(size=8)
    y, row = np.maximum(X @ teacher, 0), np.array([r, 1, 1, 1, 1, r])
    base = least_interpolant(X, y)
    found = least_interpolant(a * row[:, None] * X, b * row * y)
    np.testing.assert_allclose(found.weights * (a / b), base.weights, rtol=1e-9)
    assert max(abs(found.gap), found.violation) < 1e-12


@few
@given(c=FACTORS)
def test_one_column_in_other_units_in_closed_form(c):
    """w.(1, c) = 1 alone: the least w is (1, c) / (1 + c^2), to rounding of its length."""
    found = least_interpolant([[1.0, c]], [1.0]).weights
    exact = np.array([1 / (1 + c**2), c / (1 + c**2)])
    assert np.linalg.norm(found - exact) <= 1e-15 * np.linalg.norm(exact)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_contradictions_are_told_in_every_unit(unit):
    with pytest.raises(InvalidInput, match="no weights fit the positive labels"):
        least_interpolant([[unit, 0.0], [2 * unit, 0.0]], [1.0, 1.0])
    with pytest.raises(InvalidInput, match="label 0 contradict"):
        least_interpolant([[unit, 0.0, 0.0], [unit, 0.0, 0.0]], [unit, 0.0])
    with pytest.raises(InvalidInput, match="expected \\(1,\\)"):
        least_interpolant([[unit, 0.0]], [[1.0]])
