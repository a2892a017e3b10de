"""What a tangent kernel predicts of the first layer, and how far any training has to
move the weights.

For f(x) = m^(-1/2) sum_j a_j relu(w_j.x + b_j) with E a^2 = 1 and (w_j, b_j) alike in
all directions, of mean square d + 1; an input acts through u = (x, 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.oracles.kernels import output_layer_kernel, tangent_kernel
from ibcore.threads import threads


def first_layer_kernel(X: Tensor, Z: Tensor) -> Tensor:
    """The part of the tangent kernel that comes from the hidden weights and biases,
    (..., n, k).
    """
    return tangent_kernel(X, Z) - output_layer_kernel(X, Z)


@threads()
def limit_movement(X: Tensor, y: Tensor) -> Tensor:
    """The limit of sqrt(m) |W - W_0| / |W_0| for the first layer W as m grows, (...,),
    from f = 0 to a fit.

    To leading order theta - theta_0 = J^T K^{-1} y, so |W - W_0|^2 = y.K^{-1} K_W
    K^{-1} y, while |W_0|^2 = m (d + 1).      X: (..., n, d).      y: (..., n).
    """
    weights = torch.linalg.solve(tangent_kernel(X, X), y[..., None])
    squared = (weights.mT @ first_layer_kernel(X, X) @ weights)[..., 0, 0]
    return (squared / (X.shape[-1] + 1)).sqrt()


def least_movement(
    outputs: Tensor, X: Tensor, width: int, out: Tensor, hidden: Tensor
) -> Tensor:
    """What p + q + p q is at least, (...,), where f was zero and is `outputs` (..., n)
    at X (..., n, d).

    p and q are the relative movements of the output weights, of norm `out` (...,) at
    the start, and of the first layer, of norm `hidden`. Cauchy and Schwarz; however the
    weights were moved.
    """
    lengths = (X.square().sum(-1) + 1).sqrt()
    return width**0.5 * (outputs.abs() / lengths).amax(-1) / (out * hidden)


@threads()
def movement_spread(X: Tensor, y: Tensor, neurons: int = 20_000) -> Tensor:
    """Standard deviation of sqrt(m) times the relative error of
    `limit_movement`, (...,), that the start causes.

    Neurons in pairs, a_j = +-1 and (w_j, b_j) uniform on the sphere of
    radius sqrt(d + 1): the kernel is a mean over m / 2 draws, and with
    v = K^{-1} y the squared movement q changes by
    v.dK_W v - 2 v.dK K^{-1} K_W v, a sum over draws (delta method).
    """
    K, first = tangent_kernel(X, X), first_layer_kernel(X, X)
    v = torch.linalg.solve(K, y[..., None])
    back = torch.linalg.solve(K, first @ v)
    q = (v.mT @ first @ v)[..., 0, 0]
    u = torch.cat([X, torch.ones_like(X[..., :1])], -1)
    z = u @ _sphere(neurons, u).T
    gates, hidden = (z > 0).to(u), z.relu()
    push, pull = ((gates * part).mT @ u for part in (v, back))
    by_first = (push * (push - 2 * pull)).sum(-1)
    by_out = -2 * (hidden * v).sum(-2) * (hidden * back).sum(-2)
    return (by_first + by_out).std(-1) / (2 * q) * 2**0.5


def _sphere(count: int, like: Tensor) -> Tensor:
    """The same `count` points on the sphere of radius sqrt(d + 1) at every call, for
    inputs u (..., n, d + 1).
    """
    generator = torch.Generator().manual_seed(0)
    size = like.shape[-1]
    draws = torch.randn(count, size, generator=generator, dtype=torch.float64)
    return (draws / draws.norm(dim=-1, keepdim=True) * size**0.5).to(like)
