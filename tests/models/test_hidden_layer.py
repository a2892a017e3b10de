import pytest
import torch
from torch.func import jacrev, vmap

from ibcore.models.activations import LeakyReLU
from ibcore.models.hidden_layer import HiddenLayer
from ibcore.models.homogeneous import TwoLayer, joined
from ibcore.validation import InvalidInput


def test_jacobian_and_homogeneity():
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    v = torch.tensor([1.0, -1.0, 0.5, -2.0], dtype=torch.float64)
    model = HiddenLayer(X, v, LeakyReLU(0.3))
    theta = torch.randn(2, model.dimension, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(
        model.jacobian(theta),
        vmap(jacrev(lambda one: model.outputs(one[None])[0]))(theta),
    )
    torch.testing.assert_close(
        (model.jacobian(theta) @ theta[..., None])[..., 0],
        model.degree * model.outputs(theta),
    )


def test_it_is_the_two_layer_network_with_these_output_weights():
    generator = torch.Generator().manual_seed(1)
    X = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    v, w = (
        torch.tensor([1.0, -3.0]).double(),
        torch.randn(2, 2, 3, generator=generator, dtype=torch.float64),
    )
    model, both = HiddenLayer(X, v, LeakyReLU(0.1)), TwoLayer(X, 2, LeakyReLU(0.1))
    torch.testing.assert_close(
        model.outputs(w.flatten(1)), both.outputs(joined(v.expand(2, -1), w))
    )
    assert model.neurons(w.flatten(1)).shape == w.shape


def test_wrong_shapes_are_refused():
    with pytest.raises(InvalidInput, match="inputs"):
        HiddenLayer(torch.zeros(3), torch.ones(2), LeakyReLU())
    with pytest.raises(InvalidInput, match="output_weights"):
        HiddenLayer(torch.zeros(3, 2), torch.ones(2, 1), LeakyReLU())
