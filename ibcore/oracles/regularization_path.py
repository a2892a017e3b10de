"""Where the minimizers of a decreasing loss under a bound on the norm are, and where
they head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.oracles.newton import lowering, newton
from ibcore.oracles.separability import separating_direction
from ibcore.oracles.separation import factors_to_unit_size
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_number, real_tensor

_ITERATIONS = 200
_ERROR = 1e-8
_FLOOR = 1e-12  # relative residual from which on rounding decides
_RESIDUAL = 1e-6
_LOST = 1e-2  # residual on the way at which the path is given up


@dataclass(frozen=True)
class TailLimit:
    """The direction u in which sum_i (a_i.u)^-power is least over the unit ball.

    direction: (d,).      error: a bound on |w - w*|/|w*| for the scaled problem that
    was solved, certified by strong convexity.      margin: min_i a_i.u.
    """

    direction: Tensor
    error: float
    margin: float


@threads()
def tail_limit(signed: object, power: float, start: object) -> TailLimit:
    """The limit direction of the regularization path of a loss with the tail m^-power.

    signed: (n, d) rows a_i = y_i x_i.      start: (d,) with a_i.start > 0, from which
    Newton's method starts; the result does not depend on it. The minimizer of f(w) =
    sum_i (a_i.w)^-power / power + |w|^2 / 2 is a multiple of u, since the first sum is
    homogeneous. f is strongly convex with modulus 1, so that |w - w*| <= |grad f(w)|.
    (Ji, Dudik, Schapire and Telgarsky 2020.)

    Equivariant under a common factor s of the rows (margin s, direction and error
    stay), whatever the length of the start. Raises `InvalidInput` where `start`
    separates nothing and where the error exceeds 1e-8.
    """
    rows = real_tensor("signed", signed, ndim=2).detach().cpu().double().numpy()
    w = real_tensor("start", start, ndim=1).detach().cpu().double().numpy()
    positive_number("power", power)
    if float((rows @ w).min()) <= 0:
        raise InvalidInput(
            "start does not separate the data; pass "
            "ibcore.oracles.max_margin.max_margin(X, y).primal."
        )
    unit = float(factors_to_unit_size(np.abs(rows).max(keepdims=True).ravel())[0])
    rows = rows * unit
    margins = rows @ w / np.linalg.norm(w)
    share = float(((margins / margins.min()) ** -power).sum()) ** (1 / (power + 2))
    w = w / np.linalg.norm(w) * share * margins.min() ** (-power / (power + 2))

    w = _limit(rows, power, w)
    norm = float(np.linalg.norm(w))
    slope = w - rows.T @ (rows @ w) ** (-power - 1)
    error = float(np.linalg.norm(slope)) / norm
    if not error <= _ERROR:
        raise InvalidInput(
            f"the limit is not resolved in double precision: an error of {error:.0e} "
            "is left. Scale the data, or take a smaller power."
        )
    return TailLimit(
        torch.from_numpy(w / norm), error, float((rows @ w).min()) / norm / unit
    )


def _limit(rows: np.ndarray, power: float, start: np.ndarray) -> np.ndarray:
    """The minimizer of sum_i (a_i.w)^-power / power + |w|^2 / 2 by Newton's method."""

    def value(w: np.ndarray) -> float:
        margins = rows @ w
        if not margins.min() > 0:
            return np.inf
        return float((margins**-power).sum() / power + w @ w / 2)

    def look(w: np.ndarray) -> tuple[float, np.ndarray]:
        slope = w - rows.T @ (rows @ w) ** (-power - 1)
        return float(np.linalg.norm(slope) / np.linalg.norm(w)), slope

    def advance(w: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, float]:
        bend = (power + 1) * (rows.T * (rows @ w) ** (-power - 2)) @ rows
        step = -np.linalg.lstsq(np.eye(len(w)) + bend, slope, rcond=None)[0]
        share = lowering(lambda t: value(w + t * step), float(slope @ step))
        return step, share

    return newton(start, look, advance, floor=_FLOOR, most=_ITERATIONS).point


@dataclass(frozen=True)
class PathPoint:
    """The minimizer of the mean logistic loss over |w| <= radius.

    w: (d,).      residual: |g/|g| - w/|w|| with g the negative gradient at w, zero
    exactly at the minimizer: the problem is convex and its gradient never vanishes on
    separable data.
    """

    w: Tensor
    residual: float


@threads()
def regularization_path(signed: object, radii: object) -> list[PathPoint]:
    """argmin of mean log(1 + exp(-a_i.w)) over |w| <= B for every B of the rising
    `radii`.

    signed: (n, d) separable rows a_i = y_i x_i.      Solves g(w)/S(w) = nu w, |w| = B
    by Newton's method in (w, nu), with S the sum of the slopes, so that nothing
    underflows however large B; B grows by a quarter from one solve to the next.

    Equivariant under a common factor s of the rows and 1/s of the radii: w / s, and the
    residual stays. Raises `InvalidInput` for radii that do not rise from above 0 and
    where a residual exceeds 1e-6, and `NotSeparable` where no direction separates the
    rows.
    """
    rows = real_tensor("signed", signed, ndim=2).detach().cpu().double().numpy()
    wanted = real_tensor("radii", radii, ndim=1).cpu().double().numpy()
    if wanted[0] <= 0 or (np.diff(wanted) <= 0).any():
        raise InvalidInput(
            "radii must rise from above 0; sort them and drop repetitions."
        )
    separating_direction(
        rows,
        "the rows are not linearly separable through the origin",
        "Append a column of ones for a bias if there is none, or remove those rows.",
    )
    unit = float(factors_to_unit_size(np.abs(rows).max(keepdims=True).ravel())[0])
    rows, wanted = rows * unit, wanted / unit
    mean = rows.mean(0)
    radius = min(wanted[0], 0.1 / np.linalg.norm(rows, axis=1).max())
    w = radius * mean / np.linalg.norm(mean)
    points = []
    for target in wanted:
        while radius < target:
            grown = min(1.25 * radius, target)
            w, radius = _newton(rows, w * grown / radius, grown), grown
            _resolved(_residual(rows, w), _LOST, radius * unit)
        w = _newton(rows, w, target)
        residual = _resolved(_residual(rows, w), _RESIDUAL, target * unit)
        points.append(PathPoint(torch.from_numpy(w * unit), residual))
    return points


def _resolved(residual: float, bar: float, radius: float) -> float:
    if not residual <= bar:
        raise InvalidInput(
            f"the path is not resolved in double precision at a radius of {radius:g}: "
            f"a residual of {residual:.0e} is left. Take smaller radii, or center and "
            "scale the data."
        )
    return residual


def _weights(rows: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares p_i of the examples in the gradient, and minus the logarithmic derivative
    of their slopes.
    """
    margins = rows @ w
    log_slopes = -np.logaddexp(0, margins)
    p = np.exp(log_slopes - log_slopes.max())
    return p / p.sum(), np.exp(-np.logaddexp(0, -margins))


def _residual(rows: np.ndarray, w: np.ndarray) -> float:
    push = _weights(rows, w)[0] @ rows
    return float(np.linalg.norm(push / np.linalg.norm(push) - w / np.linalg.norm(w)))


def _newton(rows: np.ndarray, w: np.ndarray, radius: float) -> np.ndarray:
    """Newton's method on A^T p(w) = nu w, |w| = radius, halving steps that do not lower
    the residual.
    """
    nu = float(w @ (_weights(rows, w)[0] @ rows)) / radius**2
    size = len(w)

    def look(point: np.ndarray) -> tuple[float, np.ndarray]:
        wrong = _wrong(rows, point[:size], point[size], radius)
        return float(np.linalg.norm(wrong)), wrong

    def advance(point: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, float]:
        step = _step(rows, point[:size], point[size], radius, wrong)
        share, bar = 1.0, np.linalg.norm(wrong) + 1e-13
        while share > 1e-3 and look(point + share * step)[0] >= bar:
            share /= 2
        return step, share

    start = np.append(w, nu)
    found = newton(start, look, advance, floor=_FLOOR, most=_ITERATIONS)
    w = found.point[:size]
    return w * radius / np.linalg.norm(w)


def _step(
    rows: np.ndarray, w: np.ndarray, nu: float, radius: float, wrong: np.ndarray
) -> np.ndarray:
    """Newton's step of (w, nu) for what is `wrong` there."""
    (p, rate), size = _weights(rows, w), len(w)
    push, tilt = p @ rows, p * rate
    system = np.zeros((size + 1, size + 1))
    system[:size, :size] = (
        -(rows.T * tilt) @ rows + np.outer(push, tilt @ rows) - nu * np.eye(size)
    )
    system[:size, size], system[size, :size] = -w, -w / radius**2
    try:
        return np.linalg.solve(system, -wrong)
    except np.linalg.LinAlgError as error:
        raise InvalidInput(
            "the path is not resolved in double precision: Newton's system is "
            f"singular ({error}). Take smaller radii, or center and scale the data."
        ) from error


def _wrong(rows: np.ndarray, w: np.ndarray, nu: float, radius: float) -> np.ndarray:
    """By how much A^T p(w) = nu w and |w| = radius are violated."""
    return np.append(
        _weights(rows, w)[0] @ rows - nu * w, (radius**2 - w @ w) / (2 * radius**2)
    )
