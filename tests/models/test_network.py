"""Fully connected networks: what they compute, their degree, their starts."""

from __future__ import annotations

import pytest
import torch

from ibcore.models.activations import LeakyReLU, SquaredReLU
from ibcore.models.network import Network, joined, of_neurons
from ibcore.validation import InvalidInput

ACTIVATIONS = [LeakyReLU(), LeakyReLU(0.3), SquaredReLU()]


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


@pytest.mark.parametrize("activation", ACTIVATIONS)
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
@pytest.mark.parametrize("activation", ACTIVATIONS)
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
