"""Problems of the page on what stability says of the function, and training on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.dynamics.growing_steps import Growth, Stages, grow, settle
from ibcore.dynamics.interpolation import interpolating
from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.measures.sharpness import sharpness
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.models.network import Network
from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.oracles.q_alpha import q_alpha_minimizer
from ibcore.oracles.stable_functions import bend_weight
from ibcore.problems.curves import Points, jittered_inputs
from ibcore.problems.sparse_regression import sparse_regression
from ibcore.threads import threads

NEURONS, POINTS, REACH = 60, 12, 2.0
WIGGLY, ORDINARY = 5.0, 1.0
SPLINE_GROWTH = Growth(factor=1.1, steps=150, cap=1e-3, patience=40, most=80)
# A settling step over that of the stage, and over 2 / sharpness at the start.
CALM = 0.8
SETTLED = 1e-6  # of the loss: a minimum
SETTLING = 8000
REST = 1e-10  # of the loss, at which settling ends


@dataclass(frozen=True)
class Splines:
    """B data sets on the line, x and y (B, n), and networks that interpolate them,
    theta (B, P).
    """

    x: Tensor
    y: Tensor
    theta: Tensor

    @property
    def objective(self) -> Objective:
        model = Network(self.x[..., None], (NEURONS,), "relu")
        return Objective(model, Square(), self.y, shared=False)

    def repeated(self, times: int) -> Splines:
        """The same several times, one copy after the other."""
        return Splines(
            *(part.repeat(times, 1) for part in (self.x, self.y, self.theta))
        )


def sine_points(seeds: Sequence[int], device: torch.device) -> Points:
    """For each seed 12 inputs in [-2, 2], one in the middle half of each of 12 cells,
    with labels sin 2x.
    """
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        rows.append(REACH * jittered_inputs(1, POINTS, generator))
    x = torch.cat(rows).to(device)
    return Points(x, torch.sin(2 * x))


def splines(data: Points, seeds: Sequence[int], gain: float) -> Splines:
    """A network of 60 neurons through the points of every data set.

    It is PyTorch's default start, by its seed, times `gain`, its kinks moved to one in
    each of 60 equal cells between the first and the last input, and then the least
    change that interpolates.
    """
    draws = [_start(torch.Generator().manual_seed(seed)) for seed in seeds]
    theta, shares = (torch.cat(part).to(data.x) for part in zip(*draws, strict=True))
    first, last = data.x[:, :1], data.x[:, -1:]
    theta = gain * theta
    theta[:, NEURONS : 2 * NEURONS] = -theta[:, :NEURONS] * (
        first + (last - first) * shares
    )
    model = Network(data.inputs, (NEURONS,), "relu")
    return Splines(data.x, data.y, interpolating(model, theta, data.y, steps=20))


def _start(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """PyTorch's start (1, P), and where the kinks lie as shares of the interval, (1,
    m).
    """
    model = Network(torch.zeros(1, 1, dtype=torch.float64), (NEURONS,), "relu")
    theta = model.initial(1, generator)
    cells = torch.rand(1, NEURONS, generator=generator, dtype=torch.float64)
    return theta, (torch.arange(NEURONS) + cells) / NEURONS


def bends(theta: Tensor) -> tuple[Tensor, Tensor]:
    """Kinks -b_j / w_j and the jumps a_j |w_j| of the slope there, (..., m) each, of
    networks theta (..., P).
    """
    w, b, a, _ = theta.split([NEURONS, NEURONS, NEURONS, 1], -1)
    return -b / w, a * w.abs()


def weighted_bends(x: Tensor, theta: Tensor) -> Tensor:
    """int |f''| g of networks theta (B, P) on inputs x (B, n), (B,).

    f is piecewise linear: the integral is a sum over its kinks, and exact
    where no two of them coincide.
    """
    positions, jumps = bends(theta)
    return (jumps.abs() * bend_weight(x, positions)).sum(-1)


def settled(
    problem: Splines, theta: Tensor, step: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Where up to 8,000 steps of size `step` (B,) lead after a kick of 1e-7, and the
    loss there.
    """
    end, log_loss = settle(
        problem.objective,
        theta,
        step,
        steps=SETTLING,
        rest=REST,
        kick=1e-7,
        generator=generator,
    )
    return end, log_loss.exp()


@dataclass(frozen=True)
class Minima:
    """Settled networks theta (B, P) with the step (B,) that settled them, its loss,
    sharpness and int |f''| g, (B,).
    """

    theta: Tensor
    step: Tensor
    loss: Tensor
    sharpness: Tensor
    bends: Tensor

    @property
    def fitted(self) -> Tensor:
        return self.loss < SETTLED

    def of(self, members: Any) -> Minima:
        """These members (A,) of the batch."""
        return Minima(*(part[members] for part in vars(self).values()))


def minima(
    problem: Splines, theta: Tensor, step: Tensor, generator: torch.Generator
) -> Minima:
    """Settle theta (B, P) with the steps (B,), and measure."""
    end, loss = settled(problem, theta, step, generator)
    return Minima(
        end,
        step,
        loss,
        sharpness(problem.objective, end),
        weighted_bends(problem.x, end),
    )


@threads()
def spline_runs(
    problem: Splines, generator: torch.Generator, grows: Tensor | None = None
) -> tuple[Minima, Stages, Minima]:
    """The settled start, the stages from a step of 1.8 over its sharpness on, and the
    settled last fitted stage.

    grows: (B,), the members whose step grows from stage to stage, by default all.
    """
    first = CALM * 2 / sharpness(problem.objective, problem.theta)
    start = minima(problem, problem.theta, first, generator)
    stages = grow(
        problem.objective,
        start.theta,
        1.8 / start.sharpness,
        SPLINE_GROWTH,
        generator,
        grows=grows,
    )
    theta, step = stages.last_fitted
    return start, stages, minima(problem, theta, CALM * step, generator)


FEATURES, EXAMPLES, MEAN, SCALE = 40, 20, 3.0, 0.5
LOAD_SHARES = (0.9, 0.8, 0.6)


@dataclass(frozen=True)
class SparseSets:
    """B data sets X (B, n, d), y (B, n) with a sparse truth (B, d), and what theory
    says of them.

    flow: (B, d), the beta to which steps of vanishing size lead.      least: the least
    |beta|_1 of an interpolant, (B,).      gap: certified relative gap of that convex
    program, (B,).
    """

    X: Tensor
    y: Tensor
    truth: Tensor
    flow: Tensor
    least: Tensor
    gap: Tensor

    @property
    def objective(self) -> Objective:
        return Objective(Diagonal(self.X), Square(), self.y, shared=False)

    def joined(self, other: SparseSets) -> SparseSets:
        return SparseSets(
            *(
                torch.cat([mine, theirs])
                for mine, theirs in zip(
                    vars(self).values(), vars(other).values(), strict=True
                )
            )
        )


def sparse_sets(
    seeds: Sequence[int], support: int, mean: float, device: torch.device
) -> SparseSets:
    """For each seed 20 inputs in 40 dimensions, entries N(mean, 1), and labels of
    `support` nonzero coefficients.
    """
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        data = sparse_regression(EXAMPLES, FEATURES, support, generator)
        X = data.X + mean
        y = X @ data.truth
        best, flow = basis_pursuit(X, y), q_alpha_minimizer(X, y, SCALE)
        sizes = torch.tensor([best.norm, best.gap], dtype=torch.float64)
        rows.append((X, y, data.truth, flow.primal, sizes[0], sizes[1]))
    return SparseSets(
        *(torch.stack(part).to(device) for part in zip(*rows, strict=True))
    )


@dataclass(frozen=True)
class SparseMinima:
    """Diagonal networks theta (B, 2 d) with the step that settled them, (B,), the loss
    and the sharpness, (B,).
    """

    theta: Tensor
    step: Tensor
    loss: Tensor
    sharpness: Tensor

    @property
    def fitted(self) -> Tensor:
        return self.loss < SETTLED

    def of(self, members: Any) -> SparseMinima:
        """These members (A,) of the batch."""
        return SparseMinima(*(part[members] for part in vars(self).values()))

    @property
    def coefficients(self) -> Tensor:
        """beta (B, d), NaN where the loss is not below 1e-6."""
        u, v = self.theta.chunk(2, -1)
        return torch.where(self.fitted[:, None], u.square() - v.square(), math.nan)


def load_growth(stage: int) -> Growth:
    """The step grows by 2 % a stage until the loss stays above 0.05 for six stages."""
    return Growth(factor=1.02, steps=stage, cap=0.05, patience=6, kick=1e-8)


@threads()
def sparse_runs(
    sets: SparseSets, growth: Growth, rest: int, generator: torch.Generator
) -> tuple[Stages, SparseMinima]:
    """From u = v = 1/2 near to a minimum by small steps; from there stages with a
    growing step; then the settled end.

    The first step of the stages is 1.8 over the sharpness where small steps lead.
    rest: the number of steps in which the last fitted stage settles, at 0.9 of its
    step. What has not settled then goes on for as many at 0.8 and at 0.6 of it.
    """
    objective = sets.objective
    start = even_start(FEATURES, sets.X.new_full((len(sets.X),), SCALE))
    small = 1 / sharpness(objective, start)
    near, _ = settle(
        objective, start, small, steps=2000, rest=REST, kick=1e-8, generator=generator
    )
    first = 1.8 / sharpness(objective, near)
    stages = grow(objective, near, first, growth, generator)
    return stages, _rested(sets, *stages.last_fitted, rest, generator)


def _rested(
    sets: SparseSets,
    theta: Tensor,
    step: Tensor,
    steps: int,
    generator: torch.Generator,
) -> SparseMinima:
    """The members settled at the largest of three shares of their step at which they
    do.
    """
    theta, step, loss = theta.clone(), step.clone(), torch.full_like(step, math.inf)
    last = step.clone()
    for share in LOAD_SHARES:
        left = (~(loss < SETTLED)).nonzero()[:, 0]
        if not len(left):
            break
        objective = sets.objective.select(left)
        size = share * last[left]
        end, log_loss = settle(
            objective,
            theta[left],
            size,
            steps=steps,
            rest=REST,
            kick=1e-8,
            generator=generator,
        )
        kept = end.isfinite().all(-1)
        left = left[kept]
        theta[left], step[left] = end[kept], size[kept]
        loss[left] = log_loss[kept].exp()
    return SparseMinima(theta, step, loss, sharpness(sets.objective, theta))
