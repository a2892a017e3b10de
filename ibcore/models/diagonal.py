"""Diagonal linear networks beta = u^k - v^k."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.models.base import OnInputs
from ibcore.validation import positive_integer, real_tensor


@dataclass(frozen=True)
class Diagonal(OnInputs):
    """The linear predictor x -> beta.x with beta = u^k - v^k, entry by entry,
    homogeneous of degree `depth` k.

    Parameters `theta` (B, 2 d) hold u (d) and then v (d). `inputs` are (n, d), shared
    by the batch, or (B, n, d). For k = 2 this is the network of Woodworth et al.
    (2020); for u, v > 0 it is a network of k diagonal layers with a second copy for
    negative coefficients, all layers of a copy starting equal (which gradient flow
    preserves).

    Raises `InvalidInput` for inputs that are no finite numbers in one of these shapes,
    and a depth that is no positive integer.

    >>> import torch
    >>> from ibcore import Diagonal
    >>> model, theta = Diagonal([[1.0, 10.0]]), torch.tensor([[3.0, 2, 1, 1]]).double()
    >>> model.outputs(theta)  # beta = (9 - 1, 4 - 1)
    tensor([[38.]], dtype=torch.float64)
    """

    depth: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer("depth", self.depth)

    @property
    def linear(self) -> bool:
        return self.depth == 1

    @property
    def features(self) -> int:
        return self.inputs.shape[-1]

    @property
    def dimension(self) -> int:
        return 2 * self.features

    @property
    def degree(self) -> int:
        """k with f(x; c theta) = c^k f(x; theta)."""
        return self.depth

    def on(self, inputs: Tensor) -> Diagonal:
        """The same network on other inputs, (n, d) or (B, n, d)."""
        return replace(self, inputs=inputs)

    def coefficients(self, theta: Tensor) -> Tensor:
        """beta (..., d) of `theta` (..., 2 d)."""
        u, v = theta.chunk(2, -1)
        return u**self.depth - v**self.depth

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return (self.inputs @ self.coefficients(theta)[..., None])[..., 0]

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, 2 d)."""
        u, v = (self.depth * part ** (self.depth - 1) for part in theta.chunk(2, -1))
        return torch.cat(
            [self.inputs * u[..., None, :], -self.inputs * v[..., None, :]], -1
        )

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, 2 d), for weights (B, n)."""
        u, v = (self.depth * part ** (self.depth - 1) for part in theta.chunk(2, -1))
        push = (weights[..., None, :] @ self.inputs)[..., 0, :]
        return torch.cat([u * push, -v * push], -1)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, 2 d, 2 d): diagonal."""
        u, v = (
            self.depth * (self.depth - 1) * part ** max(self.depth - 2, 0)
            for part in theta.chunk(2, -1)
        )
        push = (weights[..., None, :] @ self.inputs)[..., 0, :]
        return torch.diag_embed(torch.cat([u * push, -v * push], -1))


def even_start(features: int, scale: Tensor) -> Tensor:
    """u = v = alpha in every coordinate for each alpha of `scale` (B,): parameters (B,
    2 d) with beta = 0.
    """
    alpha = real_tensor("scale", scale, ndim=1)
    size = 2 * positive_integer("features", features)
    return alpha[:, None].expand(-1, size).clone()
