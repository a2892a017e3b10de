"""The central flow of gradient descent: what the iterates do on average at the edge of
stability.

While the largest eigenvalue S of the Hessian is below 2 / eta it is gradient flow. At
the edge the iterates jump along its eigenvector u with a variance sigma^2, which adds
sigma^2 grad S / 2 to the mean gradient,

    w' = -grad L - (sigma^2 / 2) grad S,

and sigma^2 >= 0 is what keeps S <= 2 / eta, and 0 where S is below. The mean loss is
then L + S sigma^2 / 2. This is the case of one eigenvalue at the edge.

Source: Cohen, Damian, Talwalkar, Kolter and Lee 2025 (abstract read); the equations
agree with those in the public code of one of the authors (central_flows_jax), and are
derived on the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor

from ibcore.linear_algebra import symmetric_eigen
from ibcore.threads import threads

_NUDGE = 1e-3  # of the second difference that gives grad S


class Landscape(Protocol):
    """A loss of parameters w (B, P) with two derivatives."""

    def loss(self, w: Tensor) -> Tensor: ...

    def gradient(self, w: Tensor) -> Tensor: ...

    def hessian(self, w: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class CentralPath:
    """The flow at the times eta k, k = 0, ..., K.

    points: (K + 1, B, P).      variance: sigma^2, (K + 1, B).
    directions: u, (K + 1, B, P), of either sign.
    sharpness, second: the two largest eigenvalues of the Hessian, (K + 1, B).
    loss: L + S sigma^2 / 2, and without: L alone, (K + 1, B).
    Of the free flow variance, directions and eigenvalues are not computed and NaN.
    """

    points: Tensor
    variance: Tensor
    directions: Tensor
    sharpness: Tensor
    second: Tensor
    without: Tensor

    @property
    def loss(self) -> Tensor:
        return self.without + self.sharpness * self.variance / 2

    @classmethod
    def joined(cls, paths: Sequence[CentralPath]) -> CentralPath:
        """The members of all paths, one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(
            *(torch.cat([getattr(path, name) for path in paths], 1) for name in names)
        )

    def select(self, members: Tensor) -> CentralPath:
        """The path of these members, (A,)."""
        return CentralPath(
            *(getattr(self, field.name)[:, members] for field in fields(self))
        )


@threads()
def central_flow(
    landscape: Landscape,
    start: Tensor,
    step_size: float,
    steps: int,
    *,
    substeps: int = 2,
    free: bool = False,
) -> CentralPath:
    """The central flow from `start` (B, P) for the time of so many steps, by Euler's
    method with `substeps` for each.

    free: whether the constraint is left out, which makes it gradient flow.

    sigma^2 is the least number with which the linearized S is at most 2 / eta after the
    substep, so that an error of S is corrected by the next one. The error is of order 1
    / substeps. Substeps must be at least 1 for stability, as S is at most 2 / eta.
    """
    duration = step_size / substeps
    follow = _descending if free else _constrained
    rows = []
    w = start
    for number in range(steps * substeps + 1):
        velocity, seen = follow(landscape, w, step_size, duration)
        if number % substeps == 0:
            rows.append((w, *seen, landscape.loss(w)))
        w = w + duration * velocity
    return CentralPath(*(torch.stack(row) for row in zip(*rows, strict=True)))


Seen = tuple[Tensor, Tensor, Tensor, Tensor]
"""sigma^2, u and the two largest eigenvalues."""


def _descending(
    landscape: Landscape,
    w: Tensor,
    _step_size: float,
    _duration: float,
) -> tuple[Tensor, Seen]:
    """The velocity of gradient flow; the rest is not computed."""
    missing = torch.full_like(w, math.nan)
    seen = missing[:, 0], missing, missing[:, 0], missing[:, 0]
    return -landscape.gradient(w), seen


def _constrained(
    landscape: Landscape, w: Tensor, step_size: float, duration: float
) -> tuple[Tensor, Seen]:
    """The velocity of the central flow, and what was found for it."""
    gradient = landscape.gradient(w)
    values, vectors = symmetric_eigen(landscape.hessian(w))
    top, second, direction = values[:, -1], values[:, -2], vectors[..., -1]
    rise = sharpness_gradient(landscape, w, direction, gradient)
    beyond = (top - 2 / step_size) / duration - (rise * gradient).sum(-1)
    variance = (2 * beyond / rise.square().sum(-1)).clamp_min(0)
    velocity = -gradient - variance[:, None] / 2 * rise
    return velocity, (variance, direction, top, second)


def sharpness_gradient(
    landscape: Landscape, w: Tensor, direction: Tensor, gradient: Tensor
) -> Tensor:
    """grad S at w for its eigenvector `direction` u, (B, P): the second derivative of
    the gradient along u, by a second difference whose relative error is about 1e-6.
    """
    ahead, behind = (
        landscape.gradient(w + sign * _NUDGE * direction) for sign in (1, -1)
    )
    return (ahead + behind - 2 * gradient) / _NUDGE**2


def top_direction(landscape: Landscape, w: Tensor) -> tuple[Tensor, Tensor]:
    """The largest eigenvalue of the Hessian (B,) and its eigenvector (B, P)."""
    values, vectors = symmetric_eigen(landscape.hessian(w))
    return values[:, -1], vectors[..., -1]


def arrived(landscape: Landscape, w: Tensor, step_size: float) -> Tensor:
    """Which members have come to the edge, S >= 2 / eta, (B,); none that is not
    finite.
    """
    found = top_direction(landscape, w)[0] * step_size / 2
    return torch.where(found.isfinite(), found, -math.inf) >= 1
