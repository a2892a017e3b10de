"""Fully connected networks against the modules and gradients of PyTorch; their starts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ibcore.models.network import ACTIVATIONS, Network
from tests.cases import normal


@pytest.mark.parametrize("biases", [True, False])
def test_a_normal_start_has_the_stated_variances(biases):
    net = Network(torch.zeros(1, 50).double(), (400, 300), "relu", 10, biases)
    start = net.normal(3, torch.Generator().manual_seed(1115008))
    assert start.shape == (3, net.dimension)
    for (matrix, shift), scale in zip(
        net.layers(start), (2 / 50, 2 / 400, 1 / 300), strict=True
    ):
        entries = matrix.numel()
        expected = pytest.approx(scale, rel=5 * (2 / entries) ** 0.5)
        assert float(matrix.square().mean()) == expected
        assert shift is None or not shift.any()


MODULES = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU, "gelu": nn.GELU}


def of_pytorch(net, theta, features):
    layers = []
    for fan_in, width in zip(
        (features, *net.widths), (*net.widths, net.out), strict=True
    ):
        layers.append(nn.Linear(fan_in, width, bias=net.biases, dtype=torch.float64))
        layers.append(MODULES[net.activation]())
    module = nn.Sequential(*layers[:-1])
    nn.utils.vector_to_parameters(theta, module.parameters())
    return module


@pytest.mark.parametrize("name", sorted(MODULES.keys() & ACTIVATIONS.keys()))
@pytest.mark.parametrize("out", [1, 3])
@pytest.mark.parametrize("biases", [True, False])
def test_outputs_and_gradients_are_those_of_pytorch(name, out, biases):
    X = normal(2, 5, 3, seed=1)
    net = Network(X, (6, 4), name, out=out, biases=biases)
    theta = normal(2, net.dimension, seed=2)
    outputs, pull = net.vjp(theta)
    weights = normal(*outputs.shape, seed=3)
    for b in range(2):
        module = of_pytorch(net, theta[b], 3)
        expected = module(X[b])
        rows = expected[:, 0] if out == 1 else expected
        torch.testing.assert_close(outputs[b], rows.detach())
        (rows * weights[b]).sum().backward()
        gradient = torch.cat([p.grad.flatten() for p in module.parameters()])
        torch.testing.assert_close(pull(weights)[b], gradient)
        torch.testing.assert_close(net.pullback(theta, weights)[b], gradient)


def test_a_default_start_is_uniform_up_to_one_over_the_root_of_the_columns():
    net = Network(torch.zeros(1, 25).double(), (400, 100), "tanh", 10)
    start = net.initial(2, torch.Generator().manual_seed(4))
    for (matrix, shift), columns in zip(net.layers(start), (25, 400, 100), strict=True):
        bound = columns**-0.5
        for part in (matrix, shift):
            assert float(part.abs().max()) <= bound
            expected = pytest.approx(bound**2 / 3, rel=5 / part.numel() ** 0.5)
            assert float(part.square().mean()) == expected
