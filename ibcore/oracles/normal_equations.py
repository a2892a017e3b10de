"""Newton's equations of a separable dual, (A diag(w) A^T) nu = r, without forming their
matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

Array = NDArray[np.float64]
_PIVOT = 1e-6  # of R, relative, below which directions are looked at one by one
_EPS = float(np.finfo(np.float64).eps)


def normal_solution(A: Array, weights: Array, right: Array) -> Array:
    """(A diag(weights) A^T)^{-1} right, (n,), for A (n, d) and weights (d,) >= 0, from
    the R factor of the square root.

    With more rows than columns it is the solution of least norm. Directions below
    rounding are left out: where most weights vanish, moving the dual along them does
    not move the primal, and what the inverse has there is noise of any size.
    """
    R = np.linalg.qr((A * np.sqrt(weights)).T, mode="r")
    pivots = np.abs(np.diag(R))
    if len(R) == len(right) and pivots.min() > _PIVOT * pivots.max():
        return np.asarray(solve_triangular(R, solve_triangular(R, right, trans="T")))
    values, basis = np.linalg.svd(R, full_matrices=False)[1:]
    kept = values**2 > _EPS * values[0] ** 2
    return np.asarray(basis[kept].T @ (basis[kept] @ right / values[kept] ** 2))
