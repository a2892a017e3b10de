"""Gradient descent whose step grows slowly, until the loss no longer comes down: which
minima large steps leave.

A minimum that is too sharp for a step is left only if something pushes: at a loss of
exactly zero there is no gradient. Every stage therefore begins with a *kick*, a small
random change of the parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.paces import constant
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_integer, positive_number

_ASK = 50  # steps after which it is asked whether a run has settled
_LEAST = 500  # steps before nobody has


@dataclass(frozen=True)
class Growth:
    """How the step grows.

    factor: of the step, from stage to stage; 1 lets it stay.      steps: of a stage.
    cap: a stage whose loss at the end is below it is *fitted*.
    patience: a member ends after so many stages in a row that are not.      most:
    stages in all.
    kick: standard deviation of the relative change of every parameter before a stage.
    """

    factor: float
    steps: int
    cap: float
    patience: int
    most: int = 400
    kick: float = 1e-7

    def __post_init__(self) -> None:
        for name in ("factor", "cap", "kick"):
            positive_number(name, getattr(self, name))
        for name in ("steps", "patience", "most"):
            positive_integer(name, getattr(self, name))
        if self.factor < 1:
            raise InvalidInput(f"factor is {self.factor}, expected at least 1.")


@dataclass(frozen=True)
class Stages:
    """K stages of B members: theta (K, B, P) at their ends, steps and log L (K, B)
    each, NaN after a member ended.

    The first is the start, with the first step. cap: of a stage that is fitted.
    """

    theta: Tensor
    step: Tensor
    log_loss: Tensor
    cap: float

    @property
    def fitted(self) -> Tensor:
        """Which stages are fitted, (K, B); the start always counts."""
        fits = self.log_loss < math.log(self.cap)
        fits[0] = True
        return fits

    def at(self, stage: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters (B, P) and steps (B,) at one stage (B,) a member."""
        members = torch.arange(self.step.shape[1], device=stage.device)
        return self.theta[stage, members], self.step[stage, members]

    @property
    def last_fitted(self) -> tuple[Tensor, Tensor]:
        """Parameters (B, P) and steps (B,) of the last stage of every member that is
        fitted.
        """
        order = torch.arange(len(self.step), device=self.step.device)[:, None]
        return self.at((self.fitted * order).amax(0))


@threads()
def grow(
    objective: Any,
    theta: Tensor,
    step: Tensor,
    growth: Growth,
    generator: torch.Generator,
    *,
    grows: Tensor | None = None,
) -> Stages:
    """Stages of descent from theta (B, P) with longer and longer steps.

    step: (B,), of the first stage; then it grows by `growth.factor` each.
    grows: (B,), the members whose step grows, by default all; the step of
    the others stays. A member ends by `patience`, or where it is no longer
    finite.
    """
    factor = torch.full_like(step, growth.factor)
    if grows is not None:
        factor = torch.where(grows, factor, 1.0)
    members = torch.arange(len(theta), device=theta.device)
    above = torch.zeros_like(members)
    first = objective.at(theta).log_loss
    rows = [(theta, step, first)]
    now, size = theta, step
    for _ in range(growth.most):
        run = explicit.descend(
            objective.select(members),
            kicked(now, growth.kick, generator),
            constant(size),
            steps=[growth.steps],
            max_seconds=math.inf,
        )
        found = run.last, size, run.last_log_loss
        rows.append(_placed(members, len(theta), *found))
        fits = run.last_log_loss < math.log(growth.cap)
        above = torch.where(fits, 0, above + 1)
        stay = (above < growth.patience) & run.last.isfinite().all(-1)
        members, above = members[stay], above[stay]
        now, size = run.last[stay], size[stay] * factor[members]
        if not len(members):
            break
    parts = [torch.stack(part) for part in zip(*rows, strict=True)]
    return Stages(parts[0], parts[1], parts[2], growth.cap)


def _placed(
    members: Tensor, batch: int, *parts: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Each of `parts` (A, ...) as rows of the batch (B, ...), NaN for the others."""
    placed = []
    for part in parts:
        whole = part.new_full((batch, *part.shape[1:]), math.nan)
        whole[members] = part
        placed.append(whole)
    return placed[0], placed[1], placed[2]


def kicked(theta: Tensor, kick: float, generator: torch.Generator) -> Tensor:
    """Every parameter times 1 + kick N(0, 1), drawn on the CPU."""
    noise = torch.randn(theta.shape, generator=generator, dtype=theta.dtype)
    return theta * (1 + kick * noise.to(theta))


@threads()
def settle(
    objective: Any,
    theta: Tensor,
    step: Tensor,
    *,
    steps: int,
    rest: float,
    kick: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Kick, then descend from theta (B, P) with the fixed steps (B,): where it ends (B,
    P), and log L there (B,).

    A member ends where its loss is below `rest`, which is asked every 50 steps from the
    500th on, and after `steps`. A minimum that is unstable at this step is left: along
    an eigenvector the kick grows by the factor |1 - step lambda| at each step.
    """
    level = math.log(positive_number("rest", rest))
    run = explicit.descend(
        objective,
        kicked(theta, kick, generator),
        constant(step),
        steps=[positive_integer("steps", steps)],
        until=_Rested(level),
        ask_every=_ASK,
        max_seconds=math.inf,
    )
    return run.last, run.last_log_loss


class _Rested:
    """Whether the loss is below exp(level), asked every `_ASK` steps; before `_LEAST`
    steps nobody has rested.
    """

    def __init__(self, level: float) -> None:
        self.level, self.asked = level, 0

    def __call__(self, point: Any) -> Tensor:
        steps, self.asked = self.asked * _ASK, self.asked + 1
        below = point.log_loss < self.level
        return below if steps >= _LEAST else torch.zeros_like(below)
