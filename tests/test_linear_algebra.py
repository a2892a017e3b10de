"""Linear algebra on batches in which a member breaks down and the others do not."""

import math

import pytest
import torch

from ibcore.linear_algebra import solve, symmetric_eigen
from tests.cases import normal


def test_a_singular_member_is_nan_and_the_others_are_solved():
    matrices = torch.stack([2 * torch.eye(2), torch.zeros(2, 2)]).double()
    found = solve(matrices, torch.ones(2, 2, 1, dtype=torch.float64))
    assert found[0].flatten().tolist() == [0.5, 0.5]
    assert bool(found[1].isnan().all())


def test_a_member_that_is_not_finite_has_no_eigenvalues_and_the_others_do():
    matrices = torch.stack([torch.eye(2), torch.full((2, 2), math.inf)]).double()
    values, basis = symmetric_eigen(matrices)
    assert values[0].tolist() == [1, 1]
    assert bool(values[1].isnan().all() & basis[1].isnan().all())


def test_solutions_solve_and_eigenvectors_diagonalize():
    A, right = normal(3, 4, 4, seed=1), normal(3, 4, 2, seed=2)
    torch.testing.assert_close(A @ solve(A, right), right)
    symmetric = A + A.mT
    values, basis = symmetric_eigen(symmetric)
    assert bool((values.diff(dim=-1) >= 0).all())
    torch.testing.assert_close(basis @ torch.diag_embed(values) @ basis.mT, symmetric)
    torch.testing.assert_close(basis.mT @ basis, torch.eye(4).double().expand(3, 4, 4))


def test_a_member_on_which_the_iteration_fails_is_nan_alone(monkeypatch):
    good, bad = torch.eye(2).double(), 3 * torch.eye(2).double()
    eigh = torch.linalg.eigh

    def failing(matrix):
        if bool((matrix == 3).any()):
            raise torch.linalg.LinAlgError("no convergence")
        return eigh(matrix)

    monkeypatch.setattr(torch.linalg, "eigh", failing)
    values, basis = symmetric_eigen(torch.stack([good, bad, 2 * good]))
    assert values.isnan().all(-1).tolist() == [False, True, False]
    assert basis.isnan().flatten(1).all(-1).tolist() == [False, True, False]
    assert values[2].tolist() == [2, 2]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_entry_that_is_not_finite_takes_its_member_and_no_other(bad):
    matrices = torch.eye(3).double().repeat(2, 1, 1)
    matrices[0, 1, 2] = bad
    values, basis = symmetric_eigen(matrices)
    assert bool(values[0].isnan().all() & basis[0].isnan().all())
    assert values[1].tolist() == [1, 1, 1]
    assert matrices[0, 1, 2].isnan() == math.isnan(bad)
