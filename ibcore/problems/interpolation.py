"""Regression data that linear predictors interpolate: fewer examples than dimensions,
no noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer


@dataclass(frozen=True)
class Interpolation:
    """Inputs X (..., n, d), targets y = X w* (..., n), the truth w* (..., d) and a
    start w_0 (..., d).
    """

    X: Tensor
    y: Tensor
    truth: Tensor
    start: Tensor

    @classmethod
    def stack(cls, problems: Sequence[Interpolation]) -> Interpolation:
        """One batch of problems of the same size."""
        return cls(
            *(
                torch.stack([getattr(p, name) for p in problems])
                for name in ("X", "y", "truth", "start")
            )
        )

    def to(self, device: torch.device) -> Interpolation:
        return Interpolation(
            self.X.to(device),
            self.y.to(device),
            self.truth.to(device),
            self.start.to(device),
        )

    def outputs(self, w: Tensor) -> Tensor:
        """X w for w (..., d)."""
        return (self.X @ w[..., None])[..., 0]

    def positive(self) -> Interpolation:
        """The same inputs with targets of the positive vector |w*| and the positive
        start |w_0| + 0.1.
        """
        truth = self.truth.abs()
        return Interpolation(self.X, self.outputs(truth), truth, self.start.abs() + 0.1)

    def null_directions(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` directions drawn uniformly from the unit sphere of null(X), for one
        problem: (count, d).
        """
        kernel = torch.linalg.svd(self.X)[2][self.X.shape[-2] :]
        v = torch.randn(count, len(kernel), generator=generator, dtype=self.X.dtype).to(
            self.X.device
        )
        return (v / torch.linalg.vector_norm(v, dim=-1, keepdim=True)) @ kernel


def isotropic_interpolation(
    n: int, d: int, generator: torch.Generator
) -> Interpolation:
    """Standard normal inputs, a truth uniform on the unit sphere, and a start of
    expected squared norm 1/4.

    Raises `InvalidInput` unless 1 <= n < d.
    """
    if positive_integer("n", n) >= positive_integer("d", d):
        raise InvalidInput(
            f"n is {n} and d is {d}, expected n < d: otherwise the data leave nothing "
            "open."
        )
    X, truth, start = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((n, d), (d,), (d,))
    )
    truth = truth / torch.linalg.vector_norm(truth)
    return Interpolation(X, X @ truth, truth, start / (2 * d**0.5))
