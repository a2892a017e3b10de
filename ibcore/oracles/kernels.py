"""Kernels of infinitely wide two-layer ReLU networks, and the interpolants that they
predict.

The network is f(x) = m^(-1/2) sum_j a_j relu(w_j.x + b_j) with a, b, w standard normal,
so an input x acts through u = (x, 1). For a start of standard deviation s multiply a
kernel by s^2; interpolants do not change. For b y they are multiplied by b. The units
of x matter: they are measured against the bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.oracles.equations import failures_in_words
from ibcore.threads import threads
from ibcore.validation import InvalidInput, real_tensor

Kernel = Callable[[Tensor, Tensor], Tensor]


def output_layer_kernel(X: Tensor, Z: Tensor) -> Tensor:
    """E relu(w.x + b) relu(w.z + b), the arc-cosine kernel of order 1 (Cho and Saul
    2009): (..., n, k).

    The tangent kernel of the output weights alone, and of the whole network while its
    output weights are zero. X (..., n, d), Z (..., k, d).
    """
    angle, lengths = _angle(X, Z)
    return (
        lengths
        * (torch.sin(angle) + (math.pi - angle) * torch.cos(angle))
        / (2 * math.pi)
    )


@threads()
def tangent_kernel(X: Tensor, Z: Tensor) -> Tensor:
    """The tangent kernel of all weights at a start with E a^2 = 1 (Jacot, Gabriel and
    Hongler 2018): (..., n, k).

    The output layer contributes the arc-cosine kernel of order 1, the hidden layer the
    kernel of order 0 times u.v. That one has a corner where x = z, and so has every
    interpolant made of it.
    """
    angle, lengths = _angle(X, Z)
    gates = (math.pi - angle) / (2 * math.pi)
    return output_layer_kernel(X, Z) + gates * lengths * torch.cos(angle)


@dataclass(frozen=True)
class KernelInterpolant:
    """The function of least norm through the data, f(z) = k(z, X) K^{-1} y.

    weights (..., n): K^{-1} y.      norm (...): y.K^{-1} y under a root.
    residual (...): |K weights - y| / |y|.      condition (...): of K, in the 2-norm.
    """

    kernel: Kernel
    X: Tensor
    weights: Tensor
    norm: Tensor
    residual: Tensor
    condition: Tensor

    def __call__(self, Z: Tensor) -> Tensor:
        """Values at Z (..., k, d): (..., k)."""
        return (self.kernel(Z, self.X) @ self.weights[..., None])[..., 0]


@threads()
def kernel_interpolant(kernel: Kernel, X: object, y: object) -> KernelInterpolant:
    """Ridgeless kernel regression: inputs `X` (..., n, d), targets `y` (..., n).

    Raises `InvalidInput` if the inputs are not distinct to rounding, so that K cannot
    be inverted.
    """
    inputs = real_tensor("X", X)
    targets = real_tensor("y", y).to(inputs)
    if inputs.shape[:-1] != targets.shape:
        raise InvalidInput(
            f"X has shape {tuple(inputs.shape)} and y {tuple(targets.shape)}; expected "
            "one target an input: X (..., n, d) and y (..., n)."
        )
    gram = kernel(inputs, inputs)
    with failures_in_words("the kernel matrix"):
        values = torch.linalg.eigvalsh(gram)
    condition = (values[..., -1] / values[..., 0]).where(values[..., 0] > 0, math.inf)
    if not bool((condition < 0.1 / torch.finfo(values.dtype).eps).all()):
        raise InvalidInput(
            "the kernel matrix is singular to rounding, expected inputs that are "
            "clearly distinct. Merge inputs that (almost) coincide."
        )
    size = targets.abs().amax(-1, keepdim=True)
    size = size.where(size > 0, torch.ones_like(size))
    unit = targets / size
    weights = torch.linalg.solve(gram, unit[..., None])
    weights = (weights + torch.linalg.solve(gram, unit[..., None] - gram @ weights))[
        ..., 0
    ]
    fitted = (gram @ weights[..., None])[..., 0]
    residual = (fitted - unit).norm(dim=-1) / unit.norm(dim=-1).clamp(min=0.5)
    norm = (weights * unit).sum(-1).clamp(min=0).sqrt() * size[..., 0]
    weights = weights * size
    return KernelInterpolant(kernel, inputs, weights, norm, residual, condition)


def _angle(X: Tensor, Z: Tensor) -> tuple[Tensor, Tensor]:
    """Angle between (x, 1) and (z, 1) and product of their lengths, both (..., n, k).

    2 atan2(|u - v|, |u + v|) for unit vectors keeps small angles that the inverse
    cosine rounds away.
    """
    u, v = (
        torch.cat([points, torch.ones_like(points[..., :1])], -1) for points in (X, Z)
    )
    length_u, length_v = u.norm(dim=-1, keepdim=True), v.norm(dim=-1, keepdim=True)
    u, v = (u / length_u)[..., :, None, :], (v / length_v)[..., None, :, :]
    angle = 2 * torch.atan2((u - v).norm(dim=-1), (u + v).norm(dim=-1))
    return angle, length_u * length_v.mT
