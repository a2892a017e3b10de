"""Gradient descent with a large step on L(x, y) = S(y) x^2 / 2 + kappa |y - target|^2 /
2, S(y) = 1 + sum_j a_j y_j^2, whose minimum y = target may be too sharp for the step.

A step is x <- (1 - eta S) x, y <- y - eta (kappa (y - target) + x^2 grad S / 2). With x
= 0 the point y moves to the target. Otherwise an orbit that jumps between (x, y) and
(-x, y) has S = 2 / eta and kappa (y - target) + x^2 grad S / 2 = 0: the conditions of
Karush, Kuhn and Tucker of

    min kappa |y - target|^2 / 2  subject to  S(y) <= 2 / eta,

with the multiplier mu = x^2 / 2. Whether descent comes to this orbit is a matter of its
stability.

Source: Damian, Nichani and Lee 2023 (abstract read) for the constraint; the exact
correspondence and the threshold are derived on the page.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ibcore.oracles import programs
from ibcore.validation import InvalidInput

Array = NDArray[np.float64]
_TOLERANCES = (1e-11, 1e-9, 1e-8)
_SCAN = np.linspace(1e-3, 1.0, 200)  # of S(target) eta / 2 - 1


@dataclass(frozen=True)
class Valley:
    """The loss above: `widths` a (d,) above 0, `target` (d,), `pull` kappa above 0."""

    widths: Array
    target: Array
    pull: float

    def sharpness(self, y: Array) -> float:
        """S(y)."""
        return 1 + float(self.widths @ y**2)

    @property
    def stable_step(self) -> float:
        """2 / S(target): below it the target itself is stable."""
        return 2 / self.sharpness(self.target)

    def at_multiplier(self, multiplier: float) -> Array:
        """The y that minimizes kappa |y - target|^2 / 2 + mu S(y)."""
        return self.pull * self.target / (self.pull + 2 * multiplier * self.widths)


@dataclass(frozen=True)
class Constrained:
    """The least kappa |y - target|^2 / 2 with S(y) <= bound.

    y: (d,).      multiplier: mu >= 0.
    gap: primal minus dual value over the primal one, or 0 where the bound is not met.
    violation: max(0, S / bound - 1).
    """

    y: Array
    multiplier: float
    gap: float
    violation: float


def constrained(valley: Valley, bound: float) -> Constrained:
    """The program, solved by Clarabel; its multiplier is finished by the scalar
    equation S(y(mu)) = bound.

    Raises `InvalidInput` for a bound of at most 1, the least value of S, and where the
    solver fails.
    """
    if not bound > 1:
        raise InvalidInput(f"the bound is {bound:g}; the sharpness is at least 1.")
    y = cp.Variable(len(valley.target))
    inside = 1 + valley.widths @ cp.square(y) <= bound
    cost = valley.pull / 2 * cp.sum_squares(y - valley.target)
    problem = cp.Problem(cp.Minimize(cost), [inside])
    if not programs.clarabel_at_best(problem, _TOLERANCES):
        raise InvalidInput("the constrained program did not solve.")
    found = float(np.asarray(inside.dual_value).ravel()[0])
    return _certified(valley, bound, _finished(valley, bound, found))


def _finished(valley: Valley, bound: float, found: float) -> float:
    """The multiplier at which S(y(mu)) = bound, within a few percent of the one that
    the solver `found`.
    """
    if valley.sharpness(valley.target) <= bound:
        return 0.0
    low, high = 0.95 * found, 1.05 * found + 1e-6 * valley.pull

    def excess(multiplier: float) -> float:
        return valley.sharpness(valley.at_multiplier(multiplier)) - bound

    if not excess(low) >= 0 >= excess(high):
        raise InvalidInput("the solver's multiplier is not that of the program.")
    return float(brentq(excess, low, high, xtol=1e-300, rtol=1e-15))


def _certified(valley: Valley, bound: float, multiplier: float) -> Constrained:
    """The values of the program and of its dual, whose function of mu is in closed
    form.
    """
    y = valley.at_multiplier(multiplier)
    primal = valley.pull / 2 * float(((y - valley.target) ** 2).sum())
    dual = primal + multiplier * (valley.sharpness(y) - bound)
    gap = abs(primal - dual) / primal if primal > 0 else 0.0
    excess = max(0.0, valley.sharpness(y) / bound - 1)
    return Constrained(y, multiplier, gap, excess)


def orbit_jacobian(valley: Valley, step_size: float, solution: Constrained) -> Array:
    """The derivative of one step, mirrored in x, at the orbit of a `solution` with mu >
    0, (d + 1, d + 1), x first.
    """
    across = np.sqrt(2 * solution.multiplier)
    pull = step_size * across * 2 * valley.widths * solution.y
    count = len(solution.y)
    out = np.eye(count + 1)
    out[0, 1:], out[1:, 0] = pull, -pull
    bend = step_size * (valley.pull + across**2 * valley.widths)
    out[1:, 1:] -= np.diag(bend)
    return out


def orbit_radius(valley: Valley, step_size: float) -> float:
    """The spectral radius of the orbit: descent comes to it from nearby exactly where
    it is below 1, up to the case of 1.
    """
    solution = constrained(valley, 2 / step_size)
    return _radius(orbit_jacobian(valley, step_size, solution))


def _radius(jacobian: Array) -> float:
    return float(np.abs(np.linalg.eigvals(jacobian)).max())


def critical_step(valley: Valley) -> float:
    """The least step above `stable_step` at which the orbit is not stable any more.

    Raises `InvalidInput` where the orbit is stable up to twice `stable_step`, or up to
    the step 2, beyond which no sharpness is small enough.
    """

    def excess(beyond: float) -> float:
        step = valley.stable_step * (1 + beyond)
        multiplier = _by_bisection(valley, 2 / step)
        solution = _certified(valley, 2 / step, multiplier)
        return _radius(orbit_jacobian(valley, step, solution)) - 1

    last = _SCAN[0]
    for beyond in _SCAN[1:]:
        if valley.stable_step * (1 + beyond) >= 2:
            break
        if excess(beyond) >= 0:
            root = float(brentq(excess, last, beyond, xtol=1e-12))
            return valley.stable_step * (1 + root)
        last = beyond
    raise InvalidInput("the orbit is stable as far as its steps are looked at.")


def _by_bisection(valley: Valley, bound: float) -> float:
    """The multiplier at which S(y(mu)) = bound < S(target)."""

    def excess(multiplier: float) -> float:
        return valley.sharpness(valley.at_multiplier(multiplier)) - bound

    high = valley.pull
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, rtol=1e-14))
