import pytest
import torch
from torch.func import jacrev, vmap

from ibcore.models.activations import LeakyReLU, SquaredReLU
from ibcore.models.homogeneous import TwoLayer, joined
from ibcore.models.margins import Margins
from ibcore.validation import InvalidInput

ACTIVATIONS = [LeakyReLU(), LeakyReLU(0.3), SquaredReLU()]


def network(activation, *, shared=True):
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(
        *(() if shared else (2,)), 7, 3, generator=generator, dtype=torch.float64
    )
    model = TwoLayer(inputs, 5, activation)
    return model, torch.randn(
        2, model.dimension, generator=generator, dtype=torch.float64
    )


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_jacobian_is_that_of_automatic_differentiation(activation, shared):
    model, theta = network(activation, shared=shared)
    for member in range(2):
        alone = model if shared else TwoLayer(model.inputs[member], 5, activation)
        automatic = vmap(jacrev(lambda one, alone=alone: alone.outputs(one[None])[0]))(
            theta[member : member + 1]
        )
        torch.testing.assert_close(
            model.jacobian(theta)[member : member + 1], automatic
        )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_outputs_are_homogeneous_and_euler_holds(activation):
    model, theta = network(activation)
    torch.testing.assert_close(
        model.outputs(3 * theta), 3**model.degree * model.outputs(theta)
    )
    torch.testing.assert_close(
        (model.jacobian(theta) @ theta[..., None])[..., 0],
        model.degree * model.outputs(theta),
    )


def test_outputs_are_the_sum_over_neurons():
    model, theta = network(LeakyReLU())
    a, w = model.layers(theta)
    by_hand = sum(
        a[:, j, None] * (w[:, j] @ model.inputs.T).clamp(min=0) for j in range(5)
    )
    torch.testing.assert_close(model.outputs(theta), by_hand)
    torch.testing.assert_close(joined(a, w), theta)


def test_margins_are_outputs_times_labels():
    model, theta = network(SquaredReLU())
    labels = torch.tensor([1, -1, 1, 1, -1, -1, 1], dtype=torch.float64)
    margins = Margins(model, labels)
    assert not margins.linear
    torch.testing.assert_close(margins.outputs(theta), model.outputs(theta) * labels)
    torch.testing.assert_close(
        margins.jacobian(theta), model.jacobian(theta) * labels[:, None]
    )


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_pulling_weights_back_is_a_product_with_the_jacobian(activation, shared):
    model, theta = network(activation, shared=shared)
    weights = torch.linspace(-1, 1, 14, dtype=torch.float64).reshape(2, 7)
    for each in (
        model,
        Margins(model, torch.tensor([1, -1, 1, 1, -1, -1, 1]).double()),
    ):
        torch.testing.assert_close(
            each.pullback(theta, weights),
            (weights[:, None, :] @ each.jacobian(theta))[:, 0],
        )


def test_wrong_shapes_are_refused():
    with pytest.raises(InvalidInput, match="shape"):
        TwoLayer(torch.zeros(3), 2, LeakyReLU())
    with pytest.raises(InvalidInput, match="width"):
        TwoLayer(torch.zeros(3, 2), 0, LeakyReLU())
