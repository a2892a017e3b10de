import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.norm_margin import conjugate, norm_max_margin
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput, NotSeparable

ORDERS = [1, 1.1, 1.37, 2, 3, 10, math.inf]
SHAPES = [(10, 10), (30, 5), (8, 20), (12, 2)]


def problem(seed):
    return planted_margin(*SHAPES[seed % 4], 0.1, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("seed", range(4))
def test_certificate(seed, p):
    data = problem(seed)
    solution = norm_max_margin(data.X, data.y, p)
    signed = data.signed.numpy()
    assert abs(solution.gap) <= 1e-8
    assert solution.violation <= 1e-12
    assert float(solution.dual.min()) >= 0
    assert np.linalg.norm(signed.T @ solution.dual.numpy(), conjugate(p)) <= 1 + 1e-12
    assert (signed @ solution.primal.numpy()).min() >= 1 - 1e-12
    assert solution.margin == pytest.approx(1 / np.linalg.norm(solution.primal, p))


@pytest.mark.parametrize("p", [1.1, 1.37, 3, 10])
@pytest.mark.parametrize("seed", range(4))
def test_primal_and_dual_are_linked_by_the_gradient_of_the_norm(seed, p):
    data = problem(seed)
    solution = norm_max_margin(data.X, data.y, p)
    flat, steep, power = (
        solution.primal * solution.margin,
        data.signed.T @ solution.dual,
        p - 1,
    )
    if p < 2:
        flat, steep, power = steep, flat, 1 / power
    assert float((steep - flat.sign() * flat.abs() ** power).abs().max()) < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_two_is_the_support_vector_machine(seed):
    data = problem(seed)
    solution, reference = norm_max_margin(data.X, data.y, 2), max_margin(data.X, data.y)
    assert solution.margin == pytest.approx(reference.margin, rel=1e-8)
    torch.testing.assert_close(solution.primal, reference.primal, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        solution.dual, reference.dual * reference.margin, rtol=1e-4, atol=1e-5
    )


def dual_value(signed, p):
    """max sum(lambda) subject to |signed^T lambda|_q <= 1, q = infinity (p = 1) or 1 (p
    = infinity).
    """
    n, d = signed.shape
    if p == 1:
        system, bound = np.vstack([signed.T, -signed.T]), np.ones(2 * d)
        return -linprog(-np.ones(n), A_ub=system, b_ub=bound).fun
    identity = np.eye(d)
    system = np.block(
        [
            [signed.T, -identity],
            [-signed.T, -identity],
            [np.zeros((1, n)), np.ones((1, d))],
        ]
    )
    bound = np.append(np.zeros(2 * d), 1)
    return -linprog(np.append(-np.ones(n), np.zeros(d)), A_ub=system, b_ub=bound).fun


@pytest.mark.parametrize("p", [1, math.inf])
@pytest.mark.parametrize("seed", range(4))
def test_the_linear_programs_against_their_duals(seed, p):
    data = problem(seed)
    assert 1 / norm_max_margin(data.X, data.y, p).margin == pytest.approx(
        dual_value(data.signed.numpy(), p), rel=1e-9
    )


@pytest.mark.parametrize("p", ORDERS)
def test_one_point_has_its_conjugate_norm_as_margin(p):
    x = torch.tensor([[0.5, -2.0, 1.0]], dtype=torch.float64)
    solution = norm_max_margin(x, [1], p)
    assert solution.margin == pytest.approx(
        np.linalg.norm(x[0], conjugate(p)), rel=1e-8
    )
    assert float(solution.dual[0]) == pytest.approx(1 / solution.margin, rel=1e-8)


@pytest.mark.parametrize("p", ORDERS)
def test_two_points_on_the_axes(p):
    solution = norm_max_margin([[2.0, 0.0], [0.0, -0.5]], [1, -1], p)
    torch.testing.assert_close(
        solution.primal,
        torch.tensor([0.5, 2.0], dtype=torch.float64),
        rtol=1e-4,
        atol=0,
    )
    assert 1 / solution.margin == pytest.approx(np.linalg.norm([0.5, 2.0], p), rel=1e-8)


def test_scale_of_the_data_scales_the_margin():
    data = problem(2)
    plain, large = (norm_max_margin(scale * data.X, data.y, 1.3) for scale in (1, 1e4))
    assert large.margin == pytest.approx(1e4 * plain.margin, rel=1e-8)


def test_inseparable_data_are_refused():
    with pytest.raises(NotSeparable, match=r"2 of 2 points.*column of ones"):
        norm_max_margin([[1.0, 0.0], [2.0, 0.0]], [1, -1], 3)


@pytest.mark.parametrize("p", [0.5, math.nan, "2", True])
def test_no_norm_is_refused(p):
    with pytest.raises(InvalidInput, match="at least 1 or infinity"):
        norm_max_margin([[1.0]], [1], p)
