import math

import numpy as np
import pytest
import torch

from ibcore.oracles.representation_cost import (
    connected_cost,
    diagonal_cost,
    orthogonal_cost,
)
from ibcore.validation import InvalidInput


def test_by_hand():
    beta = [3.0, -4.0]
    assert float(connected_cost(beta, 2)) == pytest.approx(10.0)
    assert float(diagonal_cost(beta, 2)) == pytest.approx(14.0)
    assert float(connected_cost(beta, 1)) == pytest.approx(25.0)
    assert float(diagonal_cost(beta, 1)) == pytest.approx(25.0)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_balanced_layers_attain_the_closed_forms(depth):
    beta = torch.tensor([0.3, -2.0, 1.1], dtype=torch.float64)
    size = beta.norm() ** (1 / depth)
    unit = beta / beta.norm()
    squares = (size * unit).square().sum() + (depth - 1) * size**2
    torch.testing.assert_close(connected_cost(beta, depth), squares)
    u = beta.abs() ** (1 / depth)
    torch.testing.assert_close(diagonal_cost(beta, depth), depth * u.square().sum())


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_no_random_layers_cost_less(depth):
    generator = torch.Generator().manual_seed(4)
    u = torch.randn(500, depth, 3, generator=generator, dtype=torch.float64)
    cost = u.square().sum((1, 2))
    assert bool((cost >= diagonal_cost(u.prod(1), depth) - 1e-12).all())
    assert bool((cost >= connected_cost(u.prod(1), depth) - 1e-12).all())


def orthogonal(seed=5):
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(5, 5, generator=generator).double()).Q
    lengths = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    return basis[:3] * lengths[:, None], torch.tensor([1.0, -3.0, 4.0]).double()


def test_two_neurons_attain_the_least_variation_norm():
    X, y = orthogonal()
    h = y / X.norm(dim=1)
    assert orthogonal_cost(X, y) == pytest.approx(math.sqrt(8) + 3)
    outputs, cost = torch.zeros(3).double(), 0.0
    for sign in (1.0, -1.0):
        part = (sign * h).clamp(min=0)
        w = (part[:, None] * X / X.norm(dim=1, keepdim=True)).sum(0)
        outputs = outputs + sign * (X @ w).relu()
        cost += float(w.norm())
    torch.testing.assert_close(outputs, y)
    assert cost == pytest.approx(orthogonal_cost(X, y))


def test_no_direction_violates_the_dual_certificate():
    """c_i = h_i / (|h_+| |x_i|) for positive labels, with the other sign for negative
    ones: |c.relu(X u)| <= 1.
    """
    X, y = orthogonal()
    lengths = X.norm(dim=1)
    h = y / lengths
    sizes = torch.where(h > 0, h.clamp(min=0).norm(), h.clamp(max=0).norm())
    c = h / sizes / lengths
    assert float(c @ y) == pytest.approx(orthogonal_cost(X, y))
    u = np.random.default_rng(0).normal(size=(20_000, 5))
    u = torch.from_numpy(u / np.linalg.norm(u, axis=1, keepdims=True))
    assert float(((u @ X.T).relu() @ c).abs().max()) <= 1


def test_scalings():
    X, y = orthogonal()
    assert orthogonal_cost(3 * X, 2 * y) == pytest.approx(2 / 3 * orthogonal_cost(X, y))
    beta = torch.tensor([1.0, -2.0]).double()
    torch.testing.assert_close(connected_cost(8 * beta, 3), 4 * connected_cost(beta, 3))


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="orthogonal"):
        orthogonal_cost([[1.0, 0.0], [1.0, 1.0]], [1.0, 2.0])
    with pytest.raises(InvalidInput, match="zeros"):
        orthogonal_cost([[1.0, 0.0], [0.0, 0.0]], [1.0, 2.0])
    with pytest.raises(InvalidInput, match="depth"):
        connected_cost([1.0], 0)
