"""Sharpness-aware minimization: an objective whose gradient is taken a step uphill.

With it every explicit method becomes its sharpness-aware version, and with batches of
one example the stochastic one, since a batch is chosen before the step uphill.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class SharpnessAware:
    """An `objective` whose slope at theta is that at theta + `radius` g / |g|, with g
    the gradient of the same batch; where g = 0 it is that at theta.

    radius: rho > 0, one number, or one a member, (B,).

    Source: Foret, Kleiner, Mobahi and Neyshabur 2021.

    On x^2 / 2 with steps of 1 and rho = 0.1 the iterates end in a jump to and fro
    between -0.1 and 0.1 (Bartlett, Long and Bousquet 2023):

    >>> import torch
    >>> from ibcore import Linear, Objective, Square, constant, descend
    >>> from ibcore.dynamics.sharpness_aware import SharpnessAware
    >>> plain = Objective(Linear([[0.5**0.5]]), Square(), torch.zeros(1).double())
    >>> aware = SharpnessAware(plain, 0.1)
    >>> descend(aware, [[1.0]], constant(1.0), steps=[1, 2, 3]).theta.flatten()
    tensor([-0.1000,  0.1000, -0.1000], dtype=torch.float64)
    """

    objective: Any
    radius: float | Tensor

    @property
    def model(self) -> Any:
        """The model of the objective."""
        return self.objective.model

    def begin(self, theta: object) -> SharpnessAwarePoint:
        """The objective where training starts; refuses what the objective refuses."""
        return SharpnessAwarePoint(self, self.objective.begin(theta))

    def at(self, theta: Tensor) -> SharpnessAwarePoint:
        return SharpnessAwarePoint(self, self.objective.at(theta))

    def select(self, members: Tensor) -> SharpnessAware:
        """The objective of these members (A,)."""
        return replace(
            self,
            objective=self.objective.select(members),
            radius=_of(self.radius, members),
        )

    def minibatch(self, rows: Tensor) -> SharpnessAware:
        """The mean over these examples, (b,) for all members or (B, b)."""
        return replace(self, objective=self.objective.minibatch(rows))


@dataclass(frozen=True)
class SharpnessAwarePoint:
    """A `SharpnessAware` at the parameters of the plain `point`."""

    objective: SharpnessAware
    point: Any

    @property
    def theta(self) -> Tensor:
        return self.point.theta

    @property
    def log_loss(self) -> Tensor:
        """log L at theta itself, (B,)."""
        return self.point.log_loss

    @cached_property
    def slope(self) -> tuple[Tensor, Tensor]:
        downhill = self.point.slope[0]
        length = torch.linalg.vector_norm(downhill, dim=-1, keepdim=True)
        uphill = torch.where(length > 0, -downhill / length, 0.0)
        radius = torch.as_tensor(self.objective.radius).to(self.theta)
        moved = self.theta + radius.reshape(-1, 1) * uphill
        return self.point.objective.at(moved).slope

    def where(self, chosen: Tensor, other: SharpnessAwarePoint) -> SharpnessAwarePoint:
        return SharpnessAwarePoint(
            self.objective, self.point.where(chosen, other.point)
        )

    def select(self, members: Tensor) -> SharpnessAwarePoint:
        return SharpnessAwarePoint(
            self.objective.select(members), self.point.select(members)
        )


def _of(radius: float | Tensor, members: Tensor) -> float | Tensor:
    if isinstance(radius, Tensor) and radius.ndim == 1:
        return radius[members]
    return radius
