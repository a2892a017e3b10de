import math

import pytest
import torch

from ibcore.oracles.matrix_margin import DUAL, matrix_max_margin, matrix_norm
from ibcore.oracles.multiclass import multiclass_max_margin
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.problems.separable import planted_margin
from ibcore.problems.several_classes import planted_classes
from ibcore.validation import InvalidInput, NotSeparable

PROBLEM = planted_classes(9, 5, 3, 0.4, torch.Generator().manual_seed(4))


def solve(norm, X=PROBLEM.X, y=PROBLEM.y, count=3):
    return matrix_max_margin(X, y, count, norm)


def test_the_frobenius_norm_is_the_support_vector_machine():
    other = multiclass_max_margin(PROBLEM.X, PROBLEM.y, 3)
    found = solve("Frobenius")
    assert found.margin == pytest.approx(other.margin, rel=1e-7)
    torch.testing.assert_close(
        found.primal.flatten(), other.primal, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("norm", "p", "factor"),
    [
        ("spectral", 2, math.sqrt(2)),
        ("Frobenius", 2, math.sqrt(2)),
        ("nuclear", 2, math.sqrt(2)),
        ("max", math.inf, 2.0),
        ("sum", 1, 1.0),
    ],
)
def test_two_classes_are_a_vector(norm, p, factor):
    """With rows v and -v the margin is 2 v.x; the norms are those of v up to factors."""
    data = planted_margin(8, 4, 0.3, torch.Generator().manual_seed(5))
    classes = (data.y < 0).long()
    found = matrix_max_margin(data.X, classes, 2, norm)
    expected = norm_max_margin(data.X, data.y, p).margin
    assert found.margin == pytest.approx(factor * expected, rel=1e-6)


@pytest.mark.parametrize("norm", DUAL)
def test_both_solutions_are_feasible_and_agree(norm):
    found = solve(norm)
    least = (PROBLEM.pairs @ found.primal.flatten()).min()
    assert float(least) == pytest.approx(1, abs=1e-9)
    pulled = (found.dual @ PROBLEM.pairs).unflatten(0, (3, -1))
    assert float(matrix_norm(pulled, DUAL[norm])) == pytest.approx(1, abs=1e-9)
    assert float(found.dual.sum()) == pytest.approx(1 / found.margin, rel=1e-6)
    assert 0 <= found.gap < 1e-7


@pytest.mark.parametrize("norm", ["spectral", "max"])
@pytest.mark.parametrize("scale", [1e-6, 1e5])
def test_a_factor_of_the_inputs_is_one_of_the_margin(norm, scale):
    found = solve(norm, X=scale * PROBLEM.X)
    assert found.margin == pytest.approx(scale * solve(norm).margin, rel=1e-6)


def test_norms_of_a_diagonal_matrix():
    W = torch.diag(torch.tensor([3.0, -4.0])).double()
    expected = {"spectral": 4, "nuclear": 7, "Frobenius": 5, "max": 4, "sum": 7}
    assert {norm: float(matrix_norm(W, norm)) for norm in DUAL} == pytest.approx(
        expected
    )


def test_wrong_input_is_refused():
    with pytest.raises(InvalidInput, match="norm"):
        solve("l_2")
    with pytest.raises(InvalidInput, match="rows"):
        solve("max", y=PROBLEM.y[:-1])
    with pytest.raises(NotSeparable):
        solve("max", X=torch.ones(9, 5).double())
