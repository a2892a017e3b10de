"""Networks fitted to points from random and from wiggly starts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.trajectory import CONVERGED
from ibcore.pages.introduction.runs import (
    CurveFit,
    WigglyStart,
    fit_points,
    seeded,
    start_wiggly,
)
from ibcore.problems.curves import Points

NARROW = 64
MOST_STEPS = 20_000
OFF = 1e-2  # loss that a perturbed start must have, to be one


@dataclass(frozen=True)
class Group:
    """Data sets for networks of one width, from starts of one scale."""

    kind: str
    width: int
    scale: float
    points: Points

    @property
    def purpose(self) -> str:
        """What the random start is drawn for."""
        if self.width == NARROW:
            return f"{self.kind} narrow"
        return f"{self.kind} {self.width} {self.scale}"


@dataclass(frozen=True)
class Trained:
    """B networks after training.

    ratio, certified: roughness over the least, without and with what a misfit can hide.
    status: how training ended; see `CurveFit`.
    """

    loss: Tensor
    ratio: Tensor
    certified: Tensor
    status: tuple[str, ...]

    @classmethod
    def of(cls, fit: CurveFit) -> Trained:
        return cls(fit.flow.loss, fit.ratio, fit.certified, fit.flow.status)

    @property
    def fits(self) -> Tensor:
        """Which came to a fit, (B,)."""
        return torch.tensor([word == CONVERGED for word in self.status])

    @property
    def roughness(self) -> Tensor:
        """Roughness over the least, (B,); NaN for a network that does not fit."""
        return self.ratio.where(self.fits, math.nan)


@dataclass(frozen=True)
class Wiggly:
    """Wiggly interpolants, their loss after a perturbation, and trained from there."""

    built_loss: Tensor
    built_ratio: Tensor
    loss: Tensor
    refit: Trained

    @classmethod
    def of(cls, start: WigglyStart) -> Wiggly:
        refit = Trained.of(start.refit)
        return cls(start.built_loss, start.built_ratio, start.loss, refit)

    @property
    def roughness(self) -> Tensor:
        """Of the refits, (B,); NaN unless the start left the data and was refitted."""
        return self.refit.roughness.where(self.loss > OFF, math.nan)


@dataclass(frozen=True)
class Networks:
    """The networks of one group from random and from wiggly starts."""

    kind: str
    width: int
    scale: float
    random: Trained
    wiggly: Wiggly


def trained(group: Group, setting: Setting, max_steps: int = MOST_STEPS) -> Networks:
    """Train from random and from perturbed wiggly weights."""
    key = (group.kind, group.width, group.scale)
    fit = fit_points(
        group.points,
        group.width,
        group.scale,
        seeded(setting, group.purpose),
        max_steps=max_steps,
    )
    wiggly = start_wiggly(fit, seeded(setting, f"wiggly {key}"))
    return Networks(*key, Trained.of(fit), Wiggly.of(wiggly))
