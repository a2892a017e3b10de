"""Mirror flow with a separable potential that need not be homogeneous, in the raw
weights, on the exponential loss of a linear predictor.

The flow d/dt phi'(w_j) = -dL/dw_j visits the same points as dw/ds = sqrt(1 + |w|^2) v /
|v| with v_j = (A^T p)_j / phi''(w_j), p = softmax(-A w): in this time log |w| grows at a
constant pace, however small the loss. A convex potential grows so differently in
different coordinates that the equations are stiff; SciPy's BDF solves them with the
Jacobian below. Where phi'' of the largest coordinate is about 1e16 times that of
another, (A^T p)_j is lost in rounding: cosh can be followed to |w|_inf of about 20.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics.stiff_flow import StiffRun, integrate
from ibcore.threads import threads
from ibcore.validation import InvalidInput

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Potential:
    """sum_j phi(w_j), phi even: log phi'' of weights and its derivative, and phi'."""

    name: str
    log_curvature: Callable[[Array], Array]
    log_curvature_slope: Callable[[Array], Array]
    gradient: Callable[[Array], Array]


def _log_cosh(w: Array) -> Array:
    size = np.abs(w)
    return size + np.log1p(np.exp(-2 * size)) - math.log(2)


COSH = Potential("cosh w", _log_cosh, np.tanh, np.sinh)
HYPENTROPY = Potential(
    "w arsinh w - sqrt(1 + w^2)",
    lambda w: -np.log1p(w * w) / 2,
    lambda w: -w / (1 + w * w),
    np.arcsinh,
)
QUADRATIC = Potential("w^2 / 2", np.zeros_like, np.zeros_like, lambda w: w)


def capped_cosh(cap: float) -> Potential:
    """As cosh where |w| is below `cap`, and a parabola far beyond: 1 / phi'' = 1 / cosh
    w + 1 / cosh cap.
    """
    top = float(_log_cosh(np.array(cap)))

    def log_curvature(w: Array) -> Array:
        return np.asarray(-np.logaddexp(-_log_cosh(w), -top))

    def slope(w: Array) -> Array:
        return np.asarray(np.exp(log_curvature(w) - _log_cosh(w)) * np.tanh(w))

    def gradient(w: Array) -> Array:
        """The integral of c cosh / (c + cosh), c = cosh cap."""
        c, root = math.cosh(cap), math.sinh(cap)
        inner = (c - 1) / root * np.tanh(w / 2)
        return np.asarray(c * (w - 2 * c / root * np.arctanh(inner)))

    return Potential(f"cosh w, capped at {cap:g}", log_curvature, slope, gradient)


@threads()
def potential_flow(
    signed: Tensor,
    potential: Potential,
    size: Callable[[Array], float],
    levels: Sequence[float],
    *,
    tolerance: float = 1e-6,
    max_seconds: float = math.inf,
) -> tuple[Tensor, tuple[StiffRun, ...]]:
    """The first states (K, d) from w = 0 at which `size` of the weights is at each of
    the rising levels or above, and the runs that came there.

    signed: (n, d), rows y_i x_i.      tolerance: relative and absolute local error.
    A state is NaN from where a run ended early. Raises `InvalidInput` for levels that
    do not rise from above 0.
    """
    if not (np.diff(np.asarray(levels), prepend=0.0) > 0).all():
        raise InvalidInput(f"levels are {levels}, expected them to rise from above 0.")
    A = signed.detach().cpu().double().numpy()
    field, jacobian = fields(A, potential)
    w, states, runs = np.zeros(A.shape[1]), [], []
    for level in levels:
        run = integrate(
            field,
            jacobian,
            w,
            done=_at_least(size, level),
            method="BDF",
            tolerance=tolerance,
            floor=tolerance,
            max_steps=20_000,
            max_seconds=max_seconds,
        )
        runs.append(run)
        if not run.complete:
            break
        w = run.state.numpy()
        states.append(w)
    lost = [np.full(A.shape[1], np.nan)] * (len(levels) - len(states))
    return torch.from_numpy(np.stack(states + lost)), tuple(runs)


def _at_least(size: Callable[[Array], float], level: float) -> Callable[[Array], bool]:
    return lambda w: size(w) >= level


def fields(
    A: Array, potential: Potential
) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """The field of the flow and its Jacobian, on rows A (n, d)."""

    def parts(w: Array) -> tuple[Array, Array, Array]:
        """v over its largest entry, its Jacobian, and w over sqrt(1 + |w|^2)."""
        margins = A @ w
        p = np.exp(margins.min() - margins)
        p /= p.sum()
        pull, log_curvature = A.T @ p, potential.log_curvature(w)
        with np.errstate(divide="ignore"):
            size = np.log(np.abs(pull)) - log_curvature
        v = np.sign(pull) * np.exp(size - size.max())
        flat = np.exp(-log_curvature - size.max())
        turned = np.outer(pull, pull) - (A.T * p) @ A
        slope = flat[:, None] * turned - np.diag(v * potential.log_curvature_slope(w))
        return v, slope, w / math.sqrt(1 + w @ w)

    def field(w: Array) -> Array:
        v, _, _ = parts(w)
        return math.sqrt(1 + w @ w) / np.linalg.norm(v) * v

    def jacobian(w: Array) -> Array:
        v, slope, along = parts(w)
        norm = np.linalg.norm(v)
        bent = slope - np.outer(v, v @ slope) / norm**2
        return math.sqrt(1 + w @ w) / norm * bent + np.outer(v / norm, along)

    return field, jacobian
