import cvxpy as cp
import numpy as np
import pytest
import torch

from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.multiclass import multiclass_max_margin, pair_rows
from ibcore.problems.several_classes import planted_classes
from ibcore.validation import InvalidInput, NotSeparable


def problem(seed, n=20, d=4, count=3):
    return planted_classes(n, d, count, 0.2, torch.Generator().manual_seed(seed))


def test_two_classes_share_the_binary_solution():
    """With K = 2 the optimum is w_0 = -w_1 = w_hat / 2."""
    data = problem(0, n=12, d=3, count=2)
    both = multiclass_max_margin(data.X, data.y, 2)
    binary = max_margin(data.X, 1 - 2 * data.y)
    torch.testing.assert_close(
        both.primal,
        torch.cat([binary.primal, -binary.primal]) / 2,
        rtol=1e-9,
        atol=1e-10,
    )
    torch.testing.assert_close(both.dual, binary.dual / 2, rtol=1e-8, atol=1e-10)


def test_three_unit_vectors():
    """For x_k = e_k in class k, w_k = e_k - mean scaled to margin 1: (e_k - 1/3) by
    symmetry.
    """
    solution = multiclass_max_margin(torch.eye(3).double(), torch.arange(3), 3)
    expected = (torch.eye(3).double() - 1 / 3).flatten()
    torch.testing.assert_close(solution.primal, expected, rtol=0, atol=1e-12)
    assert float(solution.dual.std()) < 1e-12


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_certificate_and_zero_sum(seed):
    data = problem(seed)
    solution = multiclass_max_margin(data.X, data.y, 3)
    assert solution.gap < 1e-12
    assert solution.violation < 1e-12
    rows = pair_rows(data.X.numpy(), data.y.numpy(), 3)
    np.testing.assert_array_equal(rows, data.pairs.numpy())
    np.testing.assert_allclose(
        rows.T @ solution.dual.numpy(), solution.primal.numpy(), atol=1e-12
    )
    assert float(solution.primal.unflatten(0, (3, -1)).sum(0).abs().max()) < 1e-12


def test_the_plain_program_agrees():
    data = problem(4)
    v = cp.Variable(12)
    cp.Problem(cp.Minimize(cp.sum_squares(v)), [data.pairs.numpy() @ v >= 1]).solve(
        solver=cp.CLARABEL
    )
    np.testing.assert_allclose(
        multiclass_max_margin(data.X, data.y, 3).primal.numpy(), v.value, atol=1e-6
    )


def test_bad_input_is_refused():
    X = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(NotSeparable, match="no linear rule"):
        multiclass_max_margin(X, torch.tensor([0, 1]), 2)
    with pytest.raises(InvalidInput, match="integers from 0 to 1"):
        multiclass_max_margin(X, torch.tensor([0, 2]), 2)
    with pytest.raises(InvalidInput, match="integers from 0 to 1"):
        multiclass_max_margin(X, torch.tensor([0.0, 1.0]), 2)
