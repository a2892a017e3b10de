import pytest
import torch
from hypothesis import given

from ibcore.oracles.small_start import small_start
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


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


@few
@given(a=FACTORS, b=FACTORS, c=FACTORS)
def test_units_of_data_and_start(a, b, c):
    X, y, W, last = draw(3, 7), draw(3, seed=1), draw(4, 7, seed=2), draw(4, seed=3)
    base, found = small_start(X, y, W, last), small_start(a * X, b * y, c * W, c * last)
    torch.testing.assert_close(found.limit * (a / b), base.limit)
    torch.testing.assert_close(found.direction, base.direction)
    factor = c * (a / b) ** 0.5
    assert found.distance / factor == pytest.approx(base.distance, rel=1e-9)
    assert found.ratio / factor == pytest.approx(base.ratio, rel=1e-7)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_targets_orthogonal_to_the_inputs_do_not_grow(unit):
    """X^T y = 0 in exact arithmetic: 0.1 * 3 - 0.3 is rounding."""
    X = unit * torch.tensor([[0.1], [0.3]], dtype=torch.float64)
    with pytest.raises(InvalidInput, match="does not grow"):
        small_start(X, [3.0, -1.0], draw(2, 1), draw(2))
    with pytest.raises(InvalidInput, match="expected \\(2,\\)"):
        small_start(X, [[3.0], [1.0]], draw(2, 1), draw(2))
