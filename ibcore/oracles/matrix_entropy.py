"""Where factorized gradient flow ends if the observations commute, and how fast its
noise grows if they do not.

Equivariant: for a A, b y and alpha^2 b / a the minimum of the entropy is W b / a, and
each observation may be multiplied by a number; the exponent of the noise is the same
for a A, b y and a step size eta / (a b).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles.equations import (
    failures_in_words,
    power_of_two,
    scaled_equations,
)
from ibcore.oracles.newton import lowering, newton
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)

Array = NDArray[np.float64]
_LIMIT = 200
_SOLVED = 1e-9


@dataclass(frozen=True)
class EntropyMinimum:
    """Solutions for K scales; float64 on the CPU.

    matrix: W (K, d, d).      dual: s (K, n) with W = alpha^2 exp(sum_i s_i A_i), which
    makes W optimal if it fits.
    residual: (K,), |A(W) - y| over the larger of |y| and |A|_F |W|_F, observations
    scaled to largest entries near 1.
    """

    matrix: Tensor
    dual: Tensor
    residual: Tensor


@threads()
def entropy_minimum(
    matrices: object, targets: object, scales: Sequence[float]
) -> EntropyMinimum:
    """min tr(W log W - W) - log(alpha^2) tr W subject to <A_i, W> = y_i over W > 0, for
    falling alpha of `scales` (K,).

    matrices: symmetric A (n, d, d), linearly independent.   targets: y (n,), which some
    positive definite W fits. The dual min alpha^2 tr exp(sum_i s_i A_i) - y.s is solved
    by Newton's method, each scale from the one before. For commuting A_i gradient flow
    on U from U = alpha I ends at this W = U U^T (Wu and Rebeschini 2021, proved on the
    page). Raises `InvalidInput` for matrices that are not symmetric, scales that do not
    fall, or where the residual stays above 1e-9, as it does if no positive definite
    matrix fits.
    """
    A, y = _symmetric(matrices, targets)
    system = scaled_equations(A.reshape(len(A), -1), y)
    levels = [2 * math.log(positive_number("scale", float(scale))) for scale in scales]
    if not levels or sorted(levels, reverse=True) != levels:
        raise InvalidInput("scales do not fall. Sort them from the largest.")
    size = system.size if y.any() else power_of_two(math.exp(levels[0]))
    A, y, dual = system.rows.reshape(A.shape), system.targets, np.zeros(len(y))
    duals, products, rest = [], [], []
    with (
        failures_in_words("the entropy program"),
        np.errstate(over="ignore", invalid="ignore"),  # in steps that are refused
    ):
        for level in levels:
            dual = _newton(A, y, level - math.log(size), dual)
            W = _exponential(A, dual, level - math.log(size))[2]
            rest.append(_residual(A, y, W))
            duals.append(system.given(dual))
            products.append(W * size)
    return EntropyMinimum(
        torch.from_numpy(np.stack(products)),
        torch.from_numpy(np.stack(duals)),
        torch.tensor(rest, dtype=torch.float64),
    )


def _symmetric(matrices: object, targets: object) -> tuple[Array, Array]:
    """Symmetric A (n, d, d) and y (n,)."""
    A, y = _squares(matrices, targets)
    largest = np.abs(A).max(axis=(1, 2), keepdims=True)
    if not (np.abs(A - A.transpose(0, 2, 1)) <= 1e-8 * largest).all():
        raise InvalidInput("matrices are not symmetric. Take (A + A^T)/2.")
    return A, y


def _squares(matrices: object, targets: object) -> tuple[Array, Array]:
    A: Array = real_tensor("matrices", matrices, ndim=3).detach().cpu().double().numpy()
    y: Array = real_tensor("targets", targets, ndim=1).detach().cpu().double().numpy()
    if len(A) != len(y) or A.shape[1] != A.shape[2]:
        raise InvalidInput(
            f"matrices have shape {A.shape} and targets {y.shape}; expected n square "
            "matrices and n targets."
        )
    return A, y


def _residual(A: Array, y: Array, W: Array) -> float:
    size = max(
        float(np.linalg.norm(y)), float(np.linalg.norm(A)) * float(np.linalg.norm(W))
    )
    return float(np.linalg.norm(np.tensordot(A, W, 2) - y)) / (size or 1.0)


def noise_exponent(
    matrices: object, targets: object, rank: int, step_size: float = 0.0
) -> float:
    """2 (1 - q): the power of alpha by which the part of U U^T beyond `rank` falls, for
    U = alpha I at the start.

    From a small start U grows like exp(4 t M), M = (1/n) sum_i y_i A_i, until its
    largest part is of size one; then the next part of U has the size alpha^(1 - q), q
    the ratio of the eigenvalues `rank` + 1 and `rank` of M (derived on the page for
    rank 1, without a bound on the remainders). With gradient descent of step eta each
    eigenvalue counts as log(1 + 4 eta lambda).
    matrices: (n, d, d), whose symmetric parts U U^T sees.   step_size: eta on the mean
    square loss, 0 for the flow. Raises `InvalidInput` where the rank leaves no
    eigenvalue beyond it or the `rank`-th is not positive.
    """
    A, y = _squares(matrices, targets)
    if not 0 <= step_size < math.inf:
        raise InvalidInput(f"step_size is {step_size!r}, expected 0 or more.")
    with failures_in_words("the growth rates"):
        mean = np.tensordot(y, (A + A.transpose(0, 2, 1)) / 2, 1) / len(y)
        values = np.linalg.eigvalsh(mean)[::-1]
    rounding = 1e-14 * np.linalg.norm(y) * np.linalg.norm(A) / len(y)
    if positive_integer("rank", rank) >= len(values) or values[rank - 1] <= rounding:
        raise InvalidInput(
            f"rank is {rank}, expected fewer than {len(values)}, with {rank} positive "
            "eigenvalue(s) of the mean of y_i A_i."
        )
    if 4 * step_size * values[-1] <= -1:
        raise InvalidInput(
            f"step_size is {step_size:g}, so large that a direction changes its sign "
            f"at every step. Take one below {-1 / (4 * values[-1]):.3g}."
        )
    rates = np.log1p(4 * step_size * values) if step_size else values
    return 2 * (1 - float(rates[rank] / rates[rank - 1]))


def _exponential(A: Array, dual: Array, level: float) -> tuple[Array, Array, Array]:
    values, basis = np.linalg.eigh(np.tensordot(dual, A, 1))
    weights = np.exp(values + level)
    return values, basis, (basis * weights) @ basis.T


def _newton(A: Array, y: Array, level: float, dual: Array) -> Array:
    """Newton's method on the dual; its Hessian through divided differences of exp
    (Daleckii and Krein).
    """

    def look(dual: Array) -> tuple[float, tuple[Array, Array, Array]]:
        values, basis, W = _exponential(A, dual, level)
        gradient = np.tensordot(A, W, 2) - y
        return _residual(A, y, W), (values, basis, gradient)

    def advance(dual: Array, seen: tuple[Array, Array, Array]) -> tuple[Array, float]:
        values, basis, gradient = seen
        turned = (basis.T @ A @ basis).reshape(len(y), -1)
        hessian = (turned * _divided(values + level).ravel()) @ turned.T
        if not (np.isfinite(hessian).all() and np.isfinite(gradient).all()):
            return np.full_like(y, np.nan), 1.0
        step: Array = np.linalg.lstsq(hessian, -gradient, rcond=None)[0].astype(float)
        return step, _share(A, y, level, dual, step, float(gradient @ step))

    found = newton(dual, look, advance, floor=_SOLVED, most=_LIMIT)
    if not found.residual <= _SOLVED:
        raise InvalidInput(
            f"the entropy program ended with a residual of {found.residual:.1g}: no "
            "positive definite matrix fits the observations, or double precision does "
            "not find it. Check the targets."
        )
    return found.point


def _divided(values: Array) -> Array:
    """(e^a - e^b)/(a - b) for all pairs of `values` (d,)."""
    middle, half = (values[:, None] + values) / 2, (values[:, None] - values) / 2
    quotient = np.sinh(half) / np.where(half == 0, 1, half)
    return np.asarray(np.exp(middle) * np.where(half == 0, 1, quotient))


def _share(
    A: Array, y: Array, level: float, dual: Array, step: Array, slope: float
) -> float:
    """All of a step near the solution, where rounding hides what it gains."""

    def value(share: float) -> float:
        point = dual + share * step
        values = np.linalg.eigvalsh(np.tensordot(point, A, 1))
        return float(np.exp(values + level).sum() - y @ point)

    if -slope <= 1e-8 * abs(value(0.0)):
        return 1.0
    with np.errstate(over="ignore"):
        return lowering(value, slope)
