"""Closed forms of descent and flow against the recursion and against invariants."""

import pytest
import torch

from ibcore.oracles.stability import (
    product_flow_end,
    product_sharpness,
    quadratic_state,
)


def normal(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_the_state_on_a_quadratic_is_that_of_the_recursion():
    basis = torch.linalg.qr(normal(1, 3, 4, 4)).Q
    eigenvalues = normal(2, 3, 4).abs()
    start, step = normal(3, 3, 4), torch.tensor([0.1, 0.5, 1.5]).double()
    hessians = basis @ torch.diag_embed(eigenvalues) @ basis.mT
    state = start
    for _ in range(7):
        state = state - step[:, None] * (hessians @ state[..., None])[..., 0]
    found = quadratic_state(eigenvalues, basis, start, step, 7)
    torch.testing.assert_close(found, state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_the_flow_on_the_product_ends_at_a_minimum_with_its_invariant(scale):
    start = scale * normal(4, 50, 2)
    end = product_flow_end(start)
    one = torch.ones(50, dtype=torch.float64)
    torch.testing.assert_close(end.prod(-1), one, rtol=1e-12, atol=0)
    invariant = start[:, 0].square() - start[:, 1].square()
    found = end[:, 0].square() - end[:, 1].square()
    torch.testing.assert_close(found, invariant, rtol=1e-9, atol=1e-9)
    assert bool((torch.sign(end.sum(-1)) == torch.sign(start.sum(-1))).all())


def test_the_sharpness_of_the_product_is_the_largest_eigenvalue_of_its_hessian():
    point = torch.tensor([3.0, 1 / 3], dtype=torch.float64)

    def value(theta):
        return (theta.prod() - 1) ** 2 / 2

    hessian = torch.autograd.functional.hessian(value, point)
    expected = torch.linalg.eigvalsh(hessian)
    assert float(product_sharpness(point)) == pytest.approx(float(expected[-1]))
    assert float(expected[0]) == pytest.approx(0, abs=1e-12)
