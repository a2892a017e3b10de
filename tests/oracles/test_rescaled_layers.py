import math

import pytest
import torch

from ibcore.oracles.rescaled_layers import LayerBlocks, layer_blocks


@pytest.fixture
def network():
    generator = torch.Generator().manual_seed(2)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return normal(3, 7, 4), normal(3, 7), normal(3, 5, 4), normal(3, 5)


def hessian(inputs, targets, hidden, output):
    """By automatic differentiation of the mean square loss of one network."""
    size = hidden.numel()

    def loss(theta):
        w, a = theta[:size].reshape(hidden.shape), theta[size:]
        return (torch.relu(inputs @ w.T) @ a - targets).square().mean()

    point = torch.cat([hidden.flatten(), output])
    return torch.autograd.functional.hessian(loss, point), size


def test_blocks_are_those_of_the_hessian_at_any_loss(network):
    blocks = layer_blocks(*network)
    for k in range(3):
        matrix, size = hessian(*(part[k] for part in network))
        expected = (
            torch.linalg.eigvalsh(matrix[:size, :size])[-1],
            torch.linalg.eigvalsh(matrix[size:, size:])[-1],
            torch.linalg.matrix_norm(matrix[:size, size:], 2),
        )
        found = (blocks.hidden[k], blocks.output[k], blocks.coupling[k])
        assert [float(x) for x in found] == pytest.approx(
            [float(x) for x in expected], rel=1e-10
        )


@pytest.mark.parametrize("c", [0.2, 1.0, 5.0])
def test_bounds_hold_for_the_rescaled_network(network, c):
    lower, upper = layer_blocks(*network).bounds(torch.tensor([c]).double())
    inputs, targets, hidden, output = network
    for k in range(3):
        matrix, _ = hessian(inputs[k], targets[k], hidden[k] * c, output[k] / c)
        value = float(torch.linalg.eigvalsh(matrix)[-1])
        assert float(lower[0, k]) * (1 - 1e-9) <= value
        assert value <= float(upper[0, k]) * (1 + 1e-9)


def test_bounds_meet_at_both_ends_and_the_invariant_lies_at_the_bottom():
    one = torch.ones(1).double()
    blocks = LayerBlocks(8 * one, 2 * one, 3 * one)
    c = torch.logspace(-2, 2, 401).double()
    lower, upper = blocks.bounds(c)
    assert bool((lower <= upper).all())
    assert float(upper[-1] / lower[-1]) == pytest.approx(1, abs=1e-6)
    assert float(upper[0] / lower[0]) == pytest.approx(1, abs=1e-6)
    assert float(blocks.invariant) == 4
    lower, upper = blocks.bounds(math.sqrt(2) * one)
    assert float(lower) == pytest.approx(4)
    assert float(upper) == pytest.approx(7)


def test_a_neuron_on_the_edge_of_its_example_is_off():
    """w.x = 0: the slope of ReLU there is zero, as for automatic differentiation."""
    inputs = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]]).double()
    hidden = torch.tensor([[[0.0, 1.0], [3.0, 0.0]]]).double()
    output, targets = torch.tensor([[1.0, -2.0]]).double(), torch.ones(1, 3).double()
    blocks = layer_blocks(inputs, targets, hidden, output)
    matrix, size = hessian(inputs[0], targets[0], hidden[0], output[0])
    assert float(blocks.hidden) == pytest.approx(
        float(torch.linalg.eigvalsh(matrix[:size, :size])[-1])
    )
    assert float(blocks.coupling) == pytest.approx(
        float(torch.linalg.matrix_norm(matrix[:size, size:], 2))
    )
