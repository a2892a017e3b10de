"""Separable potentials psi of mirror descent and of Bregman divergences, once for
training and for what theory predicts: psi_1, its derivative, the mirror map, with its
inverse, and its second derivative, entry by entry on tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_number

_CLIP = 100.0  # of exponents, in steps that are refused anyway


class Potential(Protocol):
    """A strictly convex psi(w) = sum_i psi_1(w_i)."""

    def value(self, w: Tensor) -> Tensor:
        """psi_1."""

    def mirror(self, w: Tensor) -> Tensor:
        """psi_1'."""

    def unmirror(self, z: Tensor) -> Tensor:
        """The inverse of `mirror`."""

    def curvature(self, w: Tensor) -> Tensor:
        """psi_1''."""

    def in_units(self, size: float, /) -> tuple[Self, float]:
        """The potential of w / size, and the number by which its gradients are smaller."""


def power_mirror(w: Tensor, p: Tensor | float) -> Tensor:
    """sign(w) |w|^(p-1), the gradient of |w|_p^p / p."""
    return w.sign() * w.abs() ** (p - 1)


def power_unmirror(z: Tensor, p: Tensor | float) -> Tensor:
    """The inverse of `power_mirror`."""
    return z.sign() * z.abs() ** (1 / (p - 1))


def hypentropy(w: Tensor, beta: Tensor | float) -> Tensor:
    """w asinh(w / beta) - sqrt(w^2 + beta^2) + beta without cancellation, zero at zero."""
    scale = torch.as_tensor(beta, dtype=w.dtype, device=w.device)
    return w * torch.asinh(w / scale) - w**2 / (torch.hypot(w, scale) + scale)


@dataclass(frozen=True)
class PNorm:
    """psi(w) = |w|_p^p / p, p > 1.      Raises `InvalidInput` for other p."""

    p: float

    def __post_init__(self) -> None:
        if positive_number("p", self.p) <= 1:
            raise InvalidInput(
                f"p is {self.p!r}, expected a number above 1: otherwise psi is not "
                "strictly convex."
            )

    def value(self, w: Tensor) -> Tensor:
        return w.abs() ** self.p / self.p

    def mirror(self, w: Tensor) -> Tensor:
        return power_mirror(w, self.p)

    def unmirror(self, z: Tensor) -> Tensor:
        return power_unmirror(z, self.p)

    def curvature(self, w: Tensor) -> Tensor:
        return (self.p - 1) * w.abs() ** (self.p - 2)

    def in_units(self, size: float, /) -> tuple[Self, float]:
        exponent = torch.tensor(self.p - 1, dtype=torch.float64)
        return self, float(torch.tensor(size, dtype=torch.float64) ** exponent)


@dataclass(frozen=True)
class Hypentropy:
    """psi(w) = sum_i w_i asinh(w_i / beta) - sqrt(w_i^2 + beta^2) + beta, beta > 0
    (Ghai, Hazan and Singer 2020).
    """

    beta: float

    def __post_init__(self) -> None:
        positive_number("beta", self.beta)

    def value(self, w: Tensor) -> Tensor:
        return hypentropy(w, self.beta)

    def mirror(self, w: Tensor) -> Tensor:
        return torch.asinh(w / self.beta)

    def unmirror(self, z: Tensor) -> Tensor:
        return self.beta * torch.sinh(z.clamp(-_CLIP, _CLIP))

    def curvature(self, w: Tensor) -> Tensor:
        return 1 / torch.hypot(w, torch.full_like(w, self.beta))

    def in_units(self, size: float, /) -> tuple[Self, float]:
        return type(self)(self.beta / size), 1.0


@dataclass(frozen=True)
class Entropy:
    """psi(w) = sum_i w_i log w_i - w_i on positive w: exponentiated gradient."""

    def value(self, w: Tensor) -> Tensor:
        return w * torch.log(w) - w

    def mirror(self, w: Tensor) -> Tensor:
        return torch.log(w)

    def unmirror(self, z: Tensor) -> Tensor:
        return torch.exp(z.clamp(-_CLIP, _CLIP))

    def curvature(self, w: Tensor) -> Tensor:
        return 1 / w

    def in_units(self, _size: float, /) -> tuple[Self, float]:
        return self, 1.0
