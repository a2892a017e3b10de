"""The shortest w with A w >= h, by an active-set method whose every step is a QR
decomposition of active rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class ShortestVector:
    """Where `shortest_vector` ended.

    w: (d,), the shortest vector.      weights: (n,) >= 0 with w = A^T weights, zero off
    the active rows.
    alternative: None, or weights (n,) >= 0, not all zero, with A^T weights near 0,
    after which no w exists.
    finished: whether one of the two was reached before the limit on steps.
    """

    w: Array
    weights: Array
    alternative: Array | None
    finished: bool


def shortest_vector(
    rows: Array, heights: Array, start: Array, noise: float = EPS
) -> ShortestVector:
    """min |w| subject to rows w >= heights, and its dual variables.

    rows: (n, d) of unit length.      heights: (n,) above 0.      start: (n,) >= 0, a
    guess of the dual variables.
    noise: the error of an entry of `rows`; rows that it makes dependent are taken as
    dependent. Lawson and Hanson's method for the dual max h.u - |A^T u|^2/2 over u >=
    0: on the active rows, kept linearly independent, the unconstrained maximum is found
    from their QR decomposition (never from their Gram matrix); a step towards it ends
    where a variable becomes 0; then the row that is violated most is added. The dual
    value rises in every step, so that no active set returns. A row counts as violated
    beyond the rounding of its own product.
    """
    n, d = rows.shape
    u, sizes = start.astype(float), np.abs(rows)
    if not u.any():
        u[heights.argmax()] = 1.0
    active = np.flatnonzero(u)
    w = np.zeros(d)
    for _ in range(20 * (n + d)):
        q, r, order = qr(rows[active].T, mode="economic", pivoting=True)
        active = active[order]
        rank = _rank(r, noise * max(len(active), d))
        if rank < len(active):
            c = _kernel(r, rank)
            if heights[active[: rank + 1]] @ c < 0:
                c = -c
            u, active, blocked = _until_zero(u, active, c, _small(c, noise))
            if not blocked:
                found = np.zeros(n)
                found[active[: rank + 1]] = np.where(c > _small(c, noise), c, 0)
                return ShortestVector(w, u, found, finished=True)
            continue
        best, near = _on_active(rows[active], heights[active], q, r)
        if best.min() <= 0:
            u, active = _towards(u, active, best)
            continue
        u[active], w = best, near
        slack = rows @ w - heights
        slack[active] = 0
        low = slack + 4 * EPS * (sizes @ np.abs(w) + heights)
        if low.min() >= 0:
            return ShortestVector(w, u, None, finished=True)
        active = np.append(active, np.where(low < 0, slack, 0).argmin())
    return ShortestVector(w, u, None, finished=False)


def _on_active(rows: Array, heights: Array, q: Array, r: Array) -> tuple[Array, Array]:
    """u and w = A^T u with A w = heights for A^T = q r, each corrected once by its
    residual.
    """
    w = q @ solve_triangular(r, heights, trans="T")
    w = w + q @ solve_triangular(r, heights - rows @ w, trans="T")
    u = solve_triangular(r, q.T @ w)
    return u + solve_triangular(r, q.T @ (w - rows.T @ u)), w


def _rank(r: Array, noise: float) -> int:
    diagonal = np.abs(r.diagonal())
    return int((diagonal > noise * diagonal[0]).sum())


def _small(c: Array, noise: float) -> float:
    return float(16 * noise * len(c) * np.abs(c).max())


def _kernel(r: Array, rank: int) -> Array:
    """c (rank + 1,) with entry 1 at the end such that the first rank + 1 columns
    combine to 0.
    """
    return np.append(-solve_triangular(r[:rank, :rank], r[:rank, rank]), 1.0)


def _until_zero(
    u: Array, active: Indices, c: Array, small: float
) -> tuple[Array, Indices, bool]:
    """Move along c, which leaves A^T u unchanged, until a variable is 0, and whether
    one ever is.
    """
    moved = active[: len(c)]
    falling = c < -small
    if not falling.any():
        return u, active, False
    steps = np.full(len(c), np.inf)
    steps[falling] = u[moved][falling] / -c[falling]
    gone = int(steps.argmin())
    u = u.copy()
    u[moved] = np.maximum(u[moved] + steps[gone] * c, 0)
    u[moved[gone]] = 0
    return u, np.delete(active, gone), True


def _towards(u: Array, active: Indices, best: Array) -> tuple[Array, Indices]:
    """The step from u towards `best` that ends where the first variable becomes 0,
    which is dropped.
    """
    here = u[active]
    steps = np.full(len(best), np.inf)
    falling = best <= 0
    steps[falling] = here[falling] / (here[falling] - best[falling]).clip(min=1e-300)
    gone = int(steps.argmin())
    u = u.copy()
    u[active] = np.maximum(here + min(1.0, steps[gone]) * (best - here), 0)
    u[active[gone]] = 0
    return u, np.delete(active, gone)
