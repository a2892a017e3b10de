import pytest
import torch

from ibcore.models.network import Network
from ibcore.models.wide import WideNetwork
from ibcore.oracles.tangent_kernel import finite_tangent_kernel
from ibcore.validation import InvalidInput


def points(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 5, 4, generator=generator, dtype=torch.float64)


def test_it_is_a_network_with_scaled_weights():
    X = points()
    net = WideNetwork(X, (6, 3), bias=0.5)
    theta = net.start(2, torch.Generator().manual_seed(1))
    factors = torch.cat(
        [
            torch.full((size,), factor).double()
            for size, factor in zip(
                (24, 6, 18, 3, 3, 1),
                (0.5, 0.5, 6**-0.5, 0.5, 3**-0.5, 0.5),
                strict=True,
            )
        ]
    )
    plain = Network(X, (6, 3), "relu")
    torch.testing.assert_close(net.outputs(theta), plain.outputs(theta * factors))


@pytest.mark.parametrize("biases", [True, False, "hidden"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("output", [None, [1.0, -2.0, 0.5]])
def test_the_tangent_kernel_is_that_of_the_jacobian(biases, activation, output):
    net = WideNetwork(
        points(), (6, 3), activation, biases=biases, output=output, bias=0.7
    )
    theta = net.start(2, torch.Generator().manual_seed(2))
    J = net.jacobian(theta)
    torch.testing.assert_close(net.tangent_kernel(theta), J @ J.mT)


@pytest.mark.parametrize("biases", [True, False])
def test_pulled_back_weights_are_gradients_of_the_outputs(biases):
    net = WideNetwork(points(), (6, 3), "tanh", biases=biases, bias=0.7)
    theta = net.start(2, torch.Generator().manual_seed(4)).requires_grad_()
    outputs, pull = net.vjp(theta.detach())
    torch.testing.assert_close(outputs, net.outputs(theta).detach())
    weights = torch.linspace(-1, 2, outputs.numel()).to(outputs).reshape(outputs.shape)
    (expected,) = torch.autograd.grad((net.outputs(theta) * weights).sum(), theta)
    torch.testing.assert_close(pull(weights), expected)


def test_the_tangent_kernel_is_that_of_an_independent_jacobian():
    """All fan-ins are 4, so that all scales are 1/2 and the kernel is a quarter of that
    in the scaled weights.
    """
    X = points()
    net = WideNetwork(X, (4, 4), bias=0.5)
    theta = net.start(2, torch.Generator().manual_seed(3))
    K = finite_tangent_kernel(theta / 2, X, (4, 4), "relu", 1)
    torch.testing.assert_close(net.tangent_kernel(theta), K / 4)


def test_a_bias_that_is_no_number_is_refused():
    with pytest.raises(InvalidInput, match="bias"):
        WideNetwork(points(), (3,), bias=float("nan"))
