"""What is measured of mini-batches: critical steps, and chains below and above them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.oracles.mean_square import (
    critical_step,
    mean_square_after,
    moment_operator,
    radius,
    square_moments,
    sufficient_step,
)
from ibcore.pages.dynamical_stability.stable_minima.runs import (
    Regressions,
    stochastic_descent,
)

SIZES = (1, 2, 4)
"""Batch sizes below the number of examples, which is 8."""

BELOW, ABOVE = 0.8, 1.02
"""Step sizes, in units of the critical one."""

SHORT, LONG = 6, 600
NOISE = 10.0


@dataclass(frozen=True)
class Problems:
    """Regressions with all examples fitted at the minimum, how many chains each has,
    and a seed for their batches.
    """

    regressions: Regressions
    chains: int
    long_chains: int
    seed: int


@dataclass(frozen=True)
class MeanSquares:
    """Critical steps of Q regressions, and squared distances from the minimum, of
    chains that begin at distance 1.

    critical: (4, Q), for batches of 1, 2, 4 and 8 examples.      sufficient: (4, Q).
    radii: (4, Q), of the enumerated operator at the critical step.      sharpness:
    (Q,).
    exact, error: (3, Q), the mean after a few steps below the critical one, and the
    standard error of a sample mean.
    mean, unfitted: (3, Q), sample means, with examples that are fitted and not.
    growing: (3, Q), the exact mean after many steps above the critical one; median: (3,
    Q), that of the chains.
    """

    critical: Tensor
    sufficient: Tensor
    radii: Tensor
    sharpness: Tensor
    exact: Tensor
    error: Tensor
    mean: Tensor
    unfitted: Tensor
    growing: Tensor
    median: Tensor


def draw_regressions(
    setting: Setting, *, regressions: int, chains: int, long_chains: int
) -> Problems:
    """Eight normal examples in four dimensions."""
    seeds = setting.seeds(regressions, "mean square")
    problems = Regressions.draw(seeds, 8, 4)
    return Problems(
        problems, chains, long_chains, setting.seeds(1, "mean square batches")[0]
    )


def measure_regressions(problems: Problems, setting: Setting) -> MeanSquares:  # noqa: ARG001
    """Chains below the critical step for six steps, and above it for six hundred."""
    data = problems.regressions
    critical, sufficient, radii = _steps(data.hessians, (*SIZES, data.inputs.shape[1]))
    exact, error = _moments(data, critical[:-1], problems.chains)
    means: list[list[Tensor]] = [[], [], []]
    for k, size in enumerate(SIZES):
        below, above = BELOW * critical[k], ABOVE * critical[k]
        for noise, kept in ((0.0, means[0]), (NOISE, means[1])):
            short = stochastic_descent(
                data,
                size,
                below,
                [SHORT],
                chains=problems.chains,
                seed=problems.seed + k,
                noise=noise,
            )
            kept.append(short[0].mean(-1))
        long = stochastic_descent(
            data, size, above, [LONG], chains=problems.long_chains, seed=problems.seed
        )
        means[2].append(long[0].median(-1).values)
    return MeanSquares(
        critical,
        sufficient,
        radii,
        torch.linalg.eigvalsh(data.hessians.mean(1))[:, -1],
        exact,
        error,
        torch.stack(means[0]),
        torch.stack(means[1]),
        _growing(data, critical[:-1]),
        torch.stack(means[2]),
    )


def _steps(hessians: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Critical and sufficient steps and radii of the operators at the critical ones,
    (len(sizes), Q) each.
    """
    rows = [
        [
            (
                step := critical_step(part, size),
                sufficient_step(part, size),
                radius(moment_operator(part, size, step)),
            )
            for part in hessians
        ]
        for size in sizes
    ]
    critical, sufficient, radii = torch.tensor(rows, dtype=torch.float64).unbind(-1)
    return critical, sufficient, radii


def _moments(data: Regressions, critical: Tensor, chains: int) -> tuple[Tensor, Tensor]:
    """Exact means after a few steps below the critical one and standard errors of
    sample means, (3, Q).
    """
    ways = data.start - data.minimum
    rows = [
        [
            square_moments(part, size, BELOW * float(step), way, SHORT)
            for part, step, way in zip(data.hessians, steps, ways, strict=True)
        ]
        for size, steps in zip(SIZES, critical, strict=True)
    ]
    mean, deviation = torch.tensor(rows, dtype=torch.float64).unbind(-1)
    return mean, deviation / math.sqrt(chains)


def _growing(data: Regressions, critical: Tensor) -> Tensor:
    """The exact mean of the squared distance after many steps above the critical one,
    (3, Q).
    """
    ways = data.start - data.minimum
    rows = [
        [
            mean_square_after(
                moment_operator(part, size, ABOVE * float(step)), way, LONG
            )
            for part, step, way in zip(data.hessians, steps, ways, strict=True)
        ]
        for size, steps in zip(SIZES, critical, strict=True)
    ]
    return torch.tensor(rows, dtype=torch.float64)
