"""The mean square loss of a network and its gradient, without forming the (B, n, P) Jacobian."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.models.two_layer import TwoLayerReLU


def mean_square_objective(
    model: TwoLayerReLU, targets: Tensor, theta: Tensor
) -> tuple[Tensor, Tensor]:
    """(1/n) sum_i (f(x_i) - y_i)^2, (B,), and its gradient, (B, P).

    theta: (B, P).   targets: (n,) or (B, n).

    With r = (2/n)(f - y) and Z = X w^T + b the gradient is, for a, b and w
    in turn, relu(Z)^T r, sum_i gate_i and gate^T X, where
    gate = (r a^T) 1[Z > 0]; all over sqrt(width).
    """
    a, b, w = model.layers(theta)
    X, root = model.inputs, math.sqrt(model.width)
    batch = X.expand(len(theta), *X.shape[-2:])
    hidden = torch.baddbmm(b[..., None, :], batch, w.mT).relu_()
    residual = (hidden @ a[..., None])[..., 0] / root - targets
    r = residual[..., None] * (2 / (residual.shape[-1] * root))
    gate = (r * a[..., None, :]).mul_(hidden > 0)
    gradient = torch.cat(
        [
            (hidden.mT @ r)[..., 0],
            gate.sum(-2),
            (gate.mT @ X).flatten(-2),
        ],
        -1,
    )
    return residual.square().mean(-1), gradient
