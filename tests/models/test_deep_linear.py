from itertools import pairwise

import pytest
import torch
from torch.func import jacrev, vmap

from ibcore.models.deep_linear import DeepLinear, balanced_start, random_start
from ibcore.models.matrix_factorization import DeepFactorization
from ibcore.models.network import Network
from ibcore.models.observations import Sensing
from ibcore.validation import InvalidInput

WIDTHS = [(), (4,), (5, 2), (3, 4, 2)]


def generator():
    return torch.Generator().manual_seed(3)


def network(widths, *, shared=True):
    inputs = torch.randn(
        *(() if shared else (2,)), 7, 3, generator=generator(), dtype=torch.float64
    )
    model = DeepLinear(inputs, widths)
    return model, random_start(model, 2, 1.0, generator())


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("widths", WIDTHS)
def test_the_jacobian_is_that_of_automatic_differentiation(widths, shared):
    model, theta = network(widths, shared=shared)
    for member in range(2):
        alone = model if shared else DeepLinear(model.inputs[member], widths)
        automatic = vmap(jacrev(lambda one, alone=alone: alone.outputs(one[None])[0]))(
            theta[member : member + 1]
        )
        torch.testing.assert_close(
            model.jacobian(theta)[member : member + 1], automatic
        )


@pytest.mark.parametrize("widths", WIDTHS)
def test_outputs_are_homogeneous_and_euler_holds(widths):
    model, theta = network(widths)
    assert model.degree == len(widths) + 1
    torch.testing.assert_close(
        model.outputs(2 * theta), 2**model.degree * model.outputs(theta)
    )
    torch.testing.assert_close(
        (model.jacobian(theta) @ theta[..., None])[..., 0],
        model.degree * model.outputs(theta),
    )


def test_layers_multiply_to_the_predictor():
    model, theta = network((5, 2))
    first, second, third = model.matrices(theta)
    assert [tuple(layer.shape[1:]) for layer in (first, second, third)] == [
        (5, 3),
        (2, 5),
        (1, 2),
    ]
    torch.testing.assert_close(model.end_to_end(theta), (third @ second @ first)[:, 0])
    torch.testing.assert_close(
        torch.cat([layer.flatten(1) for layer in (first, second, third)], 1), theta
    )
    assert model.dimension == theta.shape[1]


def test_without_hidden_layers_it_is_the_linear_predictor():
    model, theta = network(())
    assert model.linear
    torch.testing.assert_close(model.outputs(theta), theta @ model.inputs.T)


def test_random_start_has_the_stated_scale_and_repeats():
    model = DeepLinear(torch.zeros(1, 100, dtype=torch.float64), (200, 300))
    theta = random_start(model, 1, 0.5, generator())
    for layer in model.matrices(theta):
        assert float(layer.square().mean()) * layer.shape[-1] == pytest.approx(
            0.25, rel=0.2
        )
    assert torch.equal(theta, random_start(model, 1, 0.5, generator()))


def test_balanced_start_is_balanced_and_of_the_stated_norm():
    model = DeepLinear(torch.zeros(1, 4, dtype=torch.float64), (6, 5))
    theta = balanced_start(model, 3, 0.7, generator())
    layers = model.matrices(theta)
    for below, above in pairwise(layers):
        torch.testing.assert_close(above.mT @ above, below @ below.mT)
    torch.testing.assert_close(
        model.end_to_end(theta).norm(dim=-1),
        torch.full((3,), 0.7**3, dtype=torch.float64),
    )


@pytest.mark.parametrize("start", [random_start, balanced_start])
def test_wrong_scale_and_count_are_refused(start):
    model, _ = network((2,))
    with pytest.raises(InvalidInput, match="scale"):
        start(model, 1, 0.0, generator())
    with pytest.raises(InvalidInput, match="count"):
        start(model, 0, 1.0, generator())


def test_wrong_shapes_are_refused():
    with pytest.raises(InvalidInput, match="shape"):
        DeepLinear(torch.zeros(3), (2,))
    with pytest.raises(InvalidInput, match="width"):
        DeepLinear(torch.zeros(3, 2), (2, 0))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("widths", WIDTHS)
def test_pulling_weights_back_is_a_product_with_the_jacobian(widths, shared):
    model, theta = network(widths, shared=shared)
    weights = torch.linspace(-1, 1, 14, dtype=torch.float64).reshape(2, 7)
    torch.testing.assert_close(
        model.pullback(theta, weights),
        (weights[:, None, :] @ model.jacobian(theta))[:, 0],
    )


@pytest.mark.parametrize("widths", WIDTHS)
def test_the_hessian_is_that_of_automatic_differentiation(widths):
    model, theta = network(widths)
    weights = torch.randn(2, 7, generator=generator(), dtype=torch.float64)
    for one, row, found in zip(
        theta, weights, model.hessian(theta, weights), strict=True
    ):
        expected = jacrev(jacrev(lambda at, row=row: model.outputs(at[None])[0] @ row))(
            one
        )
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("widths", WIDTHS)
def test_it_is_the_linear_network_and_the_factorization_of_rows(widths, shared):
    model, theta = network(widths, shared=shared)
    plain = Network(model.inputs, widths, "identity", biases=False)
    rows = DeepFactorization(Sensing(model.inputs[..., None, :]), widths)
    weights = torch.randn(2, 7, generator=generator(), dtype=torch.float64)
    for other in (plain, rows):
        torch.testing.assert_close(other.outputs(theta), model.outputs(theta))
        torch.testing.assert_close(other.jacobian(theta), model.jacobian(theta))
        for name in ("pullback", "hessian"):
            found, expected = (getattr(one, name) for one in (model, other))
            torch.testing.assert_close(found(theta, weights), expected(theta, weights))
