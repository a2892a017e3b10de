"""Filters trained on signals, even ones against their predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.evidence import attempt
from ibcore.measures.members import column, rows
from ibcore.measures.relative import relative_distance
from ibcore.oracles.fourier_regression import EvenInterpolant, radial_stationarity
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected.signals import (
    SpectralCase,
    convolved,
    impulse,
    predicted,
)


@dataclass(frozen=True)
class Arrivals:
    """Where the filters of S networks on each of B problems ended.

    betas: (B, S, d), NaN for runs that did not arrive.
    distances: (B, S), to the minimizers that their starts predict, relative.
    missing: (B, S), residual or stationarity of the minimizers, the larger.
    """

    betas: Tensor
    distances: Tensor
    missing: Tensor
    broken: tuple[str, ...]


def arrivals(
    cases: Sequence[SpectralCase], starts: Sequence[Sequence[Tensor]]
) -> Arrivals:
    """Gradient flow of the filters from `starts` (2 d,), a list a case."""
    tasks = [
        (case.problem, start)
        for case, row in zip(cases, starts, strict=True)
        for start in row
    ]
    ends, broken = attempt(lambda task: convolved(*task), tasks)
    best, failed = attempt(lambda task: predicted(*task), tasks)
    length = cases[0].problem.X.shape[1]
    shape = (len(cases), -1)
    betas = rows(ends, length)
    limits = rows([one.primal for one in best], length)
    return Arrivals(
        betas.reshape(*shape, length),
        relative_distance(betas, limits).reshape(shape),
        column([_lacking(one) for one in best]).reshape(shape),
        (*broken, *failed),
    )


def _lacking(best: EvenInterpolant) -> float:
    return float(np.maximum(best.residual, best.stationarity))


def excesses(cases: Sequence[SpectralCase], betas: Tensor) -> Tensor:
    """Of the Fourier-l1 norms of betas (B, K, d), (B, K)."""
    pairs = zip(cases, betas, strict=True)
    return torch.stack([case.excess(row) for case, row in pairs])


def generic_ends(
    cases: Sequence[SpectralCase], scales: Sequence[float]
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """On G problems without symmetry, `excess` (G, H) and, at the smallest scale, how
    far the end is from the minimizer of the same function of the moduli, (G,).
    """
    tasks = [
        (case.problem, impulse(case.problem.X.shape[1], alpha))
        for case in cases
        for alpha in scales
    ]
    ends, broken = attempt(lambda task: convolved(*task), tasks)
    length = cases[0].problem.X.shape[1]
    betas = rows(ends, length).reshape(len(cases), len(scales), length)
    c = scales[-1] ** 2 / 2
    missing, failed = attempt(
        lambda task: _radial(*task, c), zip(cases, betas[:, -1], strict=True)
    )
    return excesses(cases, betas), column(missing), (*broken, *failed)


def _radial(case: SpectralCase, beta: Tensor, c: float) -> float:
    if not bool(beta.isfinite().all()):
        return math.nan
    return radial_stationarity(case.problem.X, beta, c)
