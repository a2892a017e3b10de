"""Newton steps on the central path of a barrier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ibcore.oracles.dual_barriers import (
    Places,
    Semidefinite,
    Spectral,
)

Array = NDArray[np.float64]


TINY = float(np.finfo(np.float64).tiny)


def newton_step(hessian: Array, gradient: Array) -> Array | None:
    """-H^-1 g, or None where rounding has made H singular.

    Where the dual solution is not unique H has eigenvalues of the sizes 1 and 1/mu^2. A
    shift of a few units of rounding keeps the factorization; two steps of refinement
    take its effect out where the digits allow it.
    """
    diagonal = np.diag(hessian)
    if not diagonal.min() > 0:
        return None
    scale: Array = 1 / np.sqrt(diagonal)
    unit = hessian * scale * scale[:, None]
    for shift in (0.0, 1e-15, 1e-14, 1e-13):
        try:
            factor = cho_factor(
                unit + len(unit) * shift * np.eye(len(unit)), check_finite=False
            )
        except LinAlgError:
            continue
        rest = -gradient * scale
        step = cho_solve(factor, rest, check_finite=False)
        for _ in range(2):
            step += cho_solve(factor, rest - unit @ step, check_finite=False)
        return np.asarray(step * scale)
    return None


def line_search(
    places: Places,
    barrier: type,
    point: Spectral | Semidefinite,
    dual: Array,
    step: Array,
    pull: Array,
    decrement: float,
) -> tuple[Spectral | Semidefinite, Array]:
    """The full Newton step where it is known to be safe, else the first of shrinking
    steps that descends.
    """
    share, slope = 1.0, decrement**2
    while True:
        ahead = dual + share * step
        reached: Spectral | Semidefinite = barrier(places, ahead)
        descent = point.value - reached.value + share * float(pull @ step)
        if reached.inside and (decrement < 0.25 or descent >= 0.1 * share * slope):
            return reached, ahead
        if share < 1e-8:
            return point, dual
        share *= 0.6
