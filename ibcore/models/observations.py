"""Linear observations of a matrix: products with given matrices, or single entries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from ibcore.validation import (
    InvalidInput,
    data_tensor,
    indices,
    positive_integer,
)


@dataclass(frozen=True)
class Sensing:
    """Observations <A_i, W> = tr(A_i^T W) through dense `matrices`, (n, p, q) shared by
    the batch or (B, n, p, q).
    """

    matrices: Tensor

    def __post_init__(self) -> None:
        matrices = data_tensor(
            "matrices",
            self.matrices,
            ndims=(3, 4),
            shape="(n, p, q) or (B, n, p, q)",
        )
        object.__setattr__(self, "matrices", matrices)

    @property
    def like(self) -> Tensor:
        """A tensor whose dtype and device the parameters take."""
        return self.matrices

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(p, q), the shape of W."""
        return self.matrices.shape[-2], self.matrices.shape[-1]

    @cached_property
    def _rows(self) -> Tensor:
        """Each matrix as one row, (n, p q) or (B, n, p q)."""
        return self.matrices.flatten(-2)

    def read(self, product: Tensor) -> Tensor:
        """<A_i, W> for W (B, p, q), as (B, n)."""
        if self.matrices.ndim == 3:
            return product.flatten(-2) @ self._rows.mT
        return (self._rows @ product.flatten(-2)[..., None])[..., 0]

    def spread(self, weights: Tensor) -> Tensor:
        """sum_i weights_i A_i for weights (B, n), as (B, p, q)."""
        flat = (
            weights @ self._rows
            if self.matrices.ndim == 3
            else (weights[..., None, :] @ self._rows)[..., 0, :]
        )
        return flat.reshape(*flat.shape[:-1], *self.shape)

    def dense(self) -> Tensor:
        """The matrices A_i, (n, p, q) or (B, n, p, q)."""
        return self.matrices

    def of(self, members: Tensor) -> Sensing:
        """The same observations for some members of the batch, given by indices or
        booleans.
        """
        return (
            self
            if self.matrices.ndim == 3
            else replace(self, matrices=self.matrices[members])
        )


@dataclass(frozen=True)
class Entries:
    """Observations W[rows_i, columns_i] of single entries, as in matrix completion: A_i
    = e_row e_column^T.

    rows, columns: integers (n,), shared by the batch, or (B, n).
    shape: (p, q) of W.
    like: a tensor whose dtype and device `dense` takes.

    Raises `InvalidInput` for indices that are no integers, do not lie in the shape or
    are not one row and one column for each entry.

    >>> import torch
    >>> from ibcore import Entries
    >>> Entries([0, 1], [1, 0], (2, 2)).read(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[2., 3.]])
    """

    rows: Tensor
    columns: Tensor
    shape: tuple[int, int]
    like: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            object.__setattr__(self, name, indices(name, getattr(self, name)))
        sides = tuple(positive_integer("shape", side) for side in self.shape)
        object.__setattr__(self, "shape", sides)
        if self.rows.shape != self.columns.shape or self.rows.ndim not in (1, 2):
            raise InvalidInput(
                f"rows have shape {tuple(self.rows.shape)} and columns "
                f"{tuple(self.columns.shape)}; expected both (n,) or both (B, n)."
            )
        for name, index, size in (
            ("rows", self.rows, self.shape[0]),
            ("columns", self.columns, self.shape[1]),
        ):
            if bool(((index < 0) | (index >= size)).any()):
                raise InvalidInput(
                    f"{name} must be integers from 0 to {size - 1}, the indices of a "
                    f"matrix of shape {self.shape}; got values from {index.min()} to "
                    f"{index.max()}."
                )

    @cached_property
    def places(self) -> Tensor:
        """Indices of the entries in the flattened W, (n,) or (B, n)."""
        return self.rows * self.shape[1] + self.columns

    def read(self, product: Tensor) -> Tensor:
        """The observed entries of W (B, p, q), as (B, n)."""
        return product.flatten(-2).gather(
            -1, self.places.expand(*product.shape[:-2], -1)
        )

    def spread(self, weights: Tensor) -> Tensor:
        """The matrix with `weights` (B, n) at the observed entries, (B, p, q); repeated
        entries add up.
        """
        empty = weights.new_zeros(*weights.shape[:-1], self.shape[0] * self.shape[1])
        return empty.scatter_add(-1, self.places.expand_as(weights), weights).unflatten(
            -1, self.shape
        )

    def dense(self) -> Tensor:
        """The matrices A_i, (n, p, q) or (B, n, p, q)."""
        size = self.shape[0] * self.shape[1]
        return (
            torch.nn.functional.one_hot(self.places, size)
            .to(self.like)
            .unflatten(-1, self.shape)
        )

    def of(self, members: Tensor) -> Entries:
        """The same observations for some members of the batch, given by indices or
        booleans.
        """
        if self.rows.ndim == 1:
            return self
        return replace(self, rows=self.rows[members], columns=self.columns[members])
