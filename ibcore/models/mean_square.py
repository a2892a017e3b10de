"""The mean square loss of a network and its gradient, without forming the (B, n, P) Jacobian."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.models.two_layer import TwoLayerReLU


def mean_square_objective(
    model: TwoLayerReLU, targets: Tensor, theta: Tensor
) -> tuple[Tensor, Tensor]:
    """(1/n) sum_i (f(x_i) - y_i)^2, (B,), and its gradient, (B, P), at `theta` (B, P) for `targets` (n,) or (B, n).

    With r = (2/n)(f - y) and Z = X w^T + b the gradient is, for a, b and w in turn,
    relu(Z)^T r, sum_i gate_i and gate^T X, where gate = (r a^T) 1[Z > 0]; all over sqrt(width).
    """
    a, b, w = model.layers(theta)
    hidden = torch.baddbmm(
        b[..., None, :], model.inputs.expand(len(theta), *model.inputs.shape[-2:]), w.mT
    ).relu_()
    residual = (hidden @ a[..., None])[..., 0] / math.sqrt(model.width) - targets
    r = residual[..., None] * (2 / (residual.shape[-1] * math.sqrt(model.width)))
    gate = (r * a[..., None, :]).mul_(hidden > 0)
    gradient = torch.cat(
        [(hidden.mT @ r)[..., 0], gate.sum(-2), (gate.mT @ model.inputs).flatten(-2)],
        -1,
    )
    return residual.square().mean(-1), gradient
