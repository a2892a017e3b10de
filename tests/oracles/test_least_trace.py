import numpy as np
import pytest
import torch

from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.models.diagonal import Diagonal
from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.oracles.least_trace import TRACE, least_trace, weights
from ibcore.problems.sparse_regression import sparse_regression
from ibcore.validation import InvalidInput


def problem(seed=0):
    return sparse_regression(15, 40, 3, torch.Generator().manual_seed(seed))


def test_a_sparse_truth_is_recovered_with_a_certificate():
    data = problem()
    found = least_trace(data.X, data.y)
    torch.testing.assert_close(found.primal, data.truth, rtol=1e-7, atol=1e-8)
    assert max(abs(found.gap), found.residual) < 1e-8
    assert float((data.X.T @ found.dual).abs().sub(found.weights).max()) < 1e-9
    assert found.trace == pytest.approx(
        8 * float((found.weights * data.truth.abs()).sum()), rel=1e-7
    )


def test_it_is_basis_pursuit_in_scaled_columns():
    data = problem(1)
    y = torch.randn(15, generator=torch.Generator().manual_seed(2)).double()
    c = weights(data.X)
    expected = basis_pursuit(data.X / c, y)
    found = least_trace(data.X, y)
    assert found.value == pytest.approx(expected.norm, rel=1e-8)
    torch.testing.assert_close(found.primal, expected.primal / c, rtol=1e-6, atol=1e-7)


def test_one_equation_is_solved_by_the_cheapest_coordinate():
    """x = (1, 2): c = (1, 4), and a unit of the target costs 1 by the first coordinate
    and 2 by the second.
    """
    found = least_trace([[1.0, 2.0]], [3.0])
    np.testing.assert_allclose(found.primal, [3, 0], atol=1e-9)
    assert found.value == pytest.approx(3)


def test_positive_coefficients_cost_no_less():
    data = problem(3)
    y = data.X @ data.truth.abs()
    free, positive = least_trace(data.X, y), least_trace(data.X, y, positive=True)
    assert float(positive.primal.min()) > -1e-9
    assert positive.value >= free.value * (1 - 1e-9)
    assert float((data.X.T @ positive.dual - positive.weights).max()) < 1e-9
    with pytest.raises(InvalidInput, match="no beta >= 0"):
        least_trace([[1.0, 2.0]], [-1.0], positive=True)


def test_it_scales_with_targets_and_inputs():
    data = problem(4)
    found = least_trace(data.X, data.y)
    scaled = least_trace(data.X * 4, data.y * 1e6)
    torch.testing.assert_close(scaled.primal, found.primal * 2.5e5, rtol=1e-6, atol=1)
    assert scaled.value == pytest.approx(found.value * 4e6, rel=1e-8)


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_the_units_of_the_inputs_do_not_matter(unit):
    data = problem(4)
    found, scaled = least_trace(data.X, data.y), least_trace(data.X * unit, data.y)
    torch.testing.assert_close(scaled.primal * unit, found.primal, rtol=1e-7, atol=1e-8)
    assert scaled.value == pytest.approx(found.value * unit, rel=1e-8)
    assert float(scaled.dual @ data.y) == pytest.approx(scaled.value, rel=1e-7)


def test_the_trace_is_that_of_the_hessian():
    data = problem(5)
    found = least_trace(data.X, data.y)
    beta = found.primal
    theta = torch.cat([beta.clamp(min=0).sqrt(), (-beta).clamp(min=0).sqrt()])[None]
    objective = Objective(Diagonal(data.X), Square(), data.y)
    product = objective.curvature(theta)
    axes = torch.eye(80, dtype=torch.float64)
    trace = sum(float(product(axis[None])[0] @ axis) for axis in axes)
    assert trace == pytest.approx(found.trace, rel=1e-10)
    assert TRACE == 8


@pytest.mark.parametrize(
    ("X", "y", "word"),
    [
        ([[1.0, 0.0]], [1.0], "column"),
        ([[1.0, 2.0]], [0.0], "y is zero"),
        ([[1.0], [1.0]], [1.0, 2.0], "fits the data"),
    ],
)
def test_what_has_no_solution_is_refused(X, y, word):
    with pytest.raises(InvalidInput, match=word):
        least_trace(X, y)
