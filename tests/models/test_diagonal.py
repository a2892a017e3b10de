"""Diagonal networks with numbers that can be computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch.func import jacrev, vmap

from ibcore.models.diagonal import Diagonal, even_start
from ibcore.validation import InvalidInput


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_two_coefficients_by_hand():
    """u = (1, 2) and v = (3, 1): beta = (1 - 27, 8 - 1), on inputs (1, 1) and (0, 2)."""
    model = Diagonal(torch.tensor([[1.0, 1.0], [0.0, 2.0]]).double(), 3)
    theta = torch.tensor([[1.0, 2.0, 3.0, 1.0]]).double()
    assert (model.features, model.dimension, model.degree) == (2, 4, 3)
    assert not model.linear
    assert model.coefficients(theta).tolist() == [[-26, 7]]
    assert model.coefficients(theta.expand(3, 1, 4)).shape == (3, 1, 2)
    assert model.outputs(theta).tolist() == [[-19, 14]]


def test_at_depth_one_it_is_linear_in_its_parameters():
    model = Diagonal(normal(4, 3), 1)
    assert model.linear
    first, second = normal(2, 2, 6, seed=1)
    torch.testing.assert_close(
        model.outputs(first - 2 * second),
        model.outputs(first) - 2 * model.outputs(second),
    )


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_derivatives_are_those_of_the_outputs(depth):
    model, theta, weights = Diagonal(normal(4, 3), depth), normal(2, 6), normal(2, 4)

    def outputs(one):
        return model.outputs(one[None])[0]

    torch.testing.assert_close(model.jacobian(theta), vmap(jacrev(outputs))(theta))

    def weighted(one, push):
        return (outputs(one) * push).sum()

    torch.testing.assert_close(
        model.pullback(theta, weights), vmap(jacrev(weighted))(theta, weights)
    )
    torch.testing.assert_close(
        model.hessian(theta, weights), vmap(jacrev(jacrev(weighted)))(theta, weights)
    )


def test_other_inputs_leave_the_depth():
    model, inputs = Diagonal(normal(4, 3), 3), normal(2, 5, 3, seed=1)
    theta = normal(2, 6, seed=2)
    found = model.on(inputs).outputs(theta)
    beta = model.coefficients(theta)
    torch.testing.assert_close(found, torch.einsum("bnd,bd->bn", inputs, beta))


def test_swapping_both_copies_changes_the_sign():
    model, theta = Diagonal(normal(4, 3), 2), normal(2, 6, seed=1)
    swapped = theta.roll(3, -1)
    torch.testing.assert_close(model.outputs(swapped), -model.outputs(theta))


def test_an_even_start_has_every_weight_at_its_scale():
    start = even_start(3, torch.tensor([0.1, 2.0], dtype=torch.float64))
    expected = (
        torch.tensor([0.1, 2.0], dtype=torch.float64)[:, None]
        * torch.ones(2, 6).double()
    )
    assert torch.equal(start, expected)
    start[0, 0] = 1.0
    assert float(start[0, 1]) == 0.1


def test_members_with_their_own_inputs_are_computed_one_by_one():
    model, theta = Diagonal(normal(2, 4, 3), 3), normal(2, 6, seed=1)
    for i in range(2):
        alone = Diagonal(model.inputs[i], 3)
        torch.testing.assert_close(
            model.outputs(theta)[i], alone.outputs(theta[i : i + 1])[0]
        )
        torch.testing.assert_close(
            model.jacobian(theta)[i], alone.jacobian(theta[i : i + 1])[0]
        )


def test_an_even_start_is_the_zero_predictor():
    model = Diagonal(normal(4, 3), 3)
    theta = even_start(3, torch.tensor([0.1, 2.0], dtype=torch.float64))
    assert bool((model.coefficients(theta) == 0).all())


@pytest.mark.parametrize(
    ("inputs", "depth", "message"), [((4,), 2, "expected"), ((4, 3), 0, "depth")]
)
def test_bad_input_is_refused(inputs, depth, message):
    with pytest.raises(InvalidInput, match=message):
        Diagonal(normal(*inputs), depth)
