"""Linear models on random features: a network whose first layer stays as it was drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)


@dataclass(frozen=True)
class RandomFourier:
    """x -> sqrt(2/N) cos(omega_j.x + b_j), j = 1..N.

    frequencies: omega, (d, N).      phases: b, (N,).
    The mean of phi(x).phi(x') over the draw is exp(-|x-x'|^2 / (2 l^2)) (Rahimi and
    Recht 2007).
    """

    frequencies: Tensor
    phases: Tensor

    def __post_init__(self) -> None:
        omega = real_tensor("frequencies", self.frequencies, ndim=2)
        phases = real_tensor("phases", self.phases, ndim=1)
        if omega.shape[1] != len(phases):
            raise InvalidInput(
                f"frequencies have shape {tuple(omega.shape)} and phases "
                f"{tuple(phases.shape)}, expected (d, N) and (N,)."
            )
        object.__setattr__(self, "frequencies", omega)
        object.__setattr__(self, "phases", phases.to(omega))

    @property
    def count(self) -> int:
        return len(self.phases)

    def first(self, count: int) -> RandomFourier:
        """The model with the first `count` features only."""
        return RandomFourier(
            self.frequencies[:, : self._within(count)], self.phases[:count]
        )

    def features(self, inputs: Tensor) -> Tensor:
        """Phi, (..., n, N), of inputs (..., n, d)."""
        return math.sqrt(2 / self.count) * torch.cos(
            inputs @ self.frequencies + self.phases
        )

    def rescaled(self, features: Tensor, count: int) -> Tensor:
        """The features (..., n, count) of `first(count)`, taken from `features` (...,
        n, N) of this model.
        """
        return math.sqrt(self.count / self._within(count)) * features[..., :count]

    def _within(self, count: int) -> int:
        if positive_integer("count", count) > self.count:
            raise InvalidInput(
                f"count is {count!r}, expected a number of features from 1 to "
                f"{self.count}."
            )
        return count


def draw_fourier(
    dimension: int,
    count: int,
    length_scale: float,
    generator: torch.Generator,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> RandomFourier:
    """`count` features of inputs in R^`dimension`: omega ~ N(0, I / l^2), l =
    `length_scale`, b uniform on [0, 2 pi].

    Raises `InvalidInput` for counts below 1 or a length scale that is not positive.
    """
    shape = (positive_integer("dimension", dimension), positive_integer("count", count))
    frequencies = torch.randn(
        shape, generator=generator, dtype=dtype
    ) / positive_number("length_scale", length_scale)
    phases = 2 * math.pi * torch.rand(count, generator=generator, dtype=dtype)
    return RandomFourier(frequencies.to(device), phases.to(device))
