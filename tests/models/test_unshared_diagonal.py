import pytest
import torch
from torch.autograd.functional import hessian, jacobian

from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.models.unshared_diagonal import UnsharedDiagonal, shaped_start
from ibcore.validation import InvalidInput


@pytest.fixture
def net():
    return UnsharedDiagonal(
        torch.randn(
            3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
    )


@pytest.fixture
def theta():
    return torch.randn(
        2, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )


def test_derivatives_agree_with_automatic_ones(net, theta):
    weights = torch.randn(
        2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    for b in range(2):
        rows = jacobian(lambda x: net.outputs(x[None])[0], theta[b])
        torch.testing.assert_close(net.jacobian(theta)[b], rows)
        curvature = hessian(
            lambda x, b=b: weights[b] @ net.outputs(x[None])[0], theta[b]
        )
        torch.testing.assert_close(net.hessian(theta, weights)[b], curvature)
    pulled = (weights[:, None] @ net.jacobian(theta))[:, 0]
    torch.testing.assert_close(net.pullback(theta, weights), pulled)


def test_it_is_homogeneous_and_computes_its_coefficients(net, theta):
    torch.testing.assert_close(net.outputs(3 * theta), 9 * net.outputs(theta))
    torch.testing.assert_close(
        net.outputs(theta), net.coefficients(theta) @ net.inputs.T
    )
    assert (net.features, net.dimension, net.degree, net.linear) == (4, 16, 2, False)
    assert net.on(net.inputs[:1]).outputs(theta).shape == (2, 1)


def test_the_start_has_the_scale_and_the_shape_asked_for():
    u, v, minus_u, minus_v = shaped_start(3, 0.02, 0.9).chunk(4)
    torch.testing.assert_close(u * v, torch.full((3,), 0.02, dtype=torch.float64))
    torch.testing.assert_close(
        (u - v) / (u + v), torch.full((3,), 0.9, dtype=torch.float64)
    )
    assert torch.equal(u, minus_u)
    assert torch.equal(v, minus_v)


def test_flow_conserves_the_difference_of_squares(net):
    y = torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
    start = shaped_start(4, 0.1, 0.5)
    run = stiff_flow(net, y, start)
    assert run.complete
    u, v, _, _ = run.state.chunk(4)
    u0, v0, _, _ = start.chunk(4)
    torch.testing.assert_close(u**2 - v**2, u0**2 - v0**2, rtol=1e-7, atol=0)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="expected"):
        UnsharedDiagonal(torch.zeros(3))
    with pytest.raises(InvalidInput, match="shape"):
        shaped_start(3, 0.1, 1.0)
    with pytest.raises(InvalidInput, match="product"):
        shaped_start(3, 0.0, 0.5)
