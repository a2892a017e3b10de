"""Networks with one hidden layer of squares that learn the table of a binary operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ibcore.models.base import Model
from ibcore.validation import positive_integer


@dataclass(frozen=True)
class TableNetwork(Model):
    """f(a, b)_c = sum_j w_jc (u_ja + v_jb)^2 for all pairs of a, b below `size` p:
    outputs (B, p^2, p).

    Homogeneous of degree 3. Parameters `theta` (B, 3 m p) hold for each of `width` m
    neurons u, v and w (p each), one neuron after the other. Inputs are the unit vectors
    of a and b, outputs the scores of all c (Gromov 2023).
    """

    size: int
    width: int

    def __post_init__(self) -> None:
        positive_integer("size", self.size, least=2)
        positive_integer("width", self.width)

    @property
    def dimension(self) -> int:
        return 3 * self.width * self.size

    def neurons(self, theta: Tensor) -> Tensor:
        """u, v and w of every neuron, (..., m, 3, p)."""
        return theta.unflatten(-1, (self.width, 3, self.size))

    def outputs(self, theta: Tensor) -> Tensor:
        u, v, w = self.neurons(theta).unbind(-2)
        hidden = (u[..., :, None] + v[..., None, :]).square().flatten(-2)
        return hidden.mT @ w

    def select(self, members: Tensor) -> Self:  # noqa: ARG002
        return self


def group_norm(neurons: Tensor) -> Tensor:
    """(sum_j |theta_j|^3)^(1/3), the L_(2,3) norm of neurons (..., m, 3, p), (...)."""
    return neurons.flatten(-2).norm(dim=-1).pow(3).sum(-1).pow(1 / 3)


def table_margins(outputs: Tensor, table: Tensor) -> Tensor:
    """f_right - f_c for the wrong c at every pair, (B, p^2 (p - 1)).

    outputs: (B, p^2, p).      table: the right c, (p, p) or (B, p, p).
    """
    p = outputs.shape[-1]
    right = table.flatten(-2).expand(len(outputs), -1)[..., None]
    others = (right + torch.arange(1, p, device=right.device)) % p
    return (outputs.gather(-1, right) - outputs.gather(-1, others)).flatten(1)
