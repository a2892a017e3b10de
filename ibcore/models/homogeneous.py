"""Two-layer networks f(x) = sum_j a_j phi(w_j.x) without biases, homogeneous in their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ibcore.models.base import OnInputs
from ibcore.validation import InvalidInput, positive_integer, real_number


class Activation(Protocol):
    """phi with phi(c z) = c^degree phi(z) for c > 0. `smooth` says that phi' is continuous."""

    @property
    def degree(self) -> int: ...

    @property
    def smooth(self) -> bool: ...

    def value(self, z: Tensor) -> Tensor: ...

    def slope(self, z: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class LeakyReLU:
    """phi(z) = max(z, slope_below z), with phi'(0) = `slope_below`; ReLU for `slope_below` = 0."""

    slope_below: float = 0.0
    degree = 1

    def __post_init__(self) -> None:
        if not 0 <= real_number("slope_below", self.slope_below) <= 1:
            raise InvalidInput(
                f"slope_below is {self.slope_below!r}, expected a number from 0 (ReLU) "
                f"to 1 (the identity)."
            )

    @property
    def smooth(self) -> bool:
        return self.slope_below == 1

    def value(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, z, self.slope_below * z)

    def slope(self, z: Tensor) -> Tensor:
        return torch.where(
            z > 0, torch.ones_like(z), torch.full_like(z, self.slope_below)
        )


@dataclass(frozen=True)
class SquaredReLU:
    """phi(z) = max(z, 0)^2, continuously differentiable."""

    degree = 2
    smooth = True

    def value(self, z: Tensor) -> Tensor:
        return z.relu().square()

    def slope(self, z: Tensor) -> Tensor:
        return 2 * z.relu()


@dataclass(frozen=True)
class TwoLayer(OnInputs):
    """`width` m neurons on `inputs`, (n, d) shared by the batch or (B, n, d), homogeneous of degree 1 + that of phi.

    Parameters `theta` (B, m (1 + d)) hold the output weights a (m) and then the input weights w (m d).
    A bias is a constant input.
    """

    width: int
    activation: Activation

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer("width", self.width)

    @property
    def features(self) -> int:
        return self.inputs.shape[-1]

    @property
    def dimension(self) -> int:
        return self.width * (1 + self.features)

    @property
    def degree(self) -> int:
        """k with f(x; c theta) = c^k f(x; theta)."""
        return 1 + self.activation.degree

    def layers(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Output weights (..., m) and input weights (..., m, d) of `theta` (..., P)."""
        a, w = theta.split([self.width, self.width * self.features], -1)
        return a, w.unflatten(-1, (self.width, self.features))

    def preactivations(self, theta: Tensor) -> Tensor:
        """w_j.x_i, (B, n, m)."""
        return self.inputs @ self.layers(theta)[1].mT

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        a, _ = self.layers(theta)
        return (self.activation.value(self.preactivations(theta)) @ a[..., None])[
            ..., 0
        ]

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P)."""
        a, z = self.layers(theta)[0], self.preactivations(theta)
        gated = self.activation.slope(z) * a[..., None, :]
        inputs = self.inputs.expand(len(theta), *self.inputs.shape[-2:])
        return torch.cat(
            [
                self.activation.value(z),
                (gated[..., None] * inputs[..., None, :]).flatten(-2),
            ],
            -1,
        )

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights (B, n)."""
        a, z = self.layers(theta)[0], self.preactivations(theta)
        by_a = (weights[..., None, :] @ self.activation.value(z))[..., 0, :]
        back = weights[..., None] * self.activation.slope(z) * a[..., None, :]
        return joined(by_a, back.mT @ self.inputs)


def joined(a: Tensor, w: Tensor) -> Tensor:
    """Parameters (..., P) of a `TwoLayer` network from output weights (..., m) and input weights (..., m, d)."""
    return torch.cat([a, w.flatten(-2)], -1)
