import numpy as np
import pytest
import torch
from hypothesis import given

from ibcore.oracles import nuclear_minimization
from ibcore.oracles.nuclear_minimization import (
    minimum_nuclear_norm,
    nuclear_completion,
    nuclear_program,
)
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def gaussian(seed, *shape):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def completion(size, rank, share, seed):
    truth = gaussian(seed, size, rank) @ gaussian(seed + 1, rank, size) / size**0.5
    seen = torch.randperm(size * size, generator=torch.Generator().manual_seed(seed))[
        : round(share * size * size)
    ]
    return truth, seen // size, seen % size


def test_no_more_systems_are_solved_than_the_limit_allows(monkeypatch):
    solve, solved = nuclear_minimization.newton_step, []

    def counted(*arguments):
        solved.append(arguments)
        return solve(*arguments)

    monkeypatch.setattr(nuclear_minimization, "newton_step", counted)
    monkeypatch.setattr(nuclear_minimization, "_LIMIT", 5)
    truth, rows, columns = completion(20, 2, 0.45, 3)
    with pytest.raises(InvalidInput, match="gap"):
        nuclear_completion(rows, columns, truth[rows, columns], (20, 20))
    assert len(solved) == 5


@pytest.mark.parametrize("share", [0.35, 0.45, 0.6])
def test_the_gap_of_a_completion_is_certified(share):
    truth, rows, columns = completion(20, 2, share, 3)
    found = nuclear_completion(rows, columns, truth[rows, columns], (20, 20))
    assert found.gap < 1e-10
    assert found.residual == 0
    assert found.iterations < 80
    dense = torch.zeros(20, 20, dtype=torch.float64)
    dense[rows, columns] = found.dual
    assert float(torch.linalg.matrix_norm(dense, 2)) <= 1 + 1e-12
    assert float(torch.linalg.matrix_norm(found.matrix, "nuc")) == pytest.approx(
        found.value, rel=1e-12
    )
    assert found.value <= float(torch.linalg.matrix_norm(truth, "nuc")) * (1 + 1e-10)


def test_enough_observations_recover_the_matrix():
    truth, rows, columns = completion(12, 1, 0.8, 5)
    found = nuclear_completion(rows, columns, truth[rows, columns], (12, 12))
    torch.testing.assert_close(found.matrix, truth, rtol=0, atol=1e-7)


def test_entries_and_their_dense_matrices_give_the_same():
    truth, rows, columns = completion(6, 1, 0.5, 7)
    masks = torch.zeros(len(rows), 6, 6, dtype=torch.float64)
    masks[torch.arange(len(rows)), rows, columns] = 1
    by_entry = nuclear_completion(rows, columns, truth[rows, columns], (6, 6))
    by_matrix = minimum_nuclear_norm(masks, truth[rows, columns])
    assert by_entry.value == pytest.approx(by_matrix.value, rel=1e-9)


@pytest.mark.parametrize("semidefinite", [False, True])
def test_the_conic_program_agrees(semidefinite):
    A, root = gaussian(0, 8, 4, 4), gaussian(1, 4, 4)
    y = torch.einsum("nab,ab->n", A, root @ root.mT)
    ours = minimum_nuclear_norm(A, y, semidefinite=semidefinite)
    theirs = nuclear_program(A, y, semidefinite=semidefinite)
    assert max(ours.gap, ours.residual, ours.violation) < 1e-10
    assert max(theirs.gap, theirs.violation) < 1e-6
    assert ours.value == pytest.approx(theirs.value, rel=1e-6)
    torch.testing.assert_close(ours.matrix, theirs.matrix, rtol=0, atol=1e-3)


def test_the_certificate_tells_an_inaccurate_solver():
    A, y = gaussian(2, 20, 6, 6), gaussian(3, 20)
    rough, ours = nuclear_program(A, y, solver="SCS"), minimum_nuclear_norm(A, y)
    assert rough.gap > 10 * ours.gap
    assert rough.value >= ours.value * (1 - 1e-10)


def test_diagonal_observations_are_basis_pursuit():
    """<diag(x_i), W> sees the diagonal alone, and the least nuclear norm is the least
    l1 norm: here |y| / max |x|.
    """
    x = torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64)
    found = minimum_nuclear_norm(torch.diag(x)[None], [3.0])
    torch.testing.assert_close(
        found.matrix, torch.diag(torch.tensor([0, -1.5, 0]).double()), rtol=0, atol=1e-8
    )
    assert found.value == pytest.approx(1.5, rel=1e-9)


def test_one_observation_has_a_closed_form():
    """min |W|_* with <A, W> = 1 is 1/|A|_2, for a rectangle too; with W >= 0 it is 1
    over the largest eigenvalue.
    """
    A = gaussian(4, 1, 3, 5)
    assert minimum_nuclear_norm(A, [1.0]).value == pytest.approx(
        1 / float(torch.linalg.matrix_norm(A[0], 2)), rel=1e-9
    )
    square = gaussian(5, 1, 4, 4)
    top = float(np.linalg.eigvalsh((square[0] + square[0].mT) / 2)[-1])
    assert minimum_nuclear_norm(
        square, [1.0], semidefinite=True
    ).value == pytest.approx(1 / top, rel=1e-9)


@pytest.mark.parametrize(
    ("rows", "columns", "values", "shape"),
    [
        ([0, 0], [1, 1], [1.0, 1.0], (2, 2)),
        ([2], [0], [1.0], (2, 2)),
        ([0.0], [0.0], [1.0], (2, 2)),
        ([0, 1], [0], [1.0], (2, 2)),
        ([0], [0], [0.0], (2, 2)),
    ],
)
def test_bad_entries_are_refused(rows, columns, values, shape):
    with pytest.raises(InvalidInput):
        nuclear_completion(rows, columns, values, shape)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: minimum_nuclear_norm(torch.ones(2, 3, 3), [1.0, 1.0]),
        lambda: minimum_nuclear_norm(gaussian(0, 2, 3, 3), [1.0]),
        lambda: minimum_nuclear_norm(gaussian(0, 1, 2, 3), [1.0], semidefinite=True),
        lambda: minimum_nuclear_norm(gaussian(0, 1, 3, 3), [float("nan")]),
        lambda: minimum_nuclear_norm(gaussian(0, 1, 3, 3), [1.0], tolerance=0.0),
        lambda: minimum_nuclear_norm(
            torch.eye(3).double()[None], [-1.0], semidefinite=True
        ),
        lambda: nuclear_program(torch.eye(3).double()[None], [-1.0], semidefinite=True),
    ],
)
def test_bad_programs_are_refused(broken):
    with pytest.raises(InvalidInput):
        broken()


@pytest.mark.parametrize("semidefinite", [False, True])
@few
@given(a=FACTORS, b=FACTORS, r=FACTORS)
def test_units_of_matrices_and_targets_do_not_matter(semidefinite, a, b, r):
    A, root = gaussian(0, 4, 3, 3), gaussian(1, 3, 3)
    y = torch.einsum("nab,ab->n", A, root @ root.mT)
    row = torch.ones(4, dtype=torch.float64)
    row[3] = r
    base = minimum_nuclear_norm(A, y, semidefinite=semidefinite)
    for solver in (minimum_nuclear_norm, nuclear_program):
        found = solver(
            a * row[:, None, None] * A, b * row * y, semidefinite=semidefinite
        )
        bar = 1e-9 if solver is minimum_nuclear_norm else 1e-6
        assert found.value * (a / b) == pytest.approx(base.value, rel=bar)
        assert max(found.gap, found.residual, found.violation) < bar
        lower = float(found.dual @ (b * row * y))
        assert lower == pytest.approx(found.value, rel=bar)
        assert lower <= found.value * (1 + 1e-12)


@few
@given(b=FACTORS)
def test_units_of_the_entries_do_not_matter(b):
    truth, rows, columns = completion(8, 1, 0.5, 7)
    base, found = (
        nuclear_completion(rows, columns, unit * truth[rows, columns], (8, 8))
        for unit in (1.0, b)
    )
    assert found.value / b == pytest.approx(base.value, rel=1e-9)
    assert max(found.gap, found.residual) < 1e-10


def test_that_no_semidefinite_matrix_fits_is_said_with_its_proof():
    """tr W = -1: nu = -1 gives -I <= 0 and y.nu = 1 > 0."""
    for unit in (1e-12, 1.0, 1e12):
        with pytest.raises(InvalidInput, match="no semidefinite matrix fits"):
            minimum_nuclear_norm(
                unit * torch.eye(3).double()[None], [-1.0], semidefinite=True
            )


def test_a_solver_that_was_stopped_is_no_answer():
    A, y = gaussian(2, 20, 6, 6), gaussian(3, 20)
    with pytest.raises(InvalidInput, match="was asked for too little"):
        nuclear_program(A, y, solver="SCS", max_iters=2)
