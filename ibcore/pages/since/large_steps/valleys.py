"""Gradient descent in valleys that bend to where they are too sharp for its step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import FunctionObjective
from ibcore.dynamics.paces import constant
from ibcore.oracles.stabilized_valley import (
    Valley,
    constrained,
    critical_step,
    orbit_jacobian,
    orbit_radius,
)
from ibcore.threads import threads

PLACES = (0.5, 0.9, 1.1)  # of the way from the stable step to the critical one
SMALL = 0.9  # of the stable step
SETTLED = 12  # least number of e-folds of the way to the orbit
BEGIN, BESIDE = 0.3, 1e-3  # y over the target, and x, at the start
LAST = 1000  # steps that are averaged
NUDGE, SOON = (
    1e-6,
    100,
)  # a deviation from the orbit, and the steps after which it is read


def draw_valley(generator: torch.Generator, steps: int) -> Valley | None:
    """A valley in two dimensions; None where the way to its orbit is too long for
    `steps`.
    """
    u = torch.rand(7, generator=generator, dtype=torch.float64).numpy()
    signs = np.where(u[4:6] < 0.5, -1.0, 1.0)
    valley = Valley(1 + 2 * u[:2], signs * (1 + 1.5 * u[2:4]), float(0.4 + 0.4 * u[6]))
    radius = orbit_radius(valley, place(valley, PLACES[1]))
    return valley if steps * (1 - radius) >= SETTLED else None


def place(valley: Valley, share: float) -> float:
    """The step size at a share of the way from the stable step to the critical one."""
    return valley.stable_step + share * (critical_step(valley) - valley.stable_step)


@dataclass(frozen=True)
class Runs:
    """M runs, each in a valley of its own with a step size of its own, and what the
    program says of it.

    widths, target, y: (M, d); pull, step_size, multiplier: (M,).
    certified: (M,), relative gap or violation of the program, the larger one.
    """

    widths: Tensor
    target: Tensor
    pull: Tensor
    step_size: Tensor
    y: Tensor
    multiplier: Tensor
    certified: Tensor

    @classmethod
    def of(
        cls,
        valleys: Sequence[Valley],
        step_sizes: Sequence[float],
        device: torch.device,
    ) -> Runs:
        """A run for each valley with the step size at its place."""
        pairs = list(zip(valleys, step_sizes, strict=True))
        solved = [constrained(valley, 2 / step) for valley, step in pairs]
        columns = (
            [valley.widths for valley in valleys],
            [valley.target for valley in valleys],
            [valley.pull for valley in valleys],
            step_sizes,
            [one.y for one in solved],
            [one.multiplier for one in solved],
            [float(np.maximum(one.gap, one.violation)) for one in solved],
        )
        return cls(
            *(torch.tensor(np.array(column), device=device) for column in columns)
        )

    @property
    def orbit(self) -> Tensor:
        """The point (sqrt(2 mu), y) of the program, (M, d + 1)."""
        return torch.cat([(2 * self.multiplier).sqrt()[:, None], self.y], -1)

    @property
    def begin(self) -> Tensor:
        """Where training starts, (M, d + 1)."""
        across = torch.full_like(self.pull, BESIDE)
        return torch.cat([across[:, None], BEGIN * self.target], -1)

    def sharpness(self, theta: Tensor) -> Tensor:
        """S at points (..., M, d + 1)."""
        return 1 + (self.widths * theta[..., 1:].square()).sum(-1)

    def loss(self, theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
        """L at theta (A, d + 1) of these members, and its gradient."""
        widths, pull = self.widths[members], self.pull[members]
        x, y = theta[:, 0], theta[:, 1:]
        off = y - self.target[members]
        sharpness = 1 + (widths * y.square()).sum(-1)
        value = sharpness * x.square() / 2 + pull * off.square().sum(-1) / 2
        along = pull[:, None] * off + x.square()[:, None] * widths * y
        return value, torch.cat([(sharpness * x)[:, None], along], -1)


@threads()
def states(runs: Runs, start: Tensor, steps: Sequence[int]) -> Tensor:
    """Gradient descent from `start` (M, d + 1) at these steps, (K, M, d + 1)."""
    return descend(
        FunctionObjective(runs.loss),
        start,
        constant(runs.step_size),
        steps=steps,
        max_seconds=math.inf,
    ).theta


@dataclass(frozen=True)
class Averages:
    """Means of y (M, d), x^2 (M,) and S eta / 2 (M,) over the last steps of M runs."""

    y: Tensor
    square: Tensor
    edge: Tensor


def averages(runs: Runs, steps: int) -> Averages:
    """Gradient descent for so many steps, the last `LAST` of them averaged."""
    path = states(runs, runs.begin, range(steps - LAST + 1, steps + 1))
    return Averages(
        path[..., 1:].mean(0),
        path[..., 0].square().mean(0),
        (runs.sharpness(path) * runs.step_size / 2).mean(0),
    )


def deviations(
    runs: Runs, valleys: Sequence[Valley], seed: int
) -> tuple[Tensor, Tensor]:
    """The deviation from the orbit after `SOON` steps, and what its derivative says,
    (M, d + 1) each.

    Both are of steps that are mirrored in x, from a random deviation of size `NUDGE`.
    """
    generator = torch.Generator().manual_seed(seed)
    nudge = NUDGE * torch.randn(runs.orbit.shape, generator=generator).to(runs.orbit)
    end = states(runs, runs.orbit + nudge, [SOON])[0]  # an even number: no mirror
    pairs = zip(valleys, runs.step_size.tolist(), nudge.cpu().numpy(), strict=True)
    derived = [
        np.linalg.matrix_power(
            orbit_jacobian(valley, step, constrained(valley, 2 / step)), SOON
        )
        @ one
        for valley, step, one in pairs
    ]
    return end - runs.orbit, torch.tensor(np.array(derived)).to(end)


def draw_valleys(
    setting: Setting, count: int, steps: int
) -> tuple[list[Valley], dict[str, int]]:
    """`count` valleys, and how many draws were rejected."""
    kept, rejected = setting.draw(
        count, "valleys", lambda generator: draw_valley(generator, steps)
    )
    return kept, {"rejected valleys": rejected}


def off_program(
    valleys: Sequence[Valley], shares: Sequence[float], steps: int, device: torch.device
) -> Tensor:
    """Distances (F, B) of the mean of y from the program's over its way from the
    target, at these shares of the way to the critical step.
    """
    many = [valley for _ in shares for valley in valleys]
    sizes = [place(valley, share) for share in shares for valley in valleys]
    runs = Runs.of(many, sizes, device)
    means = averages(runs, steps)
    way = (runs.y - runs.target).norm(dim=-1)
    off = (means.y - runs.y).norm(dim=-1) / way
    return off.unflatten(0, (len(shares), -1)).cpu()
