"""The least sum of squares of a univariate ReLU network with free biases: in closed
form and by convex programs.

With biases that cost nothing, min (sum_j w_j^2 + a_j^2)/2 over networks c + sum_j a_j
relu(w_j x + b_j) that compute f is max(int |f''|, |f'(-inf) + f'(inf)|). Equivariant:
for a x + s and b y + q the value is multiplied by b / a.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.equations import within
from ibcore.oracles.roughness import polyline_points
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
)

Array = NDArray[np.float64]
_SOLVED = 1e-7
_LOOSER = 1e-8  # of the cost, by which the range of least interpolants may exceed it


@dataclass(frozen=True)
class LeastPathNorm:
    """The least cost of a network through B data sets of n points each.

    value (...): max(V, (V + |D|)/2).      variation: V = sum_i |s_{i+1} - s_i|, for the
    slopes s_i (..., n - 1) from point to point.      tilt: D = s_1 + s_{n-1}.
    certificate (..., n): c with sum_i c_i y_i = value and sum_i c_i f(x_i) <= cost of f
    for every network f.
    """

    value: Tensor
    variation: Tensor
    tilt: Tensor
    slopes: Tensor
    certificate: Tensor

    @property
    def pattern(self) -> Tensor:
        """Signs (..., n - 1) of the bends of the polygon and, last, of D where |D| > V
        and 0 elsewhere.
        """
        bends = self.slopes.diff().sign()
        tilted = torch.where(self.tilt.abs() > self.variation, self.tilt.sign(), 0.0)
        return torch.cat([bends, tilted[..., None]], -1)


@threads()
def least_path_norm(x: object, y: object) -> LeastPathNorm:
    """The closed form of the page on parameter norms, for `x` (..., n) increasing and
    `y` (..., n).

    Raises `InvalidInput` for NaNs, fewer than three points, or inputs that do not
    increase.
    """
    inputs, labels = _points(x, y)
    gaps = inputs.diff()
    slopes = labels.diff() / gaps
    variation = slopes.diff().abs().sum(-1)
    tilt = slopes[..., 0] + slopes[..., -1]
    value = torch.maximum(variation, (variation + tilt.abs()) / 2)
    bends = torch.nn.functional.pad(slopes.diff().sign(), (1, 1))
    by_slope = -bends.diff()
    tilted = (tilt.abs() > variation)[..., None]
    ends = torch.zeros_like(slopes)
    ends[..., 0] += 1
    ends[..., -1] += 1
    by_slope = torch.where(
        tilted, (by_slope + tilt.sign()[..., None] * ends) / 2, by_slope
    )
    rise = by_slope / gaps
    pad = torch.nn.functional.pad
    return LeastPathNorm(
        value, variation, tilt, slopes, pad(rise, (1, 0)) - pad(rise, (0, 1))
    )


@dataclass(frozen=True)
class Penalized:
    """The minimum of mean_i (f(x_i) - y_i)^2 + strength * cost of f, over networks of
    any width.

    cost, loss, objective: of the minimizer, (...).      values: what it takes at the
    points, (..., n).
    exact: where the values bend as the labels do, so that these formulas hold, (...).
    """

    cost: Tensor
    loss: Tensor
    objective: Tensor
    values: Tensor
    exact: Tensor


@threads()
def penalized(x: object, y: object, strength: float) -> Penalized:
    """The closed form z = y - (n strength / 2) c with the certificate c, and the cost
    c.z = value - strength n |c|^2/2.

    It holds for every strength up to the first at which a bend of z, or |D| - V,
    changes its sign; `exact` says where. Raises `InvalidInput` as `least_path_norm`
    does, and for a strength that is not above 0.
    """
    positive_number("strength", strength)
    inputs, labels = _points(x, y)
    least = least_path_norm(inputs, labels)
    shift = inputs.shape[-1] * strength / 2 * least.certificate
    values = labels - shift
    after = least_path_norm(inputs, values)
    exact = (after.pattern == least.pattern).all(-1)
    loss = shift.square().mean(-1)
    return Penalized(after.value, loss, loss + strength * after.value, values, exact)


@dataclass(frozen=True)
class PathProgram:
    """A solved program: jumps of the slope (2n - 2,) of neurons that look right and
    left, its cost, loss and error.

    error: the largest distance from the conditions of optimality, relative to the size
    of what they compare.
    """

    jumps: Array
    cost: float
    loss: float
    error: float


def features(x: Array) -> Array:
    """relu(x_i - x_k) for k < n and relu(x_k - x_i) for k > 1, (n, 2n - 2).

    At the points every neuron is a constant plus a convex combination of two of these
    of the same mass.
    """
    right = np.maximum(x[:, None] - x[None, :-1], 0)
    left = np.maximum(x[None, 1:] - x[:, None], 0)
    return np.concatenate([right, left], 1)


@threads()
def path_norm_program(x: object, y: object, strength: float = 0.0) -> PathProgram:
    """The convex program over all neurons, for `x` and `y` (n,).

    min mean_i (f(x_i) - y_i)^2 + strength |jumps|_1, or for strength 0 min |jumps|_1
    through the points. Raises `InvalidInput` as `least_path_norm` does, and where the
    error stays above 1e-7.
    """
    inputs, labels = _one_curve(x, y)
    size = float(np.ptp(labels)) or 1.0
    phi, target = features(inputs), labels / size
    jumps, constant = cp.Variable(phi.shape[1]), cp.Variable()
    values = phi @ jumps + constant
    if strength:
        positive_number("strength", strength)
        weight = len(target) * strength / size
        cost = cp.sum_squares(values - target) + weight * cp.norm1(jumps)
        problem = cp.Problem(cp.Minimize(cost))
    else:
        through = values == target
        problem = cp.Problem(cp.Minimize(cp.norm1(jumps)), [through])
    programs.clarabel(problem, 1e-11)
    if jumps.value is None:
        raise _unsolved(f"Clarabel says '{problem.status}'")
    found = np.asarray(jumps.value)
    residual = np.asarray(values.value) - target
    dual = -2 * residual / weight if strength else -np.asarray(through.dual_value)
    mass = float(np.abs(found).sum())
    error = max(
        float(np.abs(dual @ phi).max()) - 1,
        abs(float(dual.sum())) / float(np.abs(dual).max()),
        abs(mass - float(dual @ (residual + target))) / mass,
        0.0 if strength else float(np.abs(residual).max()),
    )
    if not within(_SOLVED, error):
        raise _unsolved(f"its conditions are missed by {error:.1g}")
    return PathProgram(
        found * size, mass * size, float((residual**2).mean()) * size**2, error
    )


@dataclass(frozen=True)
class LeastRange:
    """The lowest and the highest value, (n - 1,) each, in the middle of every gap over
    all networks of least cost.
    """

    low: Array
    high: Array


@threads()
def least_range(x: object, y: object, *, between: int = 3) -> LeastRange:
    """By linear programs: f(middle) is minimized and maximized among interpolants of
    least cost, for `x`, `y` (n,).

    Neurons bend at the points, at `between` inner positions of every gap (odd, so that
    the middle is one) and where the lines of its neighbors meet. Raises `InvalidInput`
    as `path_norm_program` does.
    """
    positive_integer("between", between)
    inputs, labels = _one_curve(x, y)
    least = float(least_path_norm(inputs, labels).value)
    places = _places(inputs, labels, between)
    jumps, constant = cp.Variable(2 * len(places)), cp.Variable()
    ramps, sign = cp.Parameter(2 * len(places)), cp.Parameter()
    conditions = [
        _ramps(inputs, places) @ jumps + constant == labels,
        cp.norm1(jumps) <= least * (1 + _LOOSER),
    ]
    program = cp.Problem(cp.Minimize(ramps @ jumps + sign * constant), conditions)
    ends: list[list[float]] = [[], []]
    for row in _ramps((inputs[1:] + inputs[:-1]) / 2, places):
        for sense, found in zip((1, -1), ends, strict=True):
            ramps.value, sign.value = sense * row, sense
            if not programs.highs(program):
                raise _unsolved(f"HiGHS says '{program.status}'")
            found.append(sense * float(program.value))
    low, high = (np.array(found) for found in ends)
    return LeastRange(low, high)


@threads()
def middle_range(x: object, y: object) -> Tensor:
    """How far below and above the polygon an interpolant of least cost can be in the
    middle of a gap, (2, ..., n - 1).

    The closed form for data with V > |D|, whose bends are not zero: in a gap whose two
    ends bend alike it lies between the polygon and the lines of the two neighbors; in
    every other gap it is the polygon.
    """
    inputs, labels = _points(x, y)
    slopes = labels.diff() / inputs.diff()
    bends, half = slopes.diff(), inputs.diff()[..., 1:-1] / 2
    before = -bends[..., :-1] * half
    after = -bends[..., 1:] * half
    convex = (bends[..., :-1] > 0) & (bends[..., 1:] > 0)
    concave = (bends[..., :-1] < 0) & (bends[..., 1:] < 0)
    below = torch.where(convex, torch.maximum(before, after), 0.0)
    above = torch.where(concave, torch.minimum(before, after), 0.0)
    return torch.stack(
        [torch.nn.functional.pad(part, (1, 1)) for part in (below, above)]
    )


def _ramps(x: Array, places: Array) -> Array:
    """relu(x - t) and relu(t - x) for every place t, (n, 2 T)."""
    distance = x[:, None] - places
    return np.concatenate([np.maximum(distance, 0), np.maximum(-distance, 0)], 1)


def _places(x: Array, y: Array, between: int) -> Array:
    """The points, `between` positions in every gap, and where the lines of the
    neighbors of an inner gap meet.
    """
    shares = np.arange(between + 1) / (between + 1)
    inside = (x[:-1, None] + np.diff(x)[:, None] * shares).ravel()
    slopes = np.diff(y) / np.diff(x)
    steeper, rest = slopes[2:] - slopes[:-2], slopes[1:-1] - slopes[:-2]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 - rest / steeper
    meet = x[1:-2] + np.diff(x)[1:-1] * share
    meet = meet[(share > 0) & (share < 1)]
    return np.unique(np.concatenate([inside, x[-1:], meet]))


def _points(x: object, y: object) -> tuple[Tensor, Tensor]:
    inputs, labels = polyline_points(x, y)
    return inputs.double(), labels.double()


def _one_curve(x: object, y: object) -> tuple[Array, Array]:
    inputs, labels = (part.numpy(force=True) for part in _points(x, y))
    if inputs.ndim != 1:
        raise InvalidInput(
            f"x has shape {inputs.shape}, expected one data set of shape (n,). Solve "
            "them one by one."
        )
    return inputs, labels


def _unsolved(why: str) -> InvalidInput:
    return InvalidInput(
        f"the program over neurons was not solved to {_SOLVED:g} ({why}). Merge points "
        "that nearly coincide, and bring the bends to comparable sizes."
    )
