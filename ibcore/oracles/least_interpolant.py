"""The shortest weights with which one ReLU neuron fits its data, certified.

Equivariant: for a X and b y the weights are w b / a; each (x_i, y_i) may be multiplied
by a number above 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ibcore.oracles.equations import (
    failures_in_words,
    scaled_equations,
    single_targets,
    within,
)
from ibcore.threads import threads
from ibcore.validation import InvalidInput

Array = NDArray[np.float64]
_SOLVED = 1e-7


@dataclass(frozen=True)
class LeastInterpolant:
    """The solution of min |w| subject to w.x_i = y_i where y_i > 0 and w.x_i <= 0 where
    y_i = 0.

    weights: (d,).   violation: the largest of |w.x_i - y_i| and max(0, w.x_i), over
    |x_i| |w|.
    gap: primal minus dual value of the program for |w|^2, over |w|^2.
    """

    weights: Array
    violation: float
    gap: float


@threads()
def least_interpolant(X: object, y: object) -> LeastInterpolant:
    """Solve the program for X (n, d) and y (n,) >= 0 by non-negative least squares.

    With w = w_0 + N v, w_0 the least solution of the equations and N a basis of their
    null space, it is a least distance program in v, which Lawson and Hanson (1974,
    chapter 23) reduce to NNLS. Raises `InvalidInput` for negative labels, for data that
    no weights fit, and where the fit or the gap stays above 1e-7.
    """
    inputs, labels = single_targets(X, y)
    if labels.min() < 0:
        raise InvalidInput(
            f"y has a smallest entry of {labels.min():g}; a ReLU neuron fits labels >= "
            "0 only."
        )
    system, positive = scaled_equations(inputs, labels), labels > 0
    lengths = np.linalg.norm(system.rows, axis=1)
    lengths[lengths == 0] = 1
    rows, goals = system.rows / lengths[:, None], system.targets / lengths
    with failures_in_words("the shortest weights"):
        base, null = _equations(rows[positive], goals[positive])
        v, gap = _least_distance(-rows[~positive] @ null, rows[~positive] @ base)
    w = base + null @ v
    size = float(np.linalg.norm(w)) or 1.0
    z = rows @ w
    violation = float(
        np.where(positive, np.abs(z - goals), np.maximum(z, 0)).max() / size
    )
    if not within(_SOLVED, violation, abs(gap) / size**2):
        raise InvalidInput(
            f"the weights found leave an error of {violation:.1g} relative to |x| |w| "
            f"and a gap of {gap / size**2:.1g}. Remove points that (nearly) contradict "
            "one another, or bring the columns of X to comparable units."
        )
    return LeastInterpolant(w * system.size, violation, gap / size**2)


def _equations(rows: Array, goals: Array) -> tuple[Array, Array]:
    """The least w with rows w = goals, (d,), and an orthonormal basis (d, r) of the
    null space of `rows`.

    Raises `InvalidInput` where what is left of the goals, orthogonal to the columns,
    proves that there is none.
    """
    if len(rows) == 0:
        return np.zeros(rows.shape[1]), np.eye(rows.shape[1])
    u, values, vt = np.linalg.svd(rows)
    rank = int((values > 1e-12 * values[0]).sum())
    outside = np.linalg.norm((u.T @ goals)[rank:]) / np.linalg.norm(goals)
    if outside > _SOLVED:
        raise InvalidInput(
            f"no weights fit the positive labels: a share {outside:.1g} of them is out "
            "of reach of every w. Remove contradictory points."
        )
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
            "no weights fit the data: the points of label 0 contradict the others. "
            "Remove one of them."
        )
    v = -rest[:-1] / rest[-1]
    return v, float(v @ v + u @ h / rest[-1])
