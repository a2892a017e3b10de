import math

import numpy as np
import pytest
import torch
from scipy.optimize import LinearConstraint, minimize

from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.oracles.woodworth import (
    stationarity_residual,
    woodworth,
    woodworth_max_margin,
)
from ibcore.problems.sparse_margin import planted_l1
from ibcore.validation import InvalidInput, NotSeparable


@pytest.fixture(scope="module")
def data():
    return planted_l1(6, 3, (0.3, 0.6, 1.0, 1.0), 0.3, torch.Generator().manual_seed(0))


def test_one_coordinate_in_closed_form():
    solution = woodworth_max_margin([[2.0]], [1.0], 6.0)
    assert float(solution.primal) == pytest.approx(3)
    assert float(solution.dual) == pytest.approx(math.asinh(1.5) / 2)


def test_the_function_by_quadrature_and_at_both_ends():
    beta = torch.tensor([[3.0, -1.0]]).double()
    grid = torch.linspace(0, 1, 20001).double()
    integral = sum(
        torch.trapezoid(torch.asinh(b * grid / (2 * 0.25)) * b, grid) for b in beta[0]
    )
    assert float(woodworth(beta, 0.5)) == pytest.approx(float(integral), rel=1e-7)
    assert float(woodworth(beta, 1e3)) == pytest.approx(10 / (4 * 1e6), rel=1e-6)
    assert float(woodworth(beta, 1e-20)) / (4 * math.log(1e40)) == pytest.approx(
        1, abs=0.02
    )


@pytest.mark.parametrize("ratio", [1e-3, 1.0, 300.0])
def test_certificate_and_a_general_solver(data, ratio):
    solution = woodworth_max_margin(data.X, data.y, ratio)
    assert solution.gap < 1e-10
    assert solution.violation < 1e-10
    rows = data.signed.numpy()
    torch.testing.assert_close(
        solution.primal, 2 * torch.sinh(solution.dual @ data.signed)
    )
    start = norm_max_margin(data.X, data.y, 2).primal.numpy() * ratio
    other = minimize(
        lambda b: float(woodworth(torch.from_numpy(b), 1.0)) / ratio,
        start,
        method="SLSQP",
        jac=lambda b: np.arcsinh(b / 2) / ratio,
        constraints=LinearConstraint(rows, lb=ratio),
        options={"maxiter": 500, "ftol": 1e-13},
    )
    assert float(woodworth(solution.primal, 1.0)) / ratio == pytest.approx(
        other.fun, rel=1e-5
    )


def test_small_ratios_give_the_l2_direction_and_large_ones_the_l1_value(data):
    small, large = (
        woodworth_max_margin(data.X, data.y, ratio).primal for ratio in (1e-4, 1e8)
    )
    l2 = norm_max_margin(data.X, data.y, 2).primal
    torch.testing.assert_close(small / small.norm(), l2 / l2.norm(), rtol=0, atol=1e-5)
    assert float(large.abs().sum()) / 1e8 == pytest.approx(
        float(data.primal.abs().sum()), rel=1e-2
    )


def test_stationarity_residual_sees_the_cone_of_the_data(data):
    weights = torch.rand(3, 6, generator=torch.Generator().manual_seed(1)).double()
    beta = 2 * 0.7**2 * torch.sinh(weights @ data.signed)
    residual, dual = stationarity_residual(
        data.signed, torch.cat([beta, -beta[:1]]), 0.7
    )
    assert float(residual[:3].max()) < 1e-12
    torch.testing.assert_close(dual[:3], weights)
    assert float(residual[3]) > 0.5


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="ratio"):
        woodworth_max_margin([[1.0]], [1.0], 0.0)
    with pytest.raises(NotSeparable):
        woodworth_max_margin([[1.0], [-1.0]], [1.0, 1.0], 1.0)


def test_a_predictor_without_numbers_has_no_residual(data):
    beta = torch.ones(2, data.X.shape[1], dtype=torch.float64)
    beta[0, 0] = math.nan
    residuals, duals = stationarity_residual(data.signed, beta, 1.0)
    assert residuals.isnan().tolist() == [True, False]
    assert duals.isnan().any(-1).tolist() == [True, False]
