"""Predictors whose zeros are a line, along which every example has a curvature of its
own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ibcore.models.base import Model, with_fields


@dataclass(frozen=True)
class Ravines(Model):
    """f_i(x, y) = sqrt(n h_i(y) / 2) x_i for n examples, with h_i(y) = floor_i + rate_i
    (y - center_i)^2.

    floor, rate, center: (B, n), floors and rates above 0.

    Parameters `theta` (B, n + 1) hold x_1, ..., x_n and y. With the square loss and
    targets 0 the mean loss is sum_i h_i(y) x_i^2 / 2: its zeros are the line x = 0, and
    there its Hessian has the eigenvalues h_1(y), ..., h_n(y) and 0. Example i alone has
    n h_i(y) and zeros.
    """

    floor: Tensor
    rate: Tensor
    center: Tensor
    rows: Tensor | None = None

    @property
    def examples(self) -> int:
        """n, or of a batch its size."""
        return self.floor.shape[-1] if self.rows is None else self.rows.shape[-1]

    def widths(self, y: Tensor) -> Tensor:
        """h_i(y), (B, n), for y (B,)."""
        return self.floor + self.rate * (y[:, None] - self.center).square()

    def outputs(self, theta: Tensor) -> Tensor:
        count = self.floor.shape[-1]
        across, along = theta[:, :count], theta[:, count]
        every = torch.sqrt(count / 2 * self.widths(along)) * across
        if self.rows is None:
            return every
        return every.gather(1, self.rows.expand(len(every), -1))

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        count = self.floor.shape[-1]
        if self.rows is not None:
            rows = self.rows.expand(len(theta), -1)
            weights = torch.zeros_like(theta[:, :count]).scatter_add(1, rows, weights)
        across, along = theta[:, :count], theta[:, count]
        roots = torch.sqrt(count / 2 * self.widths(along))
        bend = count / 2 * self.rate * (along[:, None] - self.center) / roots
        down = (weights * bend * across).sum(-1, keepdim=True)
        return torch.cat([weights * roots, down], -1)

    def select(self, members: Tensor) -> Self:
        fields = {
            name: getattr(self, name)[members] for name in ("floor", "rate", "center")
        }
        if self.rows is not None and self.rows.ndim == 2 and len(self.rows) > 1:
            fields["rows"] = self.rows[members]
        return with_fields(self, **fields)

    def minibatch(self, rows: Tensor) -> Self:
        chosen = rows if rows.ndim == 2 else rows[None]
        return with_fields(self, rows=chosen)
