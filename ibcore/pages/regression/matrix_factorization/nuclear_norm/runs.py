"""Gradient flow on U U^T: sensing, and completion of the 4 x 4 matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.dynamics.stiff_flow import StiffRun, stiff_flow
from ibcore.models.matrix_factorization import SymmetricFactorization, identity_start
from ibcore.models.observations import Entries, Sensing
from ibcore.oracles.nuclear_minimization import NuclearMinimum, minimum_nuclear_norm
from ibcore.problems.sensing import (
    LinearObservations,
    SeenEntries,
    gaussian_observations,
)
from ibcore.threads import threads


def flows(
    data: LinearObservations,
    scales: Sequence[float],
    *,
    target_loss: float = 1e-26,
    tolerance: float = 1e-11,
) -> list[StiffRun]:
    """Gradient flow in the d^2 entries of U from alpha I, for each scale alpha."""
    model = SymmetricFactorization(Sensing(data.matrices))
    return [
        stiff_flow(
            model, data.targets, start, target_loss=target_loss, tolerance=tolerance
        )
        for start in identity_start(model, list(scales))
    ]


def products(runs: Sequence[StiffRun], size: int) -> Tensor:
    """U U^T at the end of each run, (K, d, d)."""
    factors = torch.stack([run.state for run in runs]).reshape(-1, size, size)
    return factors @ factors.mT


def distances(found: Tensor, expected: Tensor) -> Tensor:
    """|found - expected|_F / |expected|_F for matrices (..., d, d)."""
    norm = torch.linalg.matrix_norm
    return norm(found - expected) / norm(expected)


def complete(runs: Sequence[Sequence[StiffRun]]) -> Tensor:
    """Whether the flows (B, K) came to the loss that they were asked for."""
    return torch.tensor([[run.complete for run in row] for row in runs])


def unfinished(runs: Sequence[Sequence[StiffRun]]) -> tuple[str, ...]:
    """Why flows (B, K) ended early, one sentence each."""
    return tuple(
        f"flow: {run.status}" for row in runs for run in row if not run.complete
    )


def certificates(minima: Sequence[NuclearMinimum]) -> Tensor:
    """Gap, violation and residual of B programs of least nuclear norm, (B, 3)."""
    rows = [[one.gap, one.violation, one.residual] for one in minima]
    return torch.tensor(rows, dtype=torch.float64)


def completion_model(seen: SeenEntries) -> SymmetricFactorization:
    """U U^T observed at known entries, through dense matrices, here faster."""
    entries = Entries(seen.rows, seen.columns, seen.shape)
    return SymmetricFactorization(Sensing(entries.dense()))


@threads()
def completed(
    model: SymmetricFactorization, seen: SeenEntries, factor: Tensor
) -> StiffRun:
    """Gradient flow from U = `factor` (d, d) to a loss of 1e-24."""
    return stiff_flow(
        model, seen.targets, factor.flatten(), target_loss=1e-24, tolerance=1e-8
    )


@threads()
def least_trace(seen: SeenEntries) -> NuclearMinimum:
    """The least trace of a completion; of two mirror images one entry is used."""
    upper = seen.rows <= seen.columns
    matrices = Entries(seen.rows[upper], seen.columns[upper], seen.shape).dense()
    return minimum_nuclear_norm(matrices, seen.targets[upper], semidefinite=True)


@dataclass(frozen=True)
class Sensed:
    """One number of observations; medians over problems.

    factorized, nuclear: relative distances to the hidden matrix of gradient flow on U
    U^T and of the least nuclear norm.
    ratio: trace of the first over the nuclear norm of the second.
    """

    observations: int
    factorized: float
    nuclear: float
    ratio: float


@threads()
def sense(
    counts: Sequence[int], problems: int = 3, scale: float = 1e-4, size: int = 8
) -> list[Sensed]:
    """Hidden matrices of rank one from each number of observations, by both methods."""
    return [_sensed(count, problems, scale, size) for count in counts]


def _sensed(count: int, problems: int, scale: float, size: int) -> Sensed:
    rows = []
    for seed in range(problems):
        generator = torch.Generator().manual_seed(seed)
        data = gaussian_observations(size, 1, count, generator)
        runs = flows(data, [scale], target_loss=1e-20, tolerance=1e-8)
        W = products(runs, size)[0]
        least = minimum_nuclear_norm(data.matrices, data.targets)
        found, other = distances(torch.stack([W, least.matrix]), data.truth).tolist()
        rows.append([found, other, float(W.trace()) / least.value])
    return Sensed(
        count, *(float(np.median(column)) for column in zip(*rows, strict=True))
    )
