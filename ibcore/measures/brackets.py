"""Lie brackets of the gradients of a parametrization: whether the order of two steps
matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Coordinates(Protocol):
    """A map G with outputs G_1, ..., G_m, its Jacobian and the Hessians of its weighted
    sums.
    """

    def jacobian(self, theta: Tensor) -> Tensor: ...

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Brackets:
    """The brackets [V_i, V_j] = DV_j V_i - DV_i V_j of V_i = grad G_i at one point.

    vectors: (m, m, P).      seen: (m, m, m), J [V_i, V_j], by which they move the
    coordinates G.
    size: the root of the sum of |[V_i, V_j]|^2 over all pairs, over that of |DV_j
    V_i|^2 + |DV_i V_j|^2: from 0, where all fields commute, to the root of 2. NaN where
    the second sum is 0, as it is for a linear map.
    """

    vectors: Tensor
    seen: Tensor
    size: float


def brackets(coordinates: Coordinates, theta: Tensor) -> Brackets:
    """All [V_i, V_j] at theta (P,), by first and second derivatives."""
    fields = coordinates.jacobian(theta[None])[0]
    units = torch.eye(len(fields)).to(fields)
    hessians = torch.stack(
        [coordinates.hessian(theta[None], unit[None])[0] for unit in units]
    )
    ahead = torch.einsum("jpq,iq->ijp", hessians, fields)
    vectors = ahead - ahead.transpose(0, 1)
    seen = torch.einsum("kp,ijp->ijk", fields, vectors)
    size = vectors.norm() / (2 * ahead.square().sum()).sqrt()
    return Brackets(vectors, seen, float(size))
