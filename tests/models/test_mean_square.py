import pytest
import torch

from ibcore.models.mean_square import mean_square_objective
from ibcore.models.two_layer import TwoLayerReLU


@pytest.mark.parametrize("shared", [True, False])
def test_gradient_is_the_jacobian_applied_to_the_residual(shared):
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(
        *(() if shared else (3,)), 6, 2, generator=generator, dtype=torch.float64
    )
    y = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    model = TwoLayerReLU(X, 5)
    theta = torch.randn(3, model.dimension, generator=generator, dtype=torch.float64)
    loss, gradient = mean_square_objective(model, y, theta)
    rest = model.outputs(theta) - y
    torch.testing.assert_close(loss, rest.square().mean(-1))
    torch.testing.assert_close(
        gradient, 2 / 6 * (rest[:, None] @ model.jacobian(theta))[:, 0]
    )


def test_gradient_agrees_with_automatic_differentiation():
    generator = torch.Generator().manual_seed(1)
    X = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    y = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    model = TwoLayerReLU(X, 4)
    theta = torch.randn(
        2, model.dimension, generator=generator, dtype=torch.float64
    ).requires_grad_()
    (model.outputs(theta) - y).square().mean(-1).sum().backward()
    with torch.no_grad():
        torch.testing.assert_close(
            mean_square_objective(model, y, theta)[1], theta.grad
        )
