"""The network and its tangent kernel against the modules and gradients of PyTorch."""

import pytest
import torch
from torch import nn

from ibcore.oracles.tangent_kernel import finite_tangent_kernel, network_output
from tests.cases import normal

PHI = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def module(widths, activation, out, d=3):
    layers = []
    for fan_in, width in zip((d, *widths), (*widths, out), strict=True):
        layers += [nn.Linear(fan_in, width, dtype=torch.float64), PHI[activation]()]
    net = nn.Sequential(*layers[:-1])
    count = sum(p.numel() for p in net.parameters())
    theta = normal(count, seed=len(widths))
    nn.utils.vector_to_parameters(theta, net.parameters())
    return net, theta


@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize(("widths", "out"), [((), 2), ((4,), 1), ((5, 4), 3)])
def test_outputs_and_kernel_are_those_of_pytorch(widths, out, activation):
    net, theta = module(widths, activation, out)
    X = normal(4, 3, seed=9)
    rows = []
    for x in X:
        found = network_output(theta, x, widths, activation, out)
        torch.testing.assert_close(found, net(x).detach())
        for k in range(out):
            gradients = torch.autograd.grad(net(x)[k], list(net.parameters()))
            rows.append(torch.cat([g.flatten() for g in gradients]))
    J = torch.stack(rows)
    kernel = finite_tangent_kernel(theta[None], X[None], widths, activation, out)
    torch.testing.assert_close(kernel[0], J @ J.mT)


def test_of_the_last_layer_alone_it_is_the_kernel_of_features():
    """J = (features, 1): the inner product of the hidden outputs, and 1 of the bias."""
    widths = (6,)
    net, theta = module(widths, "tanh", 1)
    X = normal(5, 3, seed=8)
    features = net[:2](X).detach()
    kernel = finite_tangent_kernel(theta[None], X[None], widths, "tanh", 1, last=7)
    torch.testing.assert_close(kernel[0], features @ features.mT + 1)
    bias = finite_tangent_kernel(theta[None], X[None], widths, "tanh", 1, last=1)
    assert bool((bias == 1).all())


def test_members_have_their_own_parameters_and_points():
    widths, theta, X = (4,), normal(3, 25, seed=7), normal(3, 2, 4, seed=6)
    kernels = finite_tangent_kernel(theta, X, widths, "relu", 1)
    assert kernels.shape == (3, 2, 2)
    for b in range(3):
        alone = finite_tangent_kernel(theta[b : b + 1], X[b : b + 1], widths, "relu", 1)
        torch.testing.assert_close(kernels[b], alone[0])
