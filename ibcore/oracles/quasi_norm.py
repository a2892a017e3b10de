"""Local minimizers of a quasi-norm under margin constraints, all of them, by
enumeration.

The program is min sum_j |beta_j|^r subject to A beta >= 1 with 0 < r < 1 (r = 2/k for a
network of depth k). Write S for the support of beta and I for its active constraints,
(A beta)_i = 1. First-order stationarity asks for lambda >= 0, zero off I, with

    r |beta_j|^(r-1) sign(beta_j) = (A^T lambda)_j   for j in S;

off S it asks nothing, since |b|^r has an infinite slope at 0. Stationary points of this
kind fall into two sorts.

* |S| larger than the rank of A_IS. Then some d != 0 on S has A_I d = 0: along it the
  constraints stay active, the first derivative of the objective is lambda.A_I d = 0 and
  the second, r (r-1) sum_S |beta_j|^(r-2) d_j^2, is negative. Such a point is a saddle
  or a maximum along d, never a local minimizer.
* A_IS has full column rank. Then beta is a basic solution, determined by S and I. Off a
  null set of data |I| = |S| and lambda > 0 on I, and beta is a strict local minimizer:
  for small d with A_I d = e >= 0 the objective changes by at least lambda.e - C |d_off|
  + |d_off|^r - C (|e| + |d_off|)^2, where d_off is d off S, which is positive.

So, off a null set of data, the local minimizers are the basic solutions with |I| = |S|
that are feasible and have lambda > 0, and trying all pairs (S, I) finds every one:
sum_s C(d, s) C(n, s) = C(n + d, d) - 1 linear systems.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles.active_set import Array, Indices
from ibcore.oracles.separability import separating_direction
from ibcore.oracles.separation import balanced
from ibcore.threads import threads
from ibcore.validation import InvalidInput, real_tensor

Flags = NDArray[np.bool_]

_SYSTEMS = 5_000_000
_FEASIBLE = 1e-12
_SINGULAR = 1e-12
_RESIDUAL = 1e-6


@dataclass(frozen=True)
class LocalMinimizers:
    """All local minimizers of sum_j |beta_j|^r subject to A beta >= 1, best first;
    float64 on the CPU.

    vertices: (V, d).      duals: (V, n), lambda with r |beta|^(r-1) sign(beta) = A^T
    lambda on the support.
    values: (V,) quasi-norms (sum_j |beta_j|^r)^(1/r).      residual: largest relative
    violation of that equation and of A beta >= 1.      systems: linear systems solved,
    every pair of a support and as many constraints.
    """

    vertices: Tensor
    duals: Tensor
    values: Tensor
    residual: float
    systems: int


@threads()
def quasi_norm_minimizers(signed: object, power: float) -> LocalMinimizers:
    """Enumerate the local minimizers for rows y_i x_i `signed` (n, d) and r = `power`.

    Equivariant under a common factor s: vertices / s, values / s, duals / s^r. Repeated
    rows count once and share their dual variable. Which pairs (S, I) give a regular
    system and a feasible solution does not depend on the units of rows and columns.
    Raises `InvalidInput` for r outside (0, 1), more than five million systems or a
    residual above 1e-6, and `NotSeparable` if no direction separates the rows.
    """
    rows = real_tensor("signed", signed, ndim=2).detach().cpu().double().numpy()
    if not 0 < power < 1:
        raise InvalidInput(
            f"power is {power!r}, expected a number between 0 and 1; for 1 use "
            "norm_max_margin."
        )
    rows, copies, counts = np.unique(
        rows + 0.0, axis=0, return_inverse=True, return_counts=True
    )
    n, d = rows.shape
    if math.comb(n + d, d) > _SYSTEMS:
        raise InvalidInput(
            f"signed has shape {rows.shape}: {math.comb(n + d, d):,} systems to "
            f"enumerate, more than {_SYSTEMS:,}. Use fewer points or dimensions."
        )
    separating_direction(rows, "no vertex has all margins at least 1")
    program = balanced(rows)
    found = [_of_size(*program, power, size) for size in range(1, min(n, d) + 1)]
    betas, duals = (np.concatenate(parts) for parts in zip(*found, strict=True))
    residual = _residual(rows, power, betas, duals) if len(betas) else math.inf
    if not residual <= _RESIDUAL:
        raise InvalidInput(
            "the local minimizers are not resolved in double precision: of "
            f"{len(betas)} vertices one leaves a residual of {residual:.0e}. Scale the "
            "data, or remove nearly contradictory points."
        )
    values = (np.abs(betas) ** power).sum(1) ** (1 / power)
    order = np.argsort(values, kind="stable")
    return LocalMinimizers(
        torch.from_numpy(betas[order]),
        torch.from_numpy((duals / counts)[order][:, copies]),
        torch.from_numpy(values[order]),
        residual,
        math.comb(n + d, d) - 1,
    )


def _of_size(
    rows: Array, heights: Array, factors: Array, power: float, size: int
) -> tuple[Array, Array]:
    """Feasible basic solutions of `size` entries with positive duals.

    Returns (V, d) and (V, n), for `rows` = heights * A * factors.
    """
    n, d = rows.shape
    supports = np.array(list(itertools.combinations(range(d), size)))
    actives = np.array(list(itertools.combinations(range(n), size)))
    betas, duals = [np.empty((0, d))], [np.empty((0, n))]
    for support in supports:
        part, units = rows[:, support], factors[support]
        blocks = part[actives]
        regular = _regular(blocks)
        blocks, active = blocks[regular], actives[regular]
        goals = heights[active][..., None]
        entries = np.linalg.solve(blocks, goals)[..., 0]
        good = _feasible(part, heights, entries)
        blocks, active = blocks[good], active[good]
        entries = entries[good] * units
        slopes = power * np.abs(entries) ** (power - 1) * np.sign(entries)
        pull, turned = (units * slopes)[..., None], blocks.swapaxes(1, 2)
        weights = np.linalg.solve(turned, pull)[..., 0]
        kept = (weights > 0).all(1)
        entries, active = entries[kept], active[kept]
        places = np.broadcast_to(support, entries.shape)
        betas.append(_placed(entries, places, d))
        duals.append(_placed(weights[kept] * heights[active], active, n))
    return np.concatenate(betas), np.concatenate(duals)


def _regular(blocks: Array) -> Flags:
    """Whether the rows of each block (V, s, s) span a volume, relative to their
    lengths.
    """
    volumes = np.linalg.norm(blocks, axis=2).prod(1)
    return np.abs(np.linalg.det(blocks)) > _SINGULAR * volumes


def _feasible(rows: Array, heights: Array, entries: Array) -> Flags:
    """Whether each of `entries` (V, s) meets all constraints, beyond rounding, and no
    entry vanishes.
    """
    missing = np.abs(entries) @ np.abs(rows).T + heights
    met = (entries @ rows.T - heights >= -_FEASIBLE * missing).all(1)
    sizes = np.abs(entries)
    return met & (sizes > _SINGULAR * sizes.max(1, initial=0, keepdims=True)).all(1)


def _placed(entries: Array, places: Indices, length: int) -> Array:
    """Rows of zeros with `entries` (V, s) at `places` (V, s), (V, length)."""
    full = np.zeros((len(entries), length))
    np.put_along_axis(full, places, entries, 1)
    return full


def _residual(rows: Array, power: float, betas: Array, duals: Array) -> float:
    on = betas != 0
    slopes = (
        power
        * np.where(on, np.abs(np.where(on, betas, 1.0)), 1.0) ** (power - 1)
        * np.sign(betas)
    )
    balance = np.abs(np.where(on, duals @ rows - slopes, 0.0)).max(1) / np.abs(
        np.where(on, slopes, 0.0)
    ).max(1)
    return float(max(balance.max(), (1 - betas @ rows.T).max()))
