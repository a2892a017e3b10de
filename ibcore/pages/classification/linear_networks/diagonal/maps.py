"""The map of scale and accuracy for one problem: how sparse a network of depth 2 is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Breakdown, attempt
from ibcore.measures import sin_angle
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.oracles.woodworth import (
    WoodworthMargin,
    stationarity_residual,
    woodworth_max_margin,
)
from ibcore.pages.classification.linear_networks.diagonal.runs import (
    follow,
    guaranteed_ratio,
)
from ibcore.problems.separable import Classification
from ibcore.problems.sparse_margin import PlantedL1, planted_l1

MARGIN = 0.3  # the largest l1 margin of every problem
RATIOS = (0.1, 1.0, 10.0, 100.0)
TIMES = (-1.0, -5.0, -25.0, -1e2, -1e3, -1e4, -1e6)
PLACES = ((10.0, 3), (100.0, 5), (100.0, 6))  # alpha, and a place in `TIMES`


@dataclass(frozen=True)
class Problem:
    """A planted problem and its l2 max-margin direction (d,)."""

    data: PlantedL1
    l2: Tensor


@dataclass(frozen=True)
class ScaleMap:
    """One problem at S scales and the K stops `TIMES`.

    ratios: (K, S), l1 margins over the largest.      to_l2: (K, S), sines to the l2
    max-margin direction.
    residuals: (K, S), of the conditions for least Q_alpha.      loose: (K, S),
    non-complementarity: how far margins with dual variables are above the least.
    guaranteed: (R,), the share of the largest l1 margin proved at the last stop for the
    R scales up to 1.      deep: (2, R), residuals at depth 3 at log L = -5 and -25.
    to_woodworth: (3,), sines to the minimizer of Q_alpha at equal margins at `PLACES`;
    missing: (3,), gap or violation of each program, the larger.
    """

    ratios: Tensor
    to_l2: Tensor
    residuals: Tensor
    loose: Tensor
    guaranteed: Tensor
    deep: Tensor
    to_woodworth: Tensor
    missing: Tensor


def contrasting(setting: Setting, index: int) -> tuple[Problem, int]:
    """A planted problem, and how many draws were rejected before it.

    Two conditions: the l2 max-margin direction has at most 0.9 of the l1 margin, and
    the duals of the Q_alpha programs do not fall as log(1/L) / alpha^2 runs through
    `RATIOS`. Those of the flow, 4 int p ds, cannot fall.
    """

    def keep(generator: torch.Generator) -> Problem | None:
        slacks = (0.3, 0.5, 0.7, 1.0, 1.0, 1.0, 1.0)
        data = planted_l1(6, 3, slacks, MARGIN, generator)
        direction = norm_max_margin(data.X, data.y, 2).primal
        margin = float((data.signed @ direction).min() / direction.abs().sum())
        kept = margin <= 0.9 * MARGIN and rising_duals(data)
        return Problem(data, direction) if kept else None

    (problem,), rejected = setting.draw(1, f"scale {index}", keep)
    return problem, rejected


def rising_duals(data: Classification) -> bool:
    """Whether the duals of min Q_1(b) s.t. A b >= mu do not fall along `RATIOS`."""
    duals = torch.stack(
        [woodworth_max_margin(data.X, data.y, ratio).dual for ratio in RATIOS]
    )
    return bool((duals.diff(dim=0) >= -1e-9 * duals[1:]).all())


def scale_map(
    problem: Problem, scales: Sequence[float], device: torch.device
) -> tuple[ScaleMap, tuple[str, ...]]:
    """One map, and why runs and programs broke down."""
    data = problem.data
    alphas = torch.tensor(scales, dtype=torch.float64, device=device)
    model = Diagonal(data.signed.to(device))
    start = even_start(model.features, alphas)
    run = follow(model, start, TIMES, tolerance=1e-8)
    betas = model.coefficients(run.theta).cpu()
    margins = betas @ data.signed.T
    least = margins.amin(-1)
    residuals, duals = stationarity(data, betas, scales)
    excess = (duals * (margins - least[..., None])).sum(-1)
    sines, missing, failed = woodworth_angles(data, betas, least, scales)
    small = alphas <= 1
    deep, lost = deep_residuals(data, alphas[small])
    found = ScaleMap(
        least / betas.abs().sum(-1) / MARGIN,
        sin_angle(betas, problem.l2),
        residuals,
        excess / (least * duals.sum(-1)),
        guaranteed_ratio(model, run, 2, alphas)[small],
        deep,
        sines,
        missing,
    )
    return found, (*early_ends("depth 2", run), *lost, *failed)


def stationarity(
    data: Classification, betas: Tensor, scales: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Of betas (K, S, d): residuals (K, S) of the conditions for least Q_alpha, and the
    best dual variables (K, S, n).
    """
    found = [
        stationarity_residual(data.signed, betas[:, j], alpha)
        for j, alpha in enumerate(scales)
    ]
    distances, duals = zip(*found, strict=True)
    return torch.stack(distances, 1), torch.stack(duals, 1)


def woodworth_angles(
    data: Classification, betas: Tensor, least: Tensor, scales: Sequence[float]
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """sin of the angle to the minimizer of Q_alpha at equal margins, and gap or
    violation of each program, (3,) each, at `PLACES`; and why programs broke down.
    """
    columns = [(row, list(scales).index(alpha), alpha) for alpha, row in PLACES]

    def solve(place: tuple[int, int, float]) -> WoodworthMargin:
        row, column, alpha = place
        ratio = float(least[row, column]) / alpha**2
        return woodworth_max_margin(data.X, data.y, ratio)

    programs, broken = attempt(solve, columns)
    sines = [
        math.nan
        if isinstance(best, Breakdown)
        else float(sin_angle(betas[row, column], best.primal))
        for best, (row, column, _) in zip(programs, columns, strict=True)
    ]
    errors = [(abs(best.gap), best.violation) for best in programs]
    return (
        torch.tensor(sines, dtype=torch.float64),
        torch.tensor(errors, dtype=torch.float64).amax(-1),
        broken,
    )


def deep_residuals(
    data: Classification, alphas: Tensor
) -> tuple[Tensor, tuple[str, ...]]:
    """Residuals of the depth-2 condition for networks of depth 3, at log L = -5 and
    -25, (2, R), and why runs broke down.
    """
    model = Diagonal(data.signed.to(alphas.device), 3)
    run = follow(model, even_start(model.features, alphas), TIMES[1:3])
    betas = model.coefficients(run.theta).cpu()
    residuals, _ = stationarity(data, betas, alphas.tolist())
    return residuals, early_ends("depth 3", run)
