"""Fully connected networks against the modules and gradients of PyTorch: what they
compute, their degree, their starts.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ibcore.models.activations import ACTIVATIONS, LeakyReLU, SquaredReLU
from ibcore.models.network import Network, joined, of_neurons
from ibcore.validation import InvalidInput

HOMOGENEOUS = [LeakyReLU(), LeakyReLU(0.3), SquaredReLU()]


def normal(*shape, seed=1115010):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


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


@pytest.mark.parametrize("activation", HOMOGENEOUS)
def test_outputs_are_the_sum_over_neurons(activation):
    net, theta = Network(normal(7, 3), (5,), activation, biases=False), normal(2, 20)
    a, w = net.neurons(theta)
    by_hand = sum(
        a[:, j, None] * activation.value(w[:, j] @ net.inputs.T) for j in range(5)
    )
    torch.testing.assert_close(net.outputs(theta), by_hand)
    torch.testing.assert_close(of_neurons(a, w), theta)
    torch.testing.assert_close(joined(net.matrices(theta)), theta)
    seen = net.preactivations(theta)
    torch.testing.assert_close(seen, net.inputs @ w.mT)


@pytest.mark.parametrize("biases", [False, "hidden"])
@pytest.mark.parametrize("output", [None, [1.0, -1.0, 0.5, -2.0]])
@pytest.mark.parametrize("activation", HOMOGENEOUS)
def test_outputs_are_homogeneous_of_the_degree_and_euler_holds(
    activation, output, biases
):
    net = Network(normal(7, 3), (4,), activation, biases=biases, output=output)
    theta = normal(2, net.dimension)
    degree = activation.degree + (output is None)
    assert net.degree == degree
    torch.testing.assert_close(net.outputs(3 * theta), 3**degree * net.outputs(theta))
    along = (net.jacobian(theta) @ theta[..., None])[..., 0]
    torch.testing.assert_close(along, degree * net.outputs(theta))


def test_degrees_of_deep_networks():
    X = normal(2, 3)
    degrees = [
        (Network(X, (4, 4), "relu", biases=False), 3),
        (Network(X, (4, 4), "squared_relu", biases=False), 7),
        (Network(X, (4, 4), SquaredReLU(), biases=False, output=[1.0] * 4), 6),
        (Network(X, ()), 1),
    ]
    for net, degree in degrees:
        assert net.degree == degree


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"activation": "tanh", "biases": False}, "Tanh is not homogeneous"),
        ({"activation": "relu"}, "biases above the first are not homogeneous"),
    ],
)
def test_a_network_that_is_not_homogeneous_has_no_degree(options, words):
    with pytest.raises(InvalidInput, match=words):
        _ = Network(normal(2, 3), (4,), **options).degree


def test_only_an_affine_map_is_linear():
    assert Network(normal(2, 3), ()).linear
    assert not Network(normal(2, 3), (2,), "identity").linear


def test_a_fixed_last_layer_gives_the_network_with_these_weights():
    X, v, w = normal(2, 5, 3), torch.tensor([1.0, -3.0]).double(), normal(2, 2, 3)
    both = Network(X, (2,), LeakyReLU(0.1), biases=False)
    net = Network(X, (2,), LeakyReLU(0.1), biases=False, output=v)
    theta = w.flatten(1)
    assert (net.dimension, net.out) == (6, 1)
    expected = both.outputs(of_neurons(v.expand(2, -1), w))
    torch.testing.assert_close(net.outputs(theta), expected)
    a, neurons = net.neurons(theta)
    assert torch.equal(a, v)
    assert torch.equal(neurons, w)
    assert net.normal(4, torch.Generator()).shape == (4, 6)


def test_other_inputs_leave_the_network_as_it_is():
    net = Network(normal(7, 3), (5,), "elu", 2, biases="hidden")
    theta, Z = normal(2, net.dimension), normal(4, 3, seed=1115011)
    expected = Network(Z, (5,), "elu", 2, biases="hidden").outputs(theta)
    assert torch.equal(net.on(Z).outputs(theta), expected)
    with pytest.raises(InvalidInput, match="inputs"):
        net.on(normal(3))
    with pytest.raises(InvalidInput, match="inputs have 4 entries, expected 3"):
        net.on(normal(5, 4))


def test_inputs_may_be_of_another_precision():
    net = Network(normal(7, 3).float(), (2,), "elu", output=[1.0, 0.25])
    theta, Z = normal(2, net.dimension), normal(4, 3)
    expected = Network(Z, (2,), "elu", output=[1.0, 0.25]).outputs(theta)
    torch.testing.assert_close(net.on(Z).outputs(theta), expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda X: Network(X, (0,)), "width"),
        (lambda X: Network(X, (2,), "sine"), "activation is 'sine', expected one of"),
        (lambda X: Network(X, (2,), biases="all"), "biases is 'all', expected True"),
        (lambda X: Network(X, (2,), output=[1.0]), "output has 1 columns"),
        (lambda X: Network(X, (), output=[1.0]), "expected one column for each neuron"),
        (lambda X: Network(X, (2,), output=[[[1.0, 2.0]]]), "output have shape"),
    ],
)
def test_what_is_no_network_is_refused(make, words):
    with pytest.raises(InvalidInput, match=words):
        make(normal(4, 3))


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
