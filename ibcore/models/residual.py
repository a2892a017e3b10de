"""A two-layer network of squares with terms of lower degree: nearly homogeneous."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.models.base import OnInputs
from ibcore.validation import positive_integer, real_number


@dataclass(frozen=True)
class ResidualSquares(OnInputs):
    """f(x) = sum_j a_j (z_j^2 + c z_j) + c (v.x + b), z_j = w_j.x, on `inputs` (n, d)
    or (B, n, d), with c = `lower`.

    An activation that is no power, a linear connection that skips the layer, and an
    output bias. For c = 0 it is homogeneous of degree 3. Parameters `theta` (B, m + m d
    + d + 1) hold a, w, v and b, for `width` m.
    """

    width: int
    lower: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer("width", self.width)
        real_number("lower", self.lower)

    @property
    def features(self) -> int:
        return self.inputs.shape[-1]

    @property
    def dimension(self) -> int:
        return self.width * (1 + self.features) + self.features + 1

    @property
    def degree(self) -> int:
        """Of the leading part."""
        return 3

    def leading(self) -> ResidualSquares:
        """The homogenization, lim f(x; c theta) / c^3, on the same parameters."""
        return replace(self, lower=0.0)

    def parts(self, theta: Tensor) -> tuple[Tensor, ...]:
        """a (..., m), w (..., m, d), v (..., d) and b (..., 1)."""
        sizes = [self.width, self.width * self.features, self.features, 1]
        a, w, v, b = theta.split(sizes, -1)
        return a, w.unflatten(-1, (self.width, self.features)), v, b

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        a, w, v, b = self.parts(theta)
        z = self.inputs @ w.mT
        hidden = ((z.square() + self.lower * z) @ a[..., None])[..., 0]
        return hidden + self.lower * ((self.inputs @ v[..., None])[..., 0] + b)

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P)."""
        a, w, *_ = self.parts(theta)
        z = self.inputs @ w.mT
        inputs = self.inputs.expand(*z.shape[:-1], -1)
        gated = (2 * z + self.lower) * a[..., None, :]
        by_w = (gated[..., None] * inputs[..., None, :]).flatten(-2)
        ones = torch.full_like(z[..., :1], self.lower)
        parts = [z.square() + self.lower * z, by_w, self.lower * inputs, ones]
        return torch.cat(parts, -1)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, P, P), for weights (B, n)."""
        m, d, batch = self.width, self.features, len(theta)
        a, w, *_ = self.parts(theta)
        z = self.inputs @ w.mT
        second = 2 * (self.inputs.mT * weights[..., None, :]) @ self.inputs
        mixed = (weights[..., None] * (2 * z + self.lower)).mT @ self.inputs
        found = theta.new_zeros(batch, self.dimension, self.dimension)
        blocks = found[:, m : m + m * d, m : m + m * d].unflatten(1, (m, d))
        blocks = blocks.unflatten(-1, (m, d))
        rows = found[:, :m, m : m + m * d].unflatten(-1, (m, d))
        own = torch.arange(m)
        blocks[:, own, :, own] = (
            a.mT[:, :, None, None] * second.expand(batch, d, d)[None]
        )
        rows[:, own, own] = mixed
        found[:, m : m + m * d, :m] = found[:, :m, m : m + m * d].mT
        return found
