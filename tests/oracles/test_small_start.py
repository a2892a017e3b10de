import pytest
import torch

from ibcore.oracles.small_start import small_start
from ibcore.validation import InvalidInput


def draw(*shape, seed=0):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def test_a_single_neuron_keeps_what_it_holds_off_the_row_space():
    X, y, w = draw(3, 7), draw(3, seed=1), draw(1, 7, seed=2)
    found = small_start(X, y, w, torch.tensor([0.3], dtype=torch.float64))
    off = w[0] - torch.linalg.pinv(X) @ X @ w[0]
    torch.testing.assert_close(found.limit, torch.linalg.pinv(X) @ y)
    assert found.distance == pytest.approx(
        float(off.norm() / found.limit.norm().sqrt())
    )
    assert found.ratio == 0


def test_a_balanced_start_has_rank_one_and_stays_so():
    X, y, a, v = draw(3, 7), draw(3, seed=1), draw(4, seed=2), draw(7, seed=3)
    found = small_start(X, y, torch.outer(a, v / v.norm()), a)
    assert found.ratio < 1e-7
    torch.testing.assert_close(found.direction.abs(), (a / a.norm()).abs())


def test_a_start_in_the_row_space_ends_at_the_least_norm():
    X, y = draw(3, 7), draw(3, seed=1)
    assert small_start(X, y, draw(4, 3, seed=2) @ X, draw(4, seed=3)).distance < 1e-12


def test_what_cannot_grow_is_refused():
    X, y = draw(3, 7), draw(3, seed=1)
    with pytest.raises(InvalidInput, match="does not grow"):
        small_start(X, y, torch.zeros(4, 7).double(), torch.zeros(4).double())
    with pytest.raises(InvalidInput, match="first has shape"):
        small_start(X, y, draw(4, 6), draw(4))
