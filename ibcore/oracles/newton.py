"""Newton's method with safeguards for the equations of an oracle: one iteration for all
that solve a smooth convex or monotone system in NumPy.

An oracle says how large its residual is at a point and which step follows from there;
how much of the step is taken is said by one of the rules below. What comes back is the
point of least residual, with that residual: it is a certificate only together with what
the oracle makes of it, a duality gap or the distance of a strongly convex problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Seen = TypeVar("Seen")
_EPS = float(np.finfo(np.float64).eps)
_SHORTEST = 1e-12  # share of a step below which no rule goes
_ARMIJO = 1e-4


@dataclass(frozen=True)
class Root:
    """The point of least residual, (n,), its residual, and the steps until the end."""

    point: Array
    residual: float
    steps: int


def newton(
    start: Array,
    look: Callable[[Array], tuple[float, Seen]],
    advance: Callable[[Array, Seen], tuple[Array, float]],
    *,
    floor: float,
    most: int = 200,
    patience: int = 50,
) -> Root:
    """x <- x + share * step from `start` (n,), until the residual no longer falls.

    look: the relative residual at a point, and what the step needs of it.
    advance: a step (n,) from there and its share.
    The end: a residual at rounding, `most` steps, a step that is not finite, or
    residuals in a row that are no half of the least, two where that is at most `floor`,
    and otherwise more than `patience` where full steps are taken. Where a share of 1
    says that the solution is near, as `exponential_share` does, a patience of 1 is
    enough; full steps that only lower a function may go on far from it.
    """
    point, best, least, idle, steps = start, start, math.inf, 0, 0
    while True:
        residual, seen = look(point)
        idle = 0 if residual < least / 2 else idle + 1
        if residual < least:
            best, least = point, residual
        if residual <= _EPS or steps == most:
            break
        step, share = advance(point, seen)
        settled = idle > 1 and least <= floor
        stuck = idle > patience and share == 1.0
        if settled or stuck or not np.isfinite(step).all():
            break
        point, steps = point + share * step, steps + 1
    return Root(best, least, steps)


def exponential_share(moves: Array) -> float:
    """The share after which a convex function whose terms have |f'''| <= f'' along
    their arguments cannot have risen, for the changes `moves` of these.

    For terms such as exp, cosh or log(1 + exp): f'' grows at most like e^(t d) along
    the step, d the largest change, and the share is where that has integrated to 1.
    A step that changes no argument by more than 0.1 is taken whole.
    """
    d = float(np.abs(moves).max())
    return math.log1p(d) / d if d > 0.1 else 1.0


def lowering(
    value: Callable[[float], float], slope: float, *, rounding: float = 1e-15
) -> float:
    """The first of the shares 1, 1/2, ... at which the `value` (share) has fallen by
    1e-4 of what its `slope` at 0 says (Armijo 1966), to `rounding` relative to it.
    """
    share, start = 1.0, value(0.0)
    allowed = rounding * abs(start)
    while (
        not value(share) <= start + _ARMIJO * share * slope + allowed
        and share > _SHORTEST
    ):
        share /= 2
    return share


def turning(slope: Callable[[float], float], first: float) -> float:
    """The first of the shares 1, 1/2, ... at which the `slope` (share) of a convex
    function along the step, `first` < 0 at 0, is at most -first / 2.
    """
    share = 1.0
    while not slope(share) <= -0.5 * first and share > _SHORTEST:
        share /= 2
    return share
