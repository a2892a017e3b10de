"""The dual of a separable program: the nu with A s h(offset + A^T nu) = y, for an
increasing function h of each coordinate, the *link*.

A s h is the gradient of the convex function sum_j s_j H(offset_j + (A^T nu)_j), H' = h,
so that nu minimizes it less y.nu. Least potentials over interpolants have this form: h
is the inverse of the potential's gradient. So do minimizers with constraints that hold
with equality.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ibcore.oracles.newton import Root, exponential_share, newton, turning
from ibcore.oracles.normal_equations import normal_solution

Array = NDArray[np.float64]
FLOOR = 1e-12  # relative residual from which on rounding decides


class Link(Protocol):
    """h, its derivative, and how much of a move is safe, entry by entry in NumPy."""

    def value(self, z: Array) -> Array: ...

    def slope(self, z: Array) -> Array: ...

    def share(self, z: Array, move: Array) -> float | None:
        """The share of the move (d,) from z (d,) after which the dual has not risen, or
        nothing where no bound on h'' says it: then it is searched.
        """
        ...


class Sinh:
    """h = sinh."""

    def value(self, z: Array) -> Array:
        return np.sinh(z)

    def slope(self, z: Array) -> Array:
        return np.cosh(z)

    def share(self, _z: Array, move: Array) -> float:
        return exponential_share(move)


def dual_root(
    A: Array,
    y: Array,
    link: Link,
    start: Array,
    *,
    scale: Array | float = 1.0,
    offset: Array | float = 0.0,
    size: float = 0.0,
    floor: float = FLOOR,
    most: int = 200,
    patience: int = 1,
) -> Root:
    """nu (n,) from `start` (n,) by Newton's method, for A (n, d) and y (n,).

    Its residual is |A s h - y| over `size`, by default |y|; `floor`, `most` and
    `patience` are those of `newton`. With more rows than columns nu is not unique, and
    each step is the shortest.
    """
    unit = size or float(np.linalg.norm(y)) or 1.0

    def look(nu: Array) -> tuple[float, tuple[Array, Array]]:
        z = offset + nu @ A
        missing = y - A @ (scale * link.value(z))
        return float(np.linalg.norm(missing)) / unit, (z, missing)

    def advance(_nu: Array, seen: tuple[Array, Array]) -> tuple[Array, float]:
        z, missing = seen
        weights = scale * link.slope(z)
        if not (np.isfinite(weights).all() and np.isfinite(missing).all()):
            return np.full_like(y, np.nan), 1.0
        step = normal_solution(A, weights, missing)
        move = step @ A
        share = link.share(z, move)
        if share is None:
            share = turning(
                lambda t: float(move @ (scale * link.value(z + t * move)) - y @ step),
                -float(step @ missing),
            )
        return step, share

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return newton(start, look, advance, floor=floor, most=most, patience=patience)
