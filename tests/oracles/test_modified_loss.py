"""Flows on modified losses against closed forms, another integrator, and finite
differences.
"""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from ibcore.losses import Square
from ibcore.models.network import Network
from ibcore.oracles.modified_loss import (
    first_error,
    modified_flow,
    modified_loss,
    network_errors,
    penalty_slopes,
    sharpness,
)
from ibcore.oracles.tangent_kernel import finite_tangent_kernel, network_output
from ibcore.validation import InvalidInput

CURVATURES = torch.tensor([0.5, 3.0], dtype=torch.float64)


def quadratic(theta):
    """(B, 1, 2) -> (B, 1): half of CURVATURES . theta^2."""
    return (CURVATURES * theta.square()).sum(-1) / 2


def shifted(theta):
    """(B, 2, 2) -> (B, 2): two quadratics whose mean is that of curvature 1 around 0."""
    centers = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    return (theta - centers).square().sum(-1) / 2


def points(count, size, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, size, generator=generator, dtype=torch.float64)


def test_a_quadratic_has_the_first_two_terms_of_the_logarithm():
    start = points(3, 2, 1)
    eta = torch.tensor([0.0, 0.1, 0.3], dtype=torch.float64)
    time = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    flow = modified_flow(quadratic, start, time, whole=eta / 4, shares=(0.5, 1.0))
    rates = CURVATURES + eta[:, None] * CURVATURES**2 / 2
    for share, theta in zip((0.5, 1.0), flow.theta, strict=True):
        expected = start * torch.exp(-share * time[:, None] * rates)
        torch.testing.assert_close(theta, expected, rtol=0, atol=1e-11)
    assert float(flow.difference.max()) < 1e-8


def test_the_first_error_of_a_quadratic():
    """(1 - eta lambda)^(T / eta) = e^(-lambda T) (1 - eta lambda^2 T / 2 + ...)."""
    start = points(3, 2, 2)
    time = torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64)
    found = first_error(quadratic, start, time)
    expected = (
        -start
        * torch.exp(-time[:, None] * CURVATURES)
        * CURVATURES**2
        * time[:, None]
        / 2
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


def test_penalties_of_two_batches():
    """|theta - c|^2 in the mean over c = +-e_1 is |theta|^2 + 1: the slopes of both
    penalties agree.
    """
    theta = points(4, 2, 3)
    none, one = torch.zeros(4).double(), torch.ones(4).double()
    bare = modified_loss(shifted, theta.requires_grad_(), 2, none, none)
    whole = modified_loss(shifted, theta, 2, one, none) - bare
    parts = modified_loss(shifted, theta, 2, none, one) - bare
    torch.testing.assert_close(whole, theta.square().sum(-1))
    torch.testing.assert_close(parts, theta.square().sum(-1) + 1)
    for slope in penalty_slopes(shifted, theta, 2):
        torch.testing.assert_close(slope, 2 * theta.detach())


def test_another_integrator_agrees_on_a_network():
    X, y = points(6, 2, 4), points(6, 1, 5)[:, 0]
    start = points(1, 17, 6) / 2
    flow = modified_flow(
        lambda theta: network_errors(theta, X, y).mean(-1),
        start,
        torch.ones(1).double(),
        whole=0.05,
    )

    def mean(theta):
        return network_errors(theta, X, y).mean()

    def modified(theta):
        return mean(theta) + 0.05 * torch.func.grad(mean)(theta).square().sum()

    def speed(_, theta):
        return -torch.func.grad(modified)(torch.from_numpy(theta)).numpy()

    other = solve_ivp(
        speed, (0, 1), start[0].numpy(), method="LSODA", rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(flow.theta[-1, 0].numpy(), other.y[:, -1], atol=1e-7)


def test_the_network_is_that_of_the_models():
    X, y = points(5, 3, 7), points(5, 1, 8)[:, 0]
    net = Network(X, (4,))
    theta = points(2, net.dimension, 9)
    errors = network_errors(theta, X, y)
    torch.testing.assert_close(errors, (net.outputs(theta) - y).square())
    torch.testing.assert_close(errors.mean(-1), Square().mean(net.outputs(theta), y))


def test_sharpness_is_that_of_the_full_hessian():
    theta = points(3, 2, 10)
    torch.testing.assert_close(
        sharpness(quadratic, theta), torch.full((3,), 3.0).double()
    )


def test_a_flow_that_ends_early_is_refused():
    with pytest.raises(InvalidInput, match="could not be followed"):
        modified_flow(
            lambda theta: -theta.pow(4).sum(-1),
            torch.ones(1, 1).double(),
            torch.ones(1).double(),
        )


@pytest.mark.parametrize(
    ("widths", "activation", "out"),
    [((5,), "tanh", 1), ((4, 3), "relu", 2), ((3, 3), "sigmoid", 1)],
)
def test_the_tangent_kernel_is_that_of_the_models_jacobian(widths, activation, out):
    X = points(8, 3, 11).reshape(2, 4, 3)
    net = Network(X, widths, activation, out)
    theta = points(2, net.dimension, 12)
    J = net.jacobian(theta).reshape(2, 4 * out, -1)
    K = finite_tangent_kernel(theta, X, widths, activation, out)
    torch.testing.assert_close(K, J @ J.mT)
    last = (widths[-1] + 1) * out
    K = finite_tangent_kernel(theta, X, widths, activation, out, last=last)
    torch.testing.assert_close(K, J[..., -last:] @ J[..., -last:].mT)
    single = network_output(theta[0], X[0, 0], widths, activation, out)
    torch.testing.assert_close(single, net.outputs(theta)[0, 0].reshape(out))


def test_gradient_descent_on_a_quadratic_is_off_by_the_first_error():
    """No integrator: the closed form of descent against that of the flow and of e."""
    lam, time, steps = 3.0, 1.0, 10_000
    eta = time / steps
    seen = ((1 - eta * lam) ** steps - math.exp(-lam * time)) / eta
    e = first_error(quadratic, torch.ones(1, 2).double(), torch.ones(1).double())
    assert seen == pytest.approx(float(e[0, 1]), rel=2e-3)
