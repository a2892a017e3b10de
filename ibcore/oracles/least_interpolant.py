"""The shortest weights with which one ReLU neuron fits its data, certified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ibcore.validation import InvalidInput, regression_data

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LeastInterpolant:
    """The solution of min |w| subject to w.x_i = y_i where y_i > 0 and w.x_i <= 0 where y_i = 0.

    weights: (d,).   violation: the largest of |w.x_i - y_i| and max(0, w.x_i), over |x_i| |w|.
    gap: primal minus dual value of the program for |w|^2, over |w|^2.
    """

    weights: Array
    violation: float
    gap: float


def least_interpolant(X: object, y: object) -> LeastInterpolant:
    """Solve the program for X (n, d) and y (n,) >= 0 by non-negative least squares.

    With w = w_0 + N v, w_0 the least solution of the equations and N a basis of their null space, it is a least
    distance program in v, which Lawson and Hanson (1974, chapter 23) reduce to NNLS. Raises `InvalidInput` for
    negative labels or for data that no weights fit.
    """
    inputs, labels = (
        part.detach().cpu().double().numpy() for part in regression_data(X, y)
    )
    labels = labels.ravel()
    if labels.min() < 0:
        raise InvalidInput(
            f"y has a smallest entry of {labels.min():g}; a ReLU neuron fits labels >= 0 only."
        )
    lengths = np.linalg.norm(inputs, axis=1)
    lengths[lengths == 0] = 1
    rows, goals, positive = inputs / lengths[:, None], labels / lengths, labels > 0
    base, null = _equations(rows[positive], goals[positive])
    v, gap = _least_distance(-rows[~positive] @ null, rows[~positive] @ base)
    w = base + null @ v
    size = float(np.linalg.norm(w)) or 1.0
    z = rows @ w
    violation = float(
        np.where(positive, np.abs(z - goals), np.maximum(z, 0)).max() / size
    )
    if violation > 1e-7:
        raise InvalidInput(
            f"no weights fit the data: the best leave an error of {violation:.1g} relative to "
            f"|x| |w|. Remove contradictory points."
        )
    return LeastInterpolant(w, violation, gap / size**2)


def _equations(rows: Array, goals: Array) -> tuple[Array, Array]:
    """The least w with rows w = goals, (d,), and an orthonormal basis (d, r) of the null space of `rows`."""
    if len(rows) == 0:
        return np.zeros(rows.shape[1]), np.eye(rows.shape[1])
    u, values, vt = np.linalg.svd(rows)
    rank = int((values > 1e-12 * values[0]).sum())
    return vt[:rank].T @ ((u.T @ goals)[:rank] / values[:rank]), vt[rank:].T


def _least_distance(G: Array, h: Array) -> tuple[Array, float]:
    """The least v with G v >= h, and |v|^2 - lambda.h with its dual variables lambda."""
    if G.size == 0 or h.max() <= 0:
        return np.zeros(G.shape[1]), 0.0
    goal = np.zeros(G.shape[1] + 1)
    goal[-1] = 1
    stacked = np.vstack([G.T, h])
    u = nnls(stacked, goal)[0]
    rest = stacked @ u - goal
    if rest[-1] > -1e-14:
        raise InvalidInput(
            "no weights fit the data: the points of label 0 contradict the others. Remove one of them."
        )
    v = -rest[:-1] / rest[-1]
    return v, float(v @ v + u @ h / rest[-1])
