"""Gradient descent with constant steps of any size on separable data, and its loss at
every step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.logged import Logged
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.trajectory import early_ends
from ibcore.losses import Exponential, Logistic, MarginLoss
from ibcore.models.linear import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import Classification, planted_margin
from ibcore.threads import threads
from ibcore.validation import binary_data

POINTS, DIMENSION = 12, 6
LEVEL = 0.25  # of max(eta, n) L, from which on the rate is proved
LOGISTIC, EXPONENTIAL = Logistic(), Exponential()


@dataclass(frozen=True)
class Sets:
    """B data sets with inputs of norm at most 1, rows y_i x_i in `signed`, (B, n, d).

    gamma: (B,), the largest margin of a unit vector.      certified: (B,), relative gap
    or violation of the program, the larger one.
    opposed: (B,), whether the set has two kinds of points that pull in opposite
    directions.
    """

    signed: Tensor
    gamma: Tensor
    certified: Tensor
    opposed: Tensor

    @classmethod
    def of(
        cls,
        sets: Sequence[Classification],
        opposed: Sequence[bool],
        device: torch.device,
    ) -> Sets:
        """Data sets of one shape, each divided by its longest input."""
        scaled = [one.X / one.X.norm(dim=1).max() for one in sets]
        found = [max_margin(X, one.y) for X, one in zip(scaled, sets, strict=True)]
        signed = [one.y[:, None] * X for X, one in zip(scaled, sets, strict=True)]
        return cls(
            torch.stack(signed).to(device),
            torch.tensor([one.margin for one in found]).double().to(device),
            torch.tensor(
                [float(np.maximum(one.gap, one.violation)) for one in found]
            ).double(),
            torch.tensor(list(opposed)),
        )

    @property
    def points(self) -> int:
        return self.signed.shape[1]

    def select(self, members: Tensor) -> Sets:
        """These data sets, (A,)."""
        return Sets(
            self.signed[members],
            self.gamma[members],
            self.certified[members],
            self.opposed[members],
        )


def scattered(seed: int) -> Classification:
    """Normal points at least 0.5 from a random hyperplane."""
    generator = torch.Generator().manual_seed(seed)
    return planted_margin(POINTS, DIMENSION, 0.5, generator)


def opposed(seed: int) -> Classification:
    """Half of the points at (g, b), half at (g, -c), in the plane of the first two
    coordinates, with random g in [0.15, 0.2], b in [0.8, 0.95] and c in [0.3, 0.6].

    All labels are 1 or, for the input with the other sign, -1, in turn.
    """
    generator = torch.Generator().manual_seed(seed)
    g, b, c = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
    X = torch.zeros(POINTS, DIMENSION, dtype=torch.float64)
    X[:, 0] = 0.15 + 0.05 * g
    X[: POINTS // 2, 1] = 0.8 + 0.15 * b
    X[POINTS // 2 :, 1] = -(0.3 + 0.3 * c)
    y = torch.where(torch.arange(POINTS) % 2 == 0, 1.0, -1.0).double()
    return Classification(y[:, None] * X, y)


def draw_sets(setting: Setting, count: int) -> Sets:
    """`count` data sets of each of the two kinds."""
    found = [scattered(seed) for seed in setting.seeds(count, "scattered points")]
    found += [opposed(seed) for seed in setting.seeds(count, "opposed points")]
    marks = [k >= count for k in range(2 * count)]
    return Sets.of(found, marks, setting.device)


def own_sets(setting: Setting, X: object, y: object) -> Sets:
    """A reader's X (n, d) and y (n,) in {-1, +1}, separable by a hyperplane through the
    origin.
    """
    inputs, labels = binary_data(X, y)
    data = Classification(inputs.double(), labels.double())
    return Sets.of([data], [False], setting.device)


@dataclass(frozen=True)
class Course:
    """E step sizes on B data sets for T steps from w = 0.

    step_sizes: (E,).      losses: L before each step and after the last, (T + 1, E, B).
    last_log: log L after the last, (E, B).
    margin: (2, E, B), min_i y_i w.x_i / (gamma |w|) after a tenth of the steps and
    after all.
    broken: why runs ended early.
    """

    step_sizes: Tensor
    losses: Tensor
    last_log: Tensor
    margin: Tensor
    broken: tuple[str, ...]

    @property
    def steps(self) -> int:
        return len(self.losses) - 1

    def first_below(self, level: float, least: float = 0.0) -> Tensor:
        """The first step at which max(eta, least) L is at most `level`, (E, B); NaN
        where there is none.
        """
        scaled = self.losses * self.step_sizes.clamp_min(least)[:, None]
        met = scaled <= level
        first = met.double().argmax(0).double()
        return torch.where(met.any(0), first, math.nan)


@threads()
def train(
    sets: Sets,
    step_sizes: Sequence[float],
    steps: int,
    loss: MarginLoss = LOGISTIC,
) -> Course:
    """Gradient descent with every step size on every data set."""
    sizes = sets.signed.new_tensor(step_sizes)
    count, members = len(sizes), len(sets.signed)
    signed = sets.signed.repeat(count, 1, 1)
    start = torch.zeros_like(signed[:, 0])
    pace = Logged.of(constant(sizes.repeat_interleave(members)), start, steps)
    run = descend(
        Objective(Linear(signed), loss),
        start,
        pace,
        steps=[max(1, steps // 10), steps],
        max_seconds=math.inf,
    )
    margins = (signed @ run.theta[..., None])[..., 0].amin(-1)
    gamma = sets.gamma.repeat(count)
    margin = margins / torch.linalg.vector_norm(run.theta, dim=-1) / gamma
    logs = torch.cat([pace.table, run.log_loss[-1:]])
    shape = (count, members)
    return Course(
        sizes.cpu(),
        logs.exp().unflatten(1, shape).cpu(),
        run.log_loss[-1].unflatten(0, shape).cpu(),
        margin.unflatten(1, shape).cpu(),
        early_ends("gradient descent", run),
    )


@threads()
def largest_log_loss(
    sets: Sets, step_size: float, steps: int, loss: MarginLoss = EXPONENTIAL
) -> Tensor:
    """The largest finite log L on the way, (B,)."""
    start = torch.zeros_like(sets.signed[:, 0])
    pace = Logged.of(constant(step_size), start, steps)
    descend(
        Objective(Linear(sets.signed), loss),
        start,
        pace,
        steps=[steps],
        max_seconds=math.inf,
    )
    known = torch.where(pace.table.isfinite(), pace.table, -math.inf)
    return known.amax(0).cpu()


@threads()
def margins_at(
    sets: Sets, step_sizes: Sequence[float], steps: int, count: int
) -> tuple[Tensor, Tensor]:
    """About `count` numbers of steps (K,), and the margins of w / |w| over gamma there,
    (K, E, B).
    """
    sizes = sets.signed.new_tensor(step_sizes)
    signed = sets.signed.repeat(len(sizes), 1, 1)
    at = torch.linspace(0, math.log(steps), count).exp().round().long().unique()
    run = descend(
        Objective(Linear(signed), LOGISTIC),
        torch.zeros_like(signed[:, 0]),
        constant(sizes.repeat_interleave(len(sets.signed))),
        steps=at.tolist(),
        max_seconds=math.inf,
    )
    margins = (signed @ run.theta[..., None])[..., 0].amin(-1)
    gamma = sets.gamma.repeat(len(sizes))
    ratio = margins / torch.linalg.vector_norm(run.theta, dim=-1) / gamma
    return at, ratio.unflatten(1, (len(sizes), -1)).cpu()
