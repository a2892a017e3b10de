import pytest
import torch

from ibcore.problems.sensing import (
    commuting_observations,
    corner_completion,
    gaussian_observations,
)
from ibcore.validation import InvalidInput


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_commuting_matrices_commute_and_the_hidden_one_does_not():
    found = commuting_observations(5, 3, seeded())
    A = found.matrices
    products = A[:, None] @ A
    torch.testing.assert_close(products, products.transpose(0, 1))
    assert float((A[0] @ found.truth - found.truth @ A[0]).norm()) > 0.1
    assert float(torch.linalg.eigvalsh(found.truth)[0]) > 0


@pytest.mark.parametrize(("size", "rank"), [(6, 2), (4, 4)])
def test_gaussian_observations_are_symmetric_and_of_the_stated_rank(size, rank):
    found = gaussian_observations(size, rank, 7, seeded())
    torch.testing.assert_close(found.matrices, found.matrices.mT)
    torch.testing.assert_close(
        found.targets, torch.einsum("nab,ab->n", found.matrices, found.truth)
    )
    assert int(torch.linalg.matrix_rank(found.truth)) == rank


def test_many_gaussian_observations_measure_the_frobenius_norm():
    found = gaussian_observations(5, 2, 20_000, seeded(1))
    assert float(found.targets.square().mean()) == pytest.approx(
        float(found.truth.square().sum()), rel=0.05
    )


@pytest.mark.parametrize("ratio", [0.5, 3.0])
def test_the_corner_has_completions_of_rank_one_and_two(ratio):
    seen = corner_completion(ratio)
    u = torch.tensor([1.0, ratio, 1.0, ratio], dtype=torch.float64)
    torch.testing.assert_close(torch.outer(u, u)[seen.rows, seen.columns], seen.targets)
    v, w = (
        torch.tensor(x, dtype=torch.float64) for x in ([1.0, 1, 1, 1], [1.0, -1, -1, 1])
    )
    other = ((1 + ratio) * torch.outer(v, v) + (ratio - 1) * torch.outer(w, w)) / 2
    torch.testing.assert_close(other[seen.rows, seen.columns], seen.targets)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: commuting_observations(0, 1, seeded()),
        lambda: gaussian_observations(3, 4, 1, seeded()),
        lambda: gaussian_observations(3, 1, 0, seeded()),
        lambda: corner_completion(0.0),
    ],
)
def test_bad_sizes_are_refused(broken):
    with pytest.raises(InvalidInput):
        broken()
