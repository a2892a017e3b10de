import pytest
import torch
from hypothesis import given

from ibcore.oracles.greedy_low_rank import greedy_low_rank
from ibcore.problems.planted_low_rank import (
    gaussian_matrices,
    random_orthogonal,
    semidefinite,
)
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


def every_entry(size):
    """An orthonormal basis of symmetric matrices: observing all of them makes f the
    mean square distance.
    """
    rows = []
    for i in range(size):
        for j in range(i + 1):
            unit = torch.zeros(size, size, dtype=torch.float64)
            unit[i, j] = unit[j, i] = 1.0 if i == j else 0.5**0.5
            rows.append(unit)
    return torch.stack(rows)


def test_with_everything_observed_the_stages_are_the_best_approximations():
    size, values = 4, (3.0, 2.0, 1.0)
    draw = torch.Generator().manual_seed(0)
    frame = random_orthogonal(size, draw)
    truth = frame[:, :3] * torch.tensor(values, dtype=torch.float64) @ frame[:, :3].mT
    A = every_entry(size)
    found = greedy_low_rank(A, (A * truth).sum((1, 2)), rank=4)
    assert len(found.corners) == 4
    for rank in range(4):
        best = (
            frame[:, :rank]
            * torch.tensor(values[:rank], dtype=torch.float64)
            @ frame[:, :rank].mT
        )
        torch.testing.assert_close(found.corners[rank], best, atol=1e-7, rtol=0)
    torch.testing.assert_close(
        found.eigenvalues[:, 0] * len(A) / 2, torch.tensor(values, dtype=torch.float64)
    )


@pytest.fixture(scope="module")
def sensed():
    draw = torch.Generator().manual_seed(1)
    truth = semidefinite(6, (1.0, 0.3), draw)
    A = gaussian_matrices(19, 6, draw, symmetric=True)
    return truth, A, (A * truth).sum((1, 2))


def test_corners_are_stationary_and_the_path_joins_them(sensed):
    truth, A, y = sensed
    found = greedy_low_rank(A, y, rank=2)
    assert float(found.stationarity.max()) < 1e-6
    assert bool((found.loss.diff() < 0).all())
    torch.testing.assert_close(found.corners[-1], truth, atol=1e-6, rtol=0)
    assert float(found.path.diff(dim=0).flatten(1).norm(dim=1).max()) < 0.05
    for rank, corner in enumerate(found.corners):
        assert int((torch.linalg.eigvalsh(corner) > 1e-8).sum()) == rank


def test_the_broken_rule_takes_another_path(sensed):
    _, A, y = sensed
    right, wrong = (greedy_low_rank(A, y, rank=1, order=order).path for order in (0, 1))
    early = [path[(path.flatten(1).norm(dim=1) > 0.02)][0] for path in (right, wrong)]
    assert float((early[0] * early[1]).sum()) < 0.5 * float(
        early[0].norm() * early[1].norm()
    )


def test_bad_input_is_refused(sensed):
    _, A, y = sensed
    with pytest.raises(InvalidInput, match="symmetric"):
        greedy_low_rank(A + torch.triu(torch.ones(6, 6)), y, rank=1)
    with pytest.raises(InvalidInput, match="targets"):
        greedy_low_rank(A, y[:-1], rank=1)


@few
@given(a=FACTORS, b=FACTORS)
def test_units_of_matrices_and_targets_do_not_matter(a, b):
    A = every_entry(2)
    y = (A * torch.diag(torch.tensor([2.0, 1.0], dtype=torch.float64))).sum((1, 2))
    base, found = greedy_low_rank(A, y, rank=2), greedy_low_rank(a * A, b * y, rank=2)
    torch.testing.assert_close(found.corners * (a / b), base.corners, rtol=0, atol=1e-7)
    torch.testing.assert_close(found.eigenvalues / (a * b), base.eigenvalues)
    assert float(found.stationarity.max()) < 1e-6 * a * b * (b / a) ** 0.5
    assert float(found.loss[-1]) < 1e-12 * b**2


def test_without_targets_there_is_nothing_to_learn():
    A = every_entry(3)
    found = greedy_low_rank(A, torch.zeros(len(A)), rank=2)
    assert found.corners.shape == (1, 3, 3)
    assert found.eigenvalues.shape == (0, 3)
    assert not found.loss.any()


def test_an_order_that_is_none_and_small_matrices_that_are_not_symmetric():
    A = every_entry(2)
    with pytest.raises(InvalidInput, match="order is 2"):
        greedy_low_rank(A, torch.ones(3), rank=1, order=2)
    with pytest.raises(InvalidInput, match="symmetric"):
        greedy_low_rank(1e-12 * torch.tensor([[[1.0, 2], [0, 1]]]), [1.0], rank=1)
