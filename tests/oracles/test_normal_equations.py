"""Newton's equations of a separable dual against the matrix that is never formed."""

from __future__ import annotations

import numpy as np
import pytest

from ibcore.oracles.normal_equations import normal_solution


@pytest.fixture
def system():
    generator = np.random.default_rng(5)
    return (
        generator.normal(size=(4, 9)),
        generator.uniform(0.5, 2, size=9),
        generator.normal(size=4),
    )


def test_it_solves_the_equations(system):
    A, weights, right = system
    found = normal_solution(A, weights, right)
    assert np.abs((A * weights) @ A.T @ found - right).max() < 1e-12


def test_the_unit_of_the_weights_scales_the_solution(system):
    A, weights, right = system
    found = normal_solution(A, 1e-200 * weights, right)
    assert np.allclose(
        1e-200 * found, normal_solution(A, weights, right), rtol=1e-12, atol=0
    )


def test_directions_that_no_weight_supports_are_left_out(system):
    """Three weights are positive: the solution is that of least norm among those that
    move the primal alike.
    """
    A, weights, right = system
    weights[3:] = 0
    found = normal_solution(A, weights, right)
    matrix = (A * weights) @ A.T
    assert np.allclose(found, np.linalg.pinv(matrix, hermitian=True) @ right, rtol=1e-8)


def test_more_rows_than_columns_have_the_solution_of_least_norm():
    generator = np.random.default_rng(6)
    A, weights = generator.normal(size=(5, 3)), generator.uniform(0.5, 2, size=3)
    matrix = (A * weights) @ A.T
    right = matrix @ generator.normal(size=5)
    found = normal_solution(A, weights, right)
    assert np.allclose(found, np.linalg.pinv(matrix, hermitian=True) @ right, rtol=1e-8)
