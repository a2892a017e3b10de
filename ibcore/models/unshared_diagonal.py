"""Diagonal linear networks of two layers that share no weights: w = u+ v+ - u- v-."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.models.base import OnInputs
from ibcore.validation import InvalidInput, positive_number, real_number


@dataclass(frozen=True)
class UnsharedDiagonal(OnInputs):
    """The linear predictor x -> w.x with w = u+ v+ - u- v-, entry by entry, homogeneous
    of degree 2.

    Parameters `theta` (B, 4 d) hold u+, v+, u-, v- (d each). `inputs` are (n, d) or (B,
    n, d). This is the network of Azulay et al. (2021). Gradient flow conserves u+^2 -
    v+^2 and u-^2 - v-^2, entry by entry.
    """

    @property
    def features(self) -> int:
        return self.inputs.shape[-1]

    @property
    def dimension(self) -> int:
        return 4 * self.features

    @property
    def degree(self) -> int:
        """k with f(x; c theta) = c^k f(x; theta)."""
        return 2

    def on(self, inputs: Tensor) -> UnsharedDiagonal:
        """The same network on other inputs, (n, d)."""
        return replace(self, inputs=inputs)

    def coefficients(self, theta: Tensor) -> Tensor:
        """w (..., d) of `theta` (..., 4 d)."""
        u, v, minus_u, minus_v = theta.chunk(4, -1)
        return u * v - minus_u * minus_v

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return (self.inputs @ self.coefficients(theta)[..., None])[..., 0]

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, 4 d)."""
        inputs = torch.cat([self.inputs] * 4, -1)
        return inputs * self._partners(theta)[..., None, :]

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, 4 d), for weights (B, n)."""
        push = self._push(weights)
        return torch.cat([push] * 4, -1) * self._partners(theta)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:  # noqa: ARG002
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, 4 d, 4 d): pairs u+ with v+ and u-
        with v-.
        """
        push = torch.diag_embed(self._push(weights))
        partners = torch.tensor(
            [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, -1, 0]]
        ).to(push)
        return (
            torch.kron(partners, push)
            if push.ndim == 2
            else torch.stack([torch.kron(partners, p) for p in push])
        )

    def _push(self, weights: Tensor) -> Tensor:
        """sum_i weights_i x_i, (..., d)."""
        return (weights[..., None, :] @ self.inputs)[..., 0, :]

    def _partners(self, theta: Tensor) -> Tensor:
        """The other factor of each parameter, with the sign of its product, (..., 4 d)."""
        u, v, minus_u, minus_v = theta.chunk(4, -1)
        return torch.cat([v, u, -minus_v, -minus_u], -1)


def shaped_start(features: int, product: float, shape: float) -> Tensor:
    """u+ = u- = u0 and v+ = v- = v0 in every coordinate, so that w = 0: parameters (4
    d,), float64.

    product: alpha = u0 v0 > 0, the scale.   shape: s = (u0 - v0) / (u0 + v0) in (-1,
    1), 0 for equal layers.
    """
    positive_number("product", product)
    if not -1 < real_number("shape", shape) < 1:
        raise InvalidInput(
            f"shape is {shape!r}, expected a number between -1 and 1; at 1 one layer "
            "is zero."
        )
    mean = (product / ((1 - shape) * (1 + shape))) ** 0.5
    pair = torch.tensor([mean * (1 + shape), mean * (1 - shape)], dtype=torch.float64)
    return pair.repeat(2).repeat_interleave(features)
