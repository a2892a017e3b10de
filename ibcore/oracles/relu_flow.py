"""Gradient flow of one ReLU neuron without an integrator: a chain of linear flows.

While no input changes sides the flow w' = (2/n) X_A^T (y_A - X_A w) of the active
inputs A is linear, and every preactivation is a constant plus a sum of at most d
decaying exponentials. Such a sum has at most as many zeros as exponentials, and all of
them are found between the zeros of derivatives.

Equivariant: for a X, b y and a start b / a the weights are multiplied by b / a and the
times by a^-2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ibcore.oracles.equations import (
    failures_in_words,
    power_of_two,
    single_targets,
)
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)

Array = NDArray[np.float64]
Sides = NDArray[np.bool_]
_NULL = 1e-13  # relative size below which an eigenvalue or a preactivation at infinity is zero


@dataclass(frozen=True)
class LinearPieces:
    """The flow of a ReLU neuron: where it ends and where inputs changed sides.

    limit: (d,).   times: (K,) of the changes.   states: (K + 1, d), the start and the
    weights at the changes.
    active: (K + 1, n), the inputs with w.x > 0 on each piece.
    """

    limit: Array
    times: Array
    states: Array
    active: Sides


@threads()
def neuron_flow(
    X: object, y: object, start: object = None, *, max_pieces: int = 1000
) -> LinearPieces:
    """Gradient flow of (1/n) sum_i (max(0, w.x_i) - y_i)^2 for X (n, d) and y (n,) >=
    0, by default from w = 0.

    At the kink the derivative of ReLU is 1. With labels >= 0 the flow never slides
    along a kink. Raises `InvalidInput` for negative labels, for a start of another
    width, or for more than `max_pieces` pieces.
    """
    inputs, labels = single_targets(X, y)
    if labels.min() < 0:
        raise InvalidInput(
            f"y has a smallest entry of {labels.min():g}; a ReLU neuron fits labels >= "
            "0 only."
        )
    w = np.zeros(inputs.shape[1])
    if start is not None:
        w = real_tensor("start", start, ndim=1).detach().cpu().double().numpy()
    if w.shape != inputs.shape[1:]:
        raise InvalidInput(
            f"start has shape {w.shape}, expected ({inputs.shape[1]},), one entry a "
            "column of X."
        )
    unit, label = (power_of_two(float(np.abs(part).max())) for part in (inputs, labels))
    size = label / unit
    with failures_in_words("the flow"):
        pieces = _pieces(inputs / unit, labels / label, w / size, max_pieces)
    return LinearPieces(
        pieces.limit * size,
        pieces.times / unit**2,
        pieces.states * size,
        pieces.active,
    )


def _pieces(inputs: Array, labels: Array, w: Array, max_pieces: int) -> LinearPieces:
    touching = np.full(len(labels), not w.any())
    active = inputs @ w >= 0 if w.any() else _lifted(inputs, labels)
    times: list[float] = []
    states, sides, now = [w], [active], 0.0
    for _ in range(positive_integer("max_pieces", max_pieces)):
        piece = _Piece(inputs, labels, w, active)
        wait, crossing = piece.first_change(inputs, active, touching)
        if crossing is None:
            return LinearPieces(
                piece.at(np.inf), np.array(times), np.array(states), np.array(sides)
            )
        w, now = piece.at(wait), now + wait
        touching = np.arange(len(labels)) == crossing
        active = active ^ touching
        times.append(now)
        states.append(w)
        sides.append(active)
    raise InvalidInput(
        f"the flow has more than {max_pieces} pieces. Raise max_pieces, or look at the "
        "data: inputs whose preactivation ends at 0 can change sides without end in "
        "finite precision."
    )


def _lifted(X: Array, y: Array) -> Sides:
    """The inputs that are active just after the start in w = 0, where all are at the
    kink.

    There the flow is w' = (2/n) sum over w.x_i > 0 of y_i x_i, which has no scale. It
    starts along sum_i y_i x_i and is straight between its kinks; a path from 0 takes
    the direction in which it goes to infinity.
    """
    w, push = y @ X, np.zeros(X.shape[1])
    active = X @ w > 0
    for _ in range(100 * len(y)):
        push = (y * active) @ X
        speed, height = X @ push, X @ w
        leaving = np.where(active, speed < 0, speed > 0) & (y > 0)
        if not leaving.any():
            break
        waits = np.where(leaving, -height / np.where(leaving, speed, 1.0), np.inf)
        first = int(waits.argmin())
        w = w + max(waits[first], 0.0) * push
        active[first] = ~active[first]
    return np.where(y > 0, active, X @ push > 0)


class _Piece:
    """One linear flow: w(t) = fixed + sum_j parts_j exp(-rates_j t)."""

    def __init__(self, X: Array, y: Array, w: Array, active: Sides) -> None:
        rows = X[active]
        rates, basis = np.linalg.eigh(2 / len(y) * rows.T @ rows)
        moving = rates > _NULL * max(rates[-1], np.finfo(float).tiny)
        self.rates, vectors = rates[moving], basis[:, moving]
        goal = (2 / len(y) * y[active] @ rows) @ vectors / self.rates
        self.parts = ((w @ vectors - goal) * vectors).T
        self.fixed = w - self.parts.sum(0)

    def at(self, t: float) -> Array:
        with np.errstate(under="ignore"):
            return self.fixed + np.exp(-self.rates * t) @ self.parts

    def first_change(
        self, X: Array, active: Sides, touching: Sides
    ) -> tuple[float, int | None]:
        """The first time above 0 at which an input leaves its side, and which one (None
        if none does).
        """
        best, crossing = np.inf, None
        for i, x in enumerate(X):
            side = 1.0 if active[i] else -1.0
            constant, weights = side * (x @ self.fixed), side * (self.parts @ x)
            size = np.linalg.norm(x) * (
                np.linalg.norm(self.fixed) + np.linalg.norm(self.parts)
            )
            if abs(constant) <= _NULL * size:
                constant = 0.0
            found = first_negative(
                constant, weights, self.rates, from_zero=bool(touching[i])
            )
            if found < best:
                best, crossing = found, i
        return best, crossing


def first_negative(
    constant: float, weights: Array, rates: Array, *, from_zero: bool = False
) -> float:
    """The first t > 0 from which f(t) = constant + sum_j weights_j exp(-rates_j t) is
    negative, infinity if none.

    rates: rising, above 0.   f(0) >= 0 is taken for granted; `from_zero` says that f(0)
    = 0 up to rounding, and that f rises at first.
    """
    value = _decays(constant, weights, rates)
    left = 0.0
    for right in [*_zeros(-rates * weights, rates), np.inf]:
        end = constant if np.isinf(right) else value(right)
        if end < 0 and not (from_zero and left == 0):
            return left if value(left) <= 0 else _root(value, left, right, rates[-1])
        left = right
    return np.inf


def _decays(constant: float, weights: Array, rates: Array) -> Callable[[float], float]:
    def value(t: float) -> float:
        with np.errstate(under="ignore"):
            return float(constant + weights @ np.exp(-rates * t))

    return value


def _zeros(weights: Array, rates: Array) -> list[float]:
    """All t > 0 where sum_j weights_j exp(-rates_j t) changes sign, rising; the rates
    rise.
    """
    kept = weights != 0
    weights, rates = weights[kept], rates[kept]
    if len(weights) < 2:
        return []
    shifted = rates - rates[0]
    value = _decays(0.0, weights, shifted)
    found, left = [], 0.0
    for right in [*_zeros((-shifted * weights)[1:], shifted[1:]), np.inf]:
        end = weights[shifted == 0].sum() if np.isinf(right) else value(right)
        if np.sign(value(left)) * np.sign(end) < 0:
            found.append(_root(value, left, right, shifted[-1]))
        left = right
    return found


def _root(
    value: Callable[[float], float], left: float, right: float, rate: float
) -> float:
    """The zero between two times with values of opposite signs; `right` may be
    infinity.
    """
    stop = right
    if np.isinf(right):
        stop = max(2 * left, 1 / rate)
        while np.sign(value(left)) * np.sign(value(stop)) >= 0:
            stop *= 2
            if np.isinf(stop):
                raise FloatingPointError("a sum of exponentials changes sign too late")
    return float(brentq(value, left, stop, xtol=1e-300, rtol=1e-15))


def turned_ratio(turns: object, reach: float, behind: float = 0.0) -> float:
    """|w_inf| / |w*| where points of label 0 act one after the other and turn v, from
    -z, by the angles `turns`.

    Every turn by phi shortens v by cos phi. It ends at the angle pi - sum(turns) from z
    with the length q |z|, q = prod cos(turns), and the weights at (1, z + v); the least
    are (1, z), |z| = `reach`.
    behind: the flow starts at w = -`behind` z instead of 0, at v = -(1 + `behind`) z,
    and q is so many times as large.
    """
    phi = real_tensor("turns", turns, ndim=1).detach().cpu().double().numpy()
    length = positive_number("reach", reach)
    longer = positive_number("1 + behind", 1 + behind)
    shrunk = longer * float(np.cos(phi).prod())
    square = 1 + 2 * shrunk * np.cos(np.pi - phi.sum()) + shrunk**2
    return float(np.sqrt((1 + length**2 * square) / (1 + length**2)))
