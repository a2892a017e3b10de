"""Observations of a matrix: inner products, their adjoint, and single entries as both."""

import pytest
import torch

from ibcore.models.observations import Entries, Sensing
from ibcore.validation import InvalidInput
from tests.cases import normal

ROWS = torch.tensor([[0, 2, 1, 2], [1, 1, 0, 2], [2, 0, 0, 1]])
COLUMNS = torch.tensor([[1, 0, 4, 3], [2, 1, 0, 4], [0, 4, 3, 3]])
OBSERVED = {
    "dense": Sensing(normal(4, 3, 5, seed=1)),
    "own dense": Sensing(normal(3, 4, 3, 5, seed=2)),
    "entries": Entries(ROWS[0], COLUMNS[0], (3, 5)),
    "own entries": Entries(ROWS, COLUMNS, (3, 5)),
    "repeated": Entries([1, 1, 1, 0], [2, 2, 3, 0], (3, 5)),
}
W, WEIGHTS = normal(3, 3, 5, seed=3), normal(3, 4, seed=4)


@pytest.fixture(params=OBSERVED)
def seen(request):
    return OBSERVED[request.param]


def test_an_observation_is_an_inner_product(seen):
    matrices = seen.dense().expand(3, 4, 3, 5)
    assert seen.shape == (3, 5)
    assert matrices.dtype == torch.float64
    torch.testing.assert_close(seen.read(W), (matrices * W[:, None]).sum((-2, -1)))


def test_spreading_is_the_adjoint_of_reading(seen):
    spread = seen.spread(WEIGHTS)
    assert spread.shape == W.shape
    torch.testing.assert_close(
        (spread * W).sum((-2, -1)), (WEIGHTS * seen.read(W)).sum(-1)
    )
    torch.testing.assert_close(spread, (WEIGHTS[..., None, None] * seen.dense()).sum(1))


def test_members_keep_their_observations(seen):
    for members in (torch.tensor([2, 0]), torch.tensor([True, False, True])):
        part = seen.of(members)
        torch.testing.assert_close(part.read(W[members]), seen.read(W)[members])
        torch.testing.assert_close(
            part.spread(WEIGHTS[members]), seen.spread(WEIGHTS)[members]
        )


def test_entries_are_read_where_they_lie():
    for seen, rows, columns in (
        (OBSERVED["entries"], ROWS[:1].expand(3, 4), COLUMNS[:1].expand(3, 4)),
        (OBSERVED["own entries"], ROWS, COLUMNS),
    ):
        found = seen.read(W)
        for b in range(3):
            for i in range(4):
                assert found[b, i] == W[b, rows[b, i], columns[b, i]]
        matrices = seen.dense().expand(3, 4, 3, 5)
        assert matrices.sum((-2, -1)).eq(1).all()
        assert (matrices * matrices).equal(matrices)


def test_dense_entries_are_of_the_kind_of_what_they_are_like():
    seen = Entries([0], [1], (2, 2), like=torch.zeros(1))
    assert seen.dense().dtype == torch.float32
    assert Sensing(normal(1, 2, 2, seed=5).float()).like.dtype == torch.float32


@pytest.mark.parametrize(
    ("rows", "columns", "shape", "words"),
    [
        ([0, 3], [0, 0], (3, 5), "rows must be integers from 0 to 2"),
        ([0, 1], [0, 5], (3, 5), "columns must be integers from 0 to 4"),
        ([0, -1], [0, 0], (3, 5), "rows"),
        ([0, 1], [0], (3, 5), "expected both"),
        ([[[0]]], [[[0]]], (3, 5), "expected both"),
        (0, 0, (3, 5), "expected"),
        ([0.5], [0], (3, 5), "rows"),
        ([0], [0], (0, 5), "shape"),
    ],
)
def test_places_outside_the_matrix_are_refused(rows, columns, shape, words):
    with pytest.raises(InvalidInput, match=words):
        Entries(rows, columns, shape)


@pytest.mark.parametrize("shape", [(3, 5), (1, 2, 4, 3, 5)])
def test_matrices_in_another_shape_are_refused(shape):
    with pytest.raises(InvalidInput, match="matrices"):
        Sensing(normal(*shape, seed=6))
