import math

import pytest
import torch

from ibcore.oracles.basis_pursuit import (
    basis_pursuit,
    excess_bound,
    excess_near,
    leading_excess,
    quasi_norm_interpolant,
)
from ibcore.oracles.q_alpha import q_alpha_minimizer, start_scale
from ibcore.problems.sparse_regression import runners_up, sparse_regression
from ibcore.validation import InvalidInput


def _problem(n=15, d=40, k=3, seed=0):
    return sparse_regression(n, d, k, torch.Generator().manual_seed(seed))


def test_a_sparse_truth_is_recovered_with_a_certificate():
    data = _problem()
    found = basis_pursuit(data.X, data.y)
    torch.testing.assert_close(found.primal, data.truth, rtol=1e-10, atol=1e-12)
    values = found.dual @ data.X
    torch.testing.assert_close(
        values[found.support], data.truth.sign()[found.support], rtol=1e-8, atol=0
    )
    assert float(values[~found.support].abs().max()) == pytest.approx(
        1 - found.slack, rel=1e-8
    )
    assert max(found.gap, found.residual) < 1e-10


def test_one_equation_in_closed_form():
    data = runners_up(5, 0.3)
    found = basis_pursuit(2 * data.X, data.y)
    torch.testing.assert_close(found.primal, data.truth / 2)
    assert found.slack == pytest.approx(0.3)
    assert found.norm == pytest.approx(0.5)


def test_linear_program_and_enumeration_agree():
    for seed in range(5):
        data = _problem(3, 8, 8, seed)
        found = basis_pursuit(data.X, data.y)
        torch.testing.assert_close(
            quasi_norm_interpolant(data.X, data.y, 1.0),
            found.primal,
            rtol=1e-8,
            atol=1e-10,
        )
        for power in (2 / 3, 1 / 2):
            other = quasi_norm_interpolant(data.X, data.y, power)
            torch.testing.assert_close(data.X @ other, data.y)
            assert (
                float(other.abs().pow(power).sum())
                <= float(found.primal.abs().pow(power).sum()) + 1e-12
            )


def test_excess_by_duality_is_the_excess():
    data = _problem()
    found = basis_pursuit(data.X, data.y)
    beta = torch.stack(
        [q_alpha_minimizer(data.X, data.y, alpha).primal for alpha in (0.01, 0.1, 1.0)]
    )
    expected = beta.abs().sum(-1) / found.norm - 1
    torch.testing.assert_close(
        excess_near(found, data.X, beta), expected, rtol=1e-8, atol=1e-13
    )


def test_the_bound_holds_and_is_of_logarithmic_order():
    data = _problem(seed=4)
    found = basis_pursuit(data.X, data.y)
    for alpha in (0.1, 1e-3, 1e-6):
        beta = q_alpha_minimizer(data.X, data.y, alpha).primal
        assert float(excess_near(found, data.X, beta)) <= excess_bound(
            found, start_scale(alpha)
        )
    assert excess_bound(found, 1e-40) == pytest.approx(
        excess_bound(found, 1e-80) * 2, rel=0.1
    )
    assert excess_bound(found, 10.0) == math.inf


@pytest.mark.parametrize(("depth", "alpha"), [(3, 1e-4), (4, 0.01)])
def test_the_leading_excess_of_one_equation(depth, alpha):
    data = runners_up(4, 0.5)
    found = basis_pursuit(data.X, data.y)
    p = depth / (depth - 2)
    assert leading_excess(found, data.X, depth) == pytest.approx(
        3 * (2**p - 1.5**-p) / 2
    )
    beta = q_alpha_minimizer(data.X, data.y, alpha, depth).primal
    measured = float(excess_near(found, data.X, beta)) / alpha**depth
    assert measured == pytest.approx(leading_excess(found, data.X, depth), rel=2e-3)


def test_bad_input_is_refused():
    data = _problem()
    with pytest.raises(InvalidInput, match="fewer nonzero"):
        leading_excess(basis_pursuit(data.X, data.y), data.X, 3)
    with pytest.raises(InvalidInput, match="depth is 2"):
        leading_excess(basis_pursuit(data.X, data.y), data.X, 2)
    with pytest.raises(InvalidInput, match="supports"):
        quasi_norm_interpolant(data.X, data.y, 0.5)
    with pytest.raises(InvalidInput, match="power"):
        quasi_norm_interpolant(data.X, data.y, 2.0)
    with pytest.raises(InvalidInput, match="no solution"):
        basis_pursuit(
            torch.tensor([[1.0, 0.0], [1.0, 0.0]]).double(),
            torch.tensor([0.0, 1.0]).double(),
        )
