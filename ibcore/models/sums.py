"""The sum of several models on the same inputs, each with parameters of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ibcore.models.base import Model, with_fields
from ibcore.validation import InvalidInput, positive_integer


@dataclass(frozen=True)
class Sum(Model):
    """f(x) = f_1(x; theta_1) + f_2(x; theta_2) + ... for `parts` with `dimensions`
    parameters each.

    Parameters `theta` (B, P) hold theta_1, theta_2, ... one after the other.
    """

    parts: Sequence[Model]
    dimensions: Sequence[int]

    def __post_init__(self) -> None:
        if not self.parts or len(self.parts) != len(self.dimensions):
            raise InvalidInput(
                f"{len(self.parts)} parts and {len(self.dimensions)} dimensions, "
                "expected one dimension a part, and at least one part."
            )
        for size in self.dimensions:
            positive_integer("dimension", size)

    @property
    def like(self) -> Tensor | None:
        """A tensor whose dtype and device the parameters take, where the first part
        names one.
        """
        return getattr(self.parts[0], "like", None)

    @property
    def dimension(self) -> int:
        return sum(self.dimensions)

    @property
    def linear(self) -> bool:
        return all(part.linear for part in self.parts)

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return self.contributions(theta).sum(0)

    def contributions(self, theta: Tensor) -> Tensor:
        """Every part's output, (parts, B, n)."""
        pieces = theta.split(list(self.dimensions), -1)
        return torch.stack(
            [
                part.outputs(piece)
                for part, piece in zip(self.parts, pieces, strict=True)
            ]
        )

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P)."""
        pieces = theta.split(list(self.dimensions), -1)
        return torch.cat(
            [
                part.jacobian(piece)
                for part, piece in zip(self.parts, pieces, strict=True)
            ],
            -1,
        )

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights (B, n)."""
        pieces = theta.split(list(self.dimensions), -1)
        return torch.cat(
            [
                part.pullback(piece, weights)
                for part, piece in zip(self.parts, pieces, strict=True)
            ],
            -1,
        )

    def select(self, members: Tensor) -> Self:
        return with_fields(self, parts=[part.select(members) for part in self.parts])

    def minibatch(self, rows: Tensor) -> Self:
        return with_fields(self, parts=[part.minibatch(rows) for part in self.parts])
