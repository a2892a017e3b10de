import pytest
import torch

from ibcore.problems.planted_low_rank import (
    gaussian_matrices,
    gaussian_product,
    random_orthogonal,
    revealed_entries,
    semidefinite,
)
from ibcore.validation import InvalidInput


def draw():
    return torch.Generator().manual_seed(0)


def test_products_have_the_rank_and_size_that_they_are_asked_for():
    matrix = gaussian_product(60, 3, draw())
    assert int(torch.linalg.matrix_rank(matrix)) == 3
    assert float(matrix.var()) == pytest.approx(3, rel=0.3)


def test_entries_are_revealed_once():
    rows, columns = revealed_entries(10, 0.35, draw())
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == 35


def test_semidefinite_matrices_have_their_spectrum():
    values = torch.linalg.eigvalsh(semidefinite(7, (1.0, 0.4), draw()))
    torch.testing.assert_close(
        values[-2:], torch.tensor([0.4, 1.0], dtype=torch.float64)
    )
    assert float(values[:-2].abs().max()) < 1e-12


def test_frames_are_orthogonal_and_matrices_symmetric():
    frame = random_orthogonal(5, draw())
    torch.testing.assert_close(frame @ frame.mT, torch.eye(5, dtype=torch.float64))
    matrices = gaussian_matrices(4, 3, draw(), symmetric=True)
    assert torch.equal(matrices, matrices.mT)
    assert gaussian_matrices(4, 3, draw()).shape == (4, 3, 3)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="share"):
        revealed_entries(10, 1.5, draw())
    with pytest.raises(InvalidInput, match="rank"):
        gaussian_product(10, 0, draw())
