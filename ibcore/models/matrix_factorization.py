"""Matrix factorization: W = W_k ... W_1 or W = U U^T, seen through linear observations
<A_i, W>.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import pairwise
from math import sqrt
from typing import Self

import torch
from torch import Tensor

from ibcore.models.base import Model
from ibcore.models.deep_linear import bent, pulled
from ibcore.models.observations import Entries, Sensing
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)


@dataclass(frozen=True)
class DeepFactorization(Model):
    """f_i(theta) = <A_i, W_k ... W_1> with hidden `widths`, homogeneous of degree k = 1
    + len(widths), the depth.

    On the rows x_i as matrices (1, q) it is `DeepLinear`, whose closed forms it shares.
    For W (p, q) parameters `theta` (B, P) hold W_1 (widths[0], q), ..., W_k (p,
    widths[-1]), each row by row. `factorization(observations, depth)` has widths min(p,
    q), which leave the rank free. Without hidden layers W itself is trained.

    observations: how W is seen, such as `Entries`.
    widths: of the hidden layers.

    Raises `InvalidInput` for widths that are no positive integers. Source: Arora,
    Cohen, Hu and Luo (2019).

    >>> import torch
    >>> from ibcore import DeepFactorization, Entries
    >>> model = DeepFactorization(Entries([0, 1], [1, 0], (2, 2)), widths=(1,))
    >>> model.outputs(torch.tensor([[2.0, 3, 5, 7]]).double())  # (5, 7)^T (2, 3)
    tensor([[15., 14.]], dtype=torch.float64)
    """

    observations: Sensing | Entries
    widths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        for width in self.widths:
            positive_integer("width", width)

    @property
    def linear(self) -> bool:
        return not self.widths

    @property
    def like(self) -> Tensor:
        """A tensor whose dtype and device the parameters take."""
        return self.observations.like

    @property
    def degree(self) -> int:
        """k with f(c theta) = c^k f(theta): the depth."""
        return len(self.widths) + 1

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Shapes of W_1, ..., W_k."""
        rows, columns = self.observations.shape
        return tuple(
            (after, before) for before, after in pairwise((columns, *self.widths, rows))
        )

    @property
    def dimension(self) -> int:
        return sum(rows * columns for rows, columns in self.shapes)

    def matrices(self, theta: Tensor) -> list[Tensor]:
        """W_1, ..., W_k, each (..., rows, columns), of `theta` (..., P)."""
        parts = theta.split([rows * columns for rows, columns in self.shapes], -1)
        return [
            part.unflatten(-1, shape)
            for part, shape in zip(parts, self.shapes, strict=True)
        ]

    def product(self, theta: Tensor) -> Tensor:
        """W = W_k ... W_1 of `theta` (..., P), as (..., p, q)."""
        return reduce(lambda below, layer: layer @ below, self.matrices(theta))

    def select(self, members: Tensor) -> Self:
        """The model of these members (A,) of the batch."""
        return replace(self, observations=self.observations.of(members))

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every observation, (B, n)."""
        return self.observations.read(self.product(theta))

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df_i/dtheta, (B, P), for weights (B, n)."""
        blocks = pulled(self.matrices(theta), self.observations.spread(weights))
        return torch.cat([block.flatten(1) for block in blocks], -1)

    def jacobian(self, theta: Tensor) -> Tensor:
        """df_i/dtheta, (B, n, P)."""
        seen = self.observations.dense()
        seen = seen.expand(len(theta), *seen.shape[-3:])
        blocks = pulled(self.matrices(theta[:, None]), seen)
        return torch.cat([block.flatten(2) for block in blocks], -1)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f_i/dtheta^2, (B, P, P), for weights (B, n)."""
        return bent(self.matrices(theta), self.observations.spread(weights))


def factorization(observations: Sensing | Entries, depth: int) -> DeepFactorization:
    """W = W_k ... W_1 of `depth` k with hidden layers as wide as the smaller side of W:
    any rank is possible.
    """
    return DeepFactorization(
        observations,
        (min(observations.shape),) * (positive_integer("depth", depth) - 1),
    )


@dataclass(frozen=True)
class SymmetricFactorization(Model):
    """f_i(theta) = <A_i, U U^T> with U (d, `rank`), homogeneous of degree 2; W is
    positive semidefinite.

    Parameters `theta` (B, d rank) hold U row by row. rank: d by default, which leaves
    the rank of W free.
    """

    observations: Sensing | Entries
    rank: int | None = None

    degree = 2

    def __post_init__(self) -> None:
        rows, columns = self.observations.shape
        if rows != columns:
            raise InvalidInput(
                f"W has shape {(rows, columns)}, expected a square: U U^T is symmetric."
            )
        if self.rank is not None:
            positive_integer("rank", self.rank)

    @property
    def like(self) -> Tensor:
        """A tensor whose dtype and device the parameters take."""
        return self.observations.like

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(d, rank), the shape of U."""
        size = self.observations.shape[0]
        return size, self.rank or size

    @property
    def dimension(self) -> int:
        return self.shape[0] * self.shape[1]

    def factor(self, theta: Tensor) -> Tensor:
        """U (..., d, rank) of `theta` (..., P)."""
        return theta.reshape(*theta.shape[:-1], *self.shape)

    def product(self, theta: Tensor) -> Tensor:
        """W = U U^T of `theta` (..., P), as (..., d, d)."""
        factor = self.factor(theta)
        return factor @ factor.mT

    def select(self, members: Tensor) -> Self:
        """The model of these members (A,) of the batch."""
        return replace(self, observations=self.observations.of(members))

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every observation, (B, n)."""
        return self.observations.read(self.product(theta))

    def jacobian(self, theta: Tensor) -> Tensor:
        """df_i/dtheta = (A_i + A_i^T) U, (B, n, P)."""
        matrices = self.observations.dense()
        return ((matrices + matrices.mT) @ self.factor(theta)[:, None]).flatten(2)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df_i/dtheta, (B, P), for weights (B, n)."""
        matrix = self.observations.spread(weights)
        return ((matrix + matrix.mT) @ self.factor(theta)).flatten(1)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f_i/dtheta^2, (B, P, P): (M + M^T) for each column of U,
        M = sum_i weights_i A_i.
        """
        matrix = self.observations.spread(weights)
        eye = torch.eye(self.shape[1], dtype=theta.dtype, device=theta.device)
        return (
            torch.einsum("zap,bq->zabpq", matrix + matrix.mT, eye)
            .flatten(3)
            .flatten(1, 2)
        )


Factorization = DeepFactorization | SymmetricFactorization


def identity_start(model: Factorization, scale: object) -> Tensor:
    """Every factor equal to alpha I (cut to its shape) for each alpha of `scale` (B,):
    parameters (B, P).
    """
    alpha = real_tensor("scale", scale, ndim=1)
    shapes = model.shapes if isinstance(model, DeepFactorization) else (model.shape,)
    unit = torch.cat(
        [
            torch.eye(*shape, dtype=alpha.dtype, device=alpha.device).flatten()
            for shape in shapes
        ]
    )
    return alpha[:, None] * unit


def gaussian_start(
    model: Factorization, count: int, scale: float, generator: torch.Generator
) -> Tensor:
    """`count` parameters (count, P) with entries N(0, scale^2 / columns) in each
    factor, float64 on the CPU.
    """
    positive_integer("count", count)
    positive_number("scale", scale)
    shapes = model.shapes if isinstance(model, DeepFactorization) else (model.shape,)
    blocks = [
        torch.randn(count, rows * columns, generator=generator, dtype=torch.float64)
        * (scale / sqrt(columns))
        for rows, columns in shapes
    ]
    return torch.cat(blocks, -1)
