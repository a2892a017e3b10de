"""Activations phi with their first two derivatives, entry by entry: one class each."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ibcore.validation import InvalidInput, real_number


class Activation(ABC):
    """phi, phi' and phi''.

    degree: k with phi(c z) = c^k phi(z) for c > 0, or None.      smooth: phi' is
    continuous.
    lipschitz: the largest slope.      At a kink the slope is the one from the left and
    the curvature 0.
    """

    degree: ClassVar[int | None] = None
    smooth: bool = True
    lipschitz: ClassVar[float] = 1.0

    @property
    def name(self) -> str:
        """As a sentence calls it."""
        return type(self).__name__

    @abstractmethod
    def value(self, z: Tensor) -> Tensor:
        """phi(z)."""

    @abstractmethod
    def slope(self, z: Tensor) -> Tensor:
        """phi'(z)."""

    def curvature(self, z: Tensor) -> Tensor:
        """phi''(z), 0 unless an activation says more."""
        return torch.zeros_like(z)

    def slope_at(self, z: Tensor, value: Tensor) -> Tensor:  # noqa: ARG002
        """phi'(z) where phi(z) = `value` is known, which can be quicker."""
        return self.slope(z)


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """phi(z) = max(z, leak z): ReLU for leak 0, the identity for leak 1.

    Raises `InvalidInput` for a leak outside [0, 1].
    """

    leak: float = 0.0
    degree = 1

    def __post_init__(self) -> None:
        if not 0 <= real_number("leak", self.leak) <= 1:
            raise InvalidInput(
                f"leak is {self.leak!r}, expected a number from 0 (ReLU) to 1 (the "
                "identity)."
            )

    @property
    def name(self) -> str:
        return "ReLU" if self.leak == 0 else f"leaky ReLU ({self.leak:g})"

    @property
    def smooth(self) -> bool:  # type: ignore[override]
        return self.leak == 1

    def value(self, z: Tensor) -> Tensor:
        return torch.relu(z) if self.leak == 0 else torch.where(z > 0, z, self.leak * z)

    def slope(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, torch.ones_like(z), self.leak)

    def slope_at(self, z: Tensor, value: Tensor) -> Tensor:
        return value > 0 if self.leak == 0 else self.slope(z)


@dataclass(frozen=True)
class RightReLU(LeakyReLU):
    """ReLU with the slope 1 at its kink, the one from the right."""

    @property
    def name(self) -> str:
        return "ReLU, slope 1 at the kink"

    def slope(self, z: Tensor) -> Tensor:
        return (z >= 0).to(z)

    def slope_at(self, z: Tensor, value: Tensor) -> Tensor:  # noqa: ARG002
        return self.slope(z)


@dataclass(frozen=True)
class SquaredReLU(Activation):
    """phi(z) = max(z, 0)^2, continuously differentiable."""

    degree = 2
    lipschitz = math.inf

    def value(self, z: Tensor) -> Tensor:
        return torch.relu(z).square()

    def slope(self, z: Tensor) -> Tensor:
        return 2 * torch.relu(z)

    def curvature(self, z: Tensor) -> Tensor:
        return 2 * (z > 0).to(z)


@dataclass(frozen=True)
class Identity(Activation):
    """phi(z) = z."""

    degree = 1

    def value(self, z: Tensor) -> Tensor:
        return z

    def slope(self, z: Tensor) -> Tensor:
        return torch.ones_like(z)


@dataclass(frozen=True)
class Tanh(Activation):
    """phi(z) = tanh z."""

    def value(self, z: Tensor) -> Tensor:
        return torch.tanh(z)

    def slope(self, z: Tensor) -> Tensor:
        return 1 / torch.cosh(z) ** 2

    def curvature(self, z: Tensor) -> Tensor:
        return -2 * torch.tanh(z) * self.slope(z)

    def slope_at(self, z: Tensor, value: Tensor) -> Tensor:  # noqa: ARG002
        return 1 - value.square()


@dataclass(frozen=True)
class Softplus(Activation):
    """phi(z) = log(1 + e^z)."""

    def value(self, z: Tensor) -> Tensor:
        return functional.softplus(z, threshold=40.0)

    def slope(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z)

    def curvature(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z) * torch.sigmoid(-z)


@dataclass(frozen=True)
class Sigmoid(Activation):
    """phi(z) = 1/(1 + e^-z)."""

    lipschitz = 0.25

    def value(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z)

    def slope(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z) * torch.sigmoid(-z)

    def curvature(self, z: Tensor) -> Tensor:
        return (1 - 2 * torch.sigmoid(z)) * self.slope(z)

    def slope_at(self, z: Tensor, value: Tensor) -> Tensor:  # noqa: ARG002
        return value * (1 - value)


@dataclass(frozen=True)
class ELU(Activation):
    """phi(z) = z for z > 0, e^z - 1 below (Clevert, Unterthiner and Hochreiter 2016)."""

    def value(self, z: Tensor) -> Tensor:
        return functional.elu(z)

    def slope(self, z: Tensor) -> Tensor:
        return self.slope_at(z, self.value(z))

    def curvature(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, 0.0, torch.exp(z.clamp(max=0)))

    def slope_at(self, z: Tensor, value: Tensor) -> Tensor:  # noqa: ARG002
        return 1 + value.clamp(max=0)


@dataclass(frozen=True)
class GELU(Activation):
    """phi(z) = z Phi(z) with the normal distribution Phi (Hendrycks and Gimpel 2016)."""

    lipschitz = 1.1290  # at z = sqrt 2, rounded upwards

    def value(self, z: Tensor) -> Tensor:
        return functional.gelu(z)

    def slope(self, z: Tensor) -> Tensor:
        return torch.special.ndtr(z) + z * _normal_density(z)

    def curvature(self, z: Tensor) -> Tensor:
        return (2 - z.square()) * _normal_density(z)


def _normal_density(z: Tensor) -> Tensor:
    return torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)


RELU = LeakyReLU(0.0)
ACTIVATIONS: dict[str, Activation] = {
    "tanh": Tanh(),
    "relu": RELU,
    "squared_relu": SquaredReLU(),
    "elu": ELU(),
    "softplus": Softplus(),
    "gelu": GELU(),
    "sigmoid": Sigmoid(),
    "identity": Identity(),
}
