"""Local minimizers of a quasi-norm under margin constraints, all of them, by enumeration.

The program is min sum_j |beta_j|^r subject to A beta >= 1 with 0 < r < 1 (r = 2/k for a network of depth k).
Write S for the support of beta and I for its active constraints, (A beta)_i = 1. First-order stationarity
asks for lambda >= 0, zero off I, with

    r |beta_j|^(r-1) sign(beta_j) = (A^T lambda)_j   for j in S;

off S it asks nothing, since |b|^r has an infinite slope at 0. Stationary points of this kind fall into two sorts.

* |S| larger than the rank of A_IS. Then some d != 0 on S has A_I d = 0: along it the constraints stay active,
  the first derivative of the objective is lambda.A_I d = 0 and the second, r (r-1) sum_S |beta_j|^(r-2) d_j^2, is
  negative. Such a point is a saddle or a maximum along d, never a local minimizer.
* A_IS has full column rank. Then beta is a basic solution, determined by S and I. Off a null set of data |I| = |S|
  and lambda > 0 on I, and beta is a strict local minimizer: for small d with A_I d = e >= 0 the objective changes by
  at least lambda.e - C |d_off| + |d_off|^r - C (|e| + |d_off|)^2, where d_off is d off S, which is positive.

So, off a null set of data, the local minimizers are the basic solutions with |I| = |S| that are feasible and have
lambda > 0, and trying all pairs (S, I) finds every one: sum_s C(d, s) C(n, s) = C(n + d, d) - 1 linear systems.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.validation import InvalidInput, NotSeparable, real_tensor

_SYSTEMS = 5_000_000
_FEASIBLE = 1e-9
_SINGULAR = 1e-12


@dataclass(frozen=True)
class LocalMinimizers:
    """All local minimizers of sum_j |beta_j|^r subject to A beta >= 1, best first; float64 on the CPU.

    vertices: (V, d).      duals: (V, n), lambda with r |beta|^(r-1) sign(beta) = A^T lambda on the support.
    values: (V,) quasi-norms (sum_j |beta_j|^r)^(1/r).      residual: largest relative violation of that equation
    and of A beta >= 1.      systems: linear systems solved, every pair of a support and as many constraints.
    """

    vertices: Tensor
    duals: Tensor
    values: Tensor
    residual: float
    systems: int


def quasi_norm_minimizers(signed: object, power: float) -> LocalMinimizers:
    """Enumerate the local minimizers for rows y_i x_i `signed` (n, d) and r = `power`.

    Raises `InvalidInput` for r outside (0, 1) or more than five million systems, `NotSeparable` if no vertex is
    feasible.
    """
    rows = real_tensor("signed", signed, ndim=2).detach().cpu().double().numpy()
    if not 0 < power < 1:
        raise InvalidInput(
            f"power is {power!r}, expected a number between 0 and 1; for 1 use norm_max_margin."
        )
    n, d = rows.shape
    if math.comb(n + d, d) > _SYSTEMS:
        raise InvalidInput(
            f"signed has shape {rows.shape}: {math.comb(n + d, d):,} systems to enumerate, more than "
            f"{_SYSTEMS:,}. Use fewer points or dimensions."
        )
    found = [_of_size(rows, power, size) for size in range(1, min(n, d) + 1)]
    betas, duals = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if not len(betas):
        raise NotSeparable(
            "no vertex has all margins at least 1: no direction separates these data."
        )
    values = (np.abs(betas) ** power).sum(1) ** (1 / power)
    order = np.argsort(values, kind="stable")
    betas, duals = betas[order], duals[order]
    return LocalMinimizers(
        torch.from_numpy(betas),
        torch.from_numpy(duals),
        torch.from_numpy(values[order]),
        _residual(rows, power, betas, duals),
        math.comb(n + d, d) - 1,
    )


def _of_size(
    rows: np.ndarray, power: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Feasible basic solutions with `size` nonzero entries, positive duals.

    Returns the solutions (V, d) and their duals (V, n).
    """
    n, d = rows.shape
    supports = np.array(list(itertools.combinations(range(d), size)))
    actives = np.array(list(itertools.combinations(range(n), size)))
    betas, duals = [np.empty((0, d))], [np.empty((0, n))]
    for support in supports:
        blocks = rows[:, support][actives]
        regular = np.abs(np.linalg.det(blocks)) > _SINGULAR
        blocks, active = blocks[regular], actives[regular]
        ones = np.ones((len(blocks), size, 1))
        entries = np.linalg.solve(blocks, ones)[..., 0]
        margins = (entries @ rows[:, support].T).min(1, initial=np.inf)
        feasible = margins >= 1 - _FEASIBLE
        blocks, active = blocks[feasible], active[feasible]
        entries = entries[feasible]
        slopes = power * np.abs(entries) ** (power - 1) * np.sign(entries)
        transposed = blocks.swapaxes(1, 2)
        weights = np.linalg.solve(transposed, slopes[..., None])[..., 0]
        stationary = (weights > 0).all(1)
        betas.append(
            _placed(
                entries[stationary],
                np.broadcast_to(support, (int(stationary.sum()), size)),
                d,
            )
        )
        duals.append(_placed(weights[stationary], active[stationary], n))
    return np.concatenate(betas), np.concatenate(duals)


def _placed(entries: np.ndarray, places: np.ndarray, length: int) -> np.ndarray:
    """Rows of zeros with `entries` (V, s) at `places` (V, s), (V, length)."""
    full = np.zeros((len(entries), length))
    np.put_along_axis(full, places, entries, 1)
    return full


def _residual(
    rows: np.ndarray, power: float, betas: np.ndarray, duals: np.ndarray
) -> float:
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
