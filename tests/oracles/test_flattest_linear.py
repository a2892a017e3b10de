import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from ibcore.oracles.flattest_linear import (
    aligned_bound,
    chain_sharpness,
    flattest_sharpness,
)
from ibcore.validation import InvalidInput


def layers_of(flat, shapes):
    sizes = np.cumsum([rows * columns for rows, columns in shapes])
    parts = np.split(flat, sizes[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def sharpness(layers):
    """Twice the largest eigenvalue of J J^T, for whitened inputs, by Kronecker
    products.
    """
    total = 0.0
    for k in range(len(layers)):
        above = np.eye(layers[-1].shape[0])
        for layer in layers[:k:-1]:
            above = above @ layer
        below = np.eye(layers[0].shape[1])
        for layer in layers[:k]:
            below = layer @ below
        total = total + np.kron(above @ above.T, below.T @ below)
    return 2 * np.linalg.eigvalsh(total)[-1]


@pytest.mark.parametrize("depth", [2, 3])
def test_no_search_finds_a_flatter_minimum_and_it_finds_the_flattest(depth):
    """Free middle layers, the last one solved for: minimize the sharpness itself from a
    random start.
    """
    generator = np.random.default_rng(depth)
    target = generator.normal(size=(2, 2))
    shapes = [(2, 2)] * (depth - 1)

    def value(flat):
        layers = layers_of(flat, shapes)
        product = np.eye(2)
        for layer in layers:
            product = layer @ product
        if abs(np.linalg.det(product)) < 1e-8:
            return 1e6
        return sharpness([*layers, target @ np.linalg.inv(product)])

    expected = float(flattest_sharpness(torch.tensor(target)[None], depth))
    found = min(
        minimize(
            value,
            generator.normal(size=4 * (depth - 1)),
            method="Nelder-Mead",
            options={"maxfev": 6000, "xatol": 1e-9, "fatol": 1e-10, "adaptive": True},
        ).fun
        for _ in range(4)
    )
    assert found >= expected * (1 - 1e-9)
    assert found == pytest.approx(expected, rel=1e-3)


def test_a_chain_of_equal_weights_is_flattest():
    weights = torch.tensor([[2.0, 2.0, 2.0], [4.0, 2.0, 1.0]], dtype=torch.float64)
    product = weights.prod(-1)[:, None, None]
    least = flattest_sharpness(product, 3)
    values = chain_sharpness(weights)
    torch.testing.assert_close(least, torch.full((2,), 96.0).double())
    assert float(values[0]) == pytest.approx(96.0)
    assert float(values[1]) == pytest.approx(2 * (4 + 16 + 64))


def test_the_bound_of_the_proof_lies_between():
    generator = torch.Generator().manual_seed(0)
    layers = [
        torch.randn(50, *shape, generator=generator, dtype=torch.float64)
        for shape in ((4, 5), (4, 4), (3, 4))
    ]
    target = layers[2] @ layers[1] @ layers[0]
    bound = aligned_bound(layers, target)
    least = flattest_sharpness(target, 3)
    values = [sharpness([layer[k].numpy() for layer in layers]) for k in range(50)]
    assert bool((bound >= least * (1 - 1e-12)).all())
    assert bool((bound <= torch.tensor(values) * (1 + 1e-12)).all())


def test_it_grows_as_the_power_says_and_refuses_no_layers():
    target = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(1))
    for depth in (1, 2, 5):
        grown = flattest_sharpness(8 * target, depth) / flattest_sharpness(
            target, depth
        )
        assert float(grown) == pytest.approx(8 ** (2 - 2 / depth), rel=1e-5)
    with pytest.raises(InvalidInput):
        flattest_sharpness(target, 0)
