"""Noise in the labels, and the same noise turned in a random direction of the
parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ibcore.dynamics.objective import ModelPoint, Objective

Noise = Callable[[tuple[int, ...]], Tensor]


def signs(strength: Tensor, generator: torch.Generator) -> Noise:
    """Label noise of random sign and of size strength (B,), for `descend`."""

    def draw(shape: tuple[int, ...]) -> Tensor:
        flips = torch.randint(2, shape, generator=generator) * 2 - 1
        return flips * strength.cpu()[:, None]

    return draw


@dataclass(frozen=True)
class Isotropic(Objective):
    """An objective whose label noise is turned: at every step it moves the parameters
    as far, in a random direction.

    free: (B, P), 1 for the parameters that may move and 0 for others.      members: the
    rows of `free` in use.
    """

    free: Tensor = field(default_factory=lambda: torch.empty(0))
    generator: torch.Generator = field(default_factory=torch.Generator)
    members: Tensor | None = None

    def select(self, members: Tensor) -> Objective:
        part = super().select(members)
        mine = members if self.members is None else self.members[members]
        return replace(part, members=mine)  # type: ignore[call-arg]

    def perturbed(self, noise: Tensor) -> Objective:
        return _Turned(super().perturbed(noise), self)  # type: ignore[return-value]

    def direction(self) -> Tensor:
        """A uniformly random direction among the free parameters, (A, P), drawn for all
        members.
        """
        draw = torch.randn(self.free.shape, generator=self.generator).to(self.free)
        draw = draw * self.free
        draw = draw / torch.linalg.vector_norm(draw, dim=-1, keepdim=True)
        return draw if self.members is None else draw[self.members]


@dataclass(frozen=True)
class _Turned:
    """A gradient with label noise, `noisy`, and the objective without."""

    noisy: Objective
    clean: Isotropic

    def at(self, theta: Tensor) -> _TurnedPoint:
        return _TurnedPoint(self.noisy.at(theta), self.clean.at(theta), self.clean)


@dataclass(frozen=True)
class _TurnedPoint:
    noisy: ModelPoint
    clean: ModelPoint
    objective: Isotropic

    @property
    def slope(self) -> tuple[Tensor, Tensor]:
        """-grad L without noise, plus as long a step somewhere."""
        plain = _gradient(self.clean)
        noise = _gradient(self.noisy) - plain
        size = torch.linalg.vector_norm(noise, dim=-1, keepdim=True)
        turned = plain + size * self.objective.direction()
        return turned, plain.new_zeros(())


def _gradient(point: ModelPoint) -> Tensor:
    """-grad L at a point, (B, P)."""
    vector, log_unit = point.slope
    return vector * log_unit.exp()[..., None]


def isotropic(
    objective: Objective, start: Tensor, generator: torch.Generator
) -> Isotropic:
    """The objective with turned noise, which leaves parameters alone that start (B, P)
    at zero.
    """
    return Isotropic(
        objective.model,
        objective.loss,
        objective.targets,
        objective.shared,
        (start != 0).to(start),
        generator,
    )
