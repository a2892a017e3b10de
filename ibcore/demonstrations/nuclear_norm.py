"""The 4 x 4 completion at every scale of the start, and sensing with more and more observations."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.figures.nuclear_norm import draw_matrix, draw_traces
from ibcore.figures.style import figure
from ibcore.models.matrix_factorization import (
    SymmetricFactorization,
    gaussian_start,
    identity_start,
)
from ibcore.models.observations import Entries, Sensing
from ibcore.oracles.nuclear_minimization import minimum_nuclear_norm, nuclear_completion
from ibcore.problems.sensing import corner_completion, gaussian_observations
from ibcore.threads import threads

RATIOS = (0.5, 3.0)
SCALES = (1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14)


@functools.cache
def completions(ratio: float) -> tuple[NDArray[np.float64], float]:
    """W = U U^T (K, 4, 4) where the flow ends from one random start at each of `SCALES`; the least nuclear norm."""
    seen = corner_completion(ratio)
    model = SymmetricFactorization(
        Sensing(Entries(seen.rows, seen.columns, seen.shape).dense())
    )
    unit = gaussian_start(model, 1, 1.0, torch.Generator().manual_seed(0))[0]
    ends = [
        stiff_flow(
            model, seen.targets, scale * unit, target_loss=1e-24, tolerance=1e-8
        ).state
        for scale in SCALES
    ]
    least = nuclear_completion(seen.rows, seen.columns, seen.targets, seen.shape)
    return model.product(torch.stack(ends)).numpy(), least.value


def draw_completion(ratio: float, scale: float) -> tuple[Figure, str]:
    """The completed matrix beside its trace at all scales, this one marked."""
    chosen, seen = SCALES.index(scale), corner_completion(ratio)
    matrices, least = completions(ratio)
    values = np.linalg.eigvalsh(matrices[chosen])[::-1]
    fig, (left, right) = figure(2, height=3.1, width_ratios=(1, 1.25))
    draw_matrix(left, matrices[chosen], seen.rows.tolist(), seen.columns.tolist())
    draw_traces(
        right,
        np.array(SCALES),
        matrices.trace(axis1=1, axis2=2)[None],
        least,
        2 + 2 * ratio**2,
        chosen,
    )
    trace, share = values.sum(), 100 * values[1] / values[0]
    return fig, (
        f"R = {ratio:g}, start of scale {scale:.0e}: the trace is {trace:.4g}, "
        f"{trace / least:.3f} times the least nuclear norm; the second eigenvalue is "
        f"{_percent(share)} of the first."
    )


def _percent(share: float) -> str:
    return f"{share:.2g}%" if share > 1e-4 else "less than 0.0001%"


@dataclass(frozen=True)
class Sensed:
    """One number of observations; medians over problems.

    factorized, nuclear: relative distances to the hidden matrix of gradient flow on U U^T and of the least nuclear
    norm.      ratio: trace of the first over the nuclear norm of the second.
    """

    observations: int
    factorized: float
    nuclear: float
    ratio: float


@threads()
def sense(
    counts: Sequence[int], problems: int = 3, scale: float = 1e-4, size: int = 8
) -> list[Sensed]:
    """Hidden matrices of rank one from each number of Gaussian observations in `counts`, by both methods."""
    return [_sensed(count, problems, scale, size) for count in counts]


def _sensed(count: int, problems: int, scale: float, size: int) -> Sensed:
    rows = []
    for seed in range(problems):
        data = gaussian_observations(
            size, 1, count, torch.Generator().manual_seed(seed)
        )
        model = SymmetricFactorization(Sensing(data.matrices))
        run = stiff_flow(
            model,
            data.targets,
            identity_start(model, [scale])[0],
            target_loss=1e-20,
            tolerance=1e-8,
        )
        W, least = (
            model.product(run.state),
            minimum_nuclear_norm(data.matrices, data.targets),
        )
        rows.append(
            [
                _distance(W, data.truth),
                _distance(least.matrix, data.truth),
                float(W.trace()) / least.value,
            ]
        )
    return Sensed(
        count, *(float(np.median(column)) for column in zip(*rows, strict=True))
    )


def _distance(found: Tensor, truth: Tensor) -> float:
    return float((found - truth).norm() / truth.norm())
