"""The least trace of the Hessian among the networks with beta = u^2 - v^2, or u^2, that
fit the data: a linear program.

With c_j = (1/n) sum_i x_ij^2 the trace of the Hessian of the mean square loss is 8
sum_j c_j (u_j^2 + v_j^2). Where beta is given it is least where u_j v_j = 0, and is
then 8 sum_j c_j |beta_j|. So the flattest interpolant solves

    min sum_j c_j |beta_j|   s.t.   X beta = y,

with beta >= 0 where there is no v. Its dual is max nu . y s.t. |X^T nu| <= c, without
the absolute value where beta >= 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.equations import Array, within
from ibcore.threads import threads
from ibcore.validation import InvalidInput, regression_data

TRACE = 8.0  # of the Hessian over sum_j c_j (u_j^2 + v_j^2)
_CERTIFIED = 1e-7


@dataclass(frozen=True)
class LeastTrace:
    """The solution of the program in units of y and X, float64 on the CPU.

    primal: beta (d,).   dual: nu (n,), feasible.   weights: c (d,).   value: sum_j c_j
    |beta_j|.
    gap: value - nu.y, over value.   residual: |X beta - y| / |y|.
    """

    primal: Tensor
    dual: Tensor
    weights: Tensor
    value: float
    gap: float
    residual: float

    @property
    def trace(self) -> float:
        """The least trace of the Hessian of the mean square loss."""
        return TRACE * self.value


def weights(X: Tensor) -> Tensor:
    """c_j = (1/n) sum_i x_ij^2 of inputs (..., n, d), (..., d)."""
    return X.square().mean(-2)


@threads()
def least_trace(X: object, y: object, *, positive: bool = False) -> LeastTrace:
    """Solve min sum_j c_j |beta_j| s.t. X beta = y, with beta >= 0 where `positive`, by
    HiGHS, with its dual.

    It is solved in units of max |y| and, for X, of a power of two near the root mean
    square of its entries: with a X and b y in place of X and y (a, b > 0), beta is
    multiplied by b / a, nu by a and the value by a b.

    Raises `InvalidInput` for malformed data, y = 0, a column of zeros, data that no
    beta fits, and where gap or residual stay above 1e-7.
    """
    inputs, targets = (part.numpy() for part in regression_data(X, y))
    c = np.square(inputs).mean(0)
    if not targets.any():
        raise InvalidInput("y is zero: beta = 0, whose relative gap has no meaning.")
    if not c.all():
        raise InvalidInput("a column of X is zero, and its weight too. Leave it out.")
    size = float(np.abs(targets).max())
    unit = 2.0 ** round(math.log2(float(c.mean())) / 2)
    scaled = inputs / unit / (c / unit**2)
    gamma, nu = _solved(scaled, targets / size, positive=positive)
    slopes = nu @ scaled
    beta = gamma / c * size * unit
    nu = nu / max(1.0, float((slopes if positive else np.abs(slopes)).max()))
    value = float(np.abs(gamma).sum())
    found = LeastTrace(
        torch.from_numpy(beta),
        torch.from_numpy(nu * unit),
        torch.from_numpy(c),
        value * size * unit,
        (value - float(nu @ targets) / size) / value,
        float(np.linalg.norm(inputs @ beta - targets) / np.linalg.norm(targets)),
    )
    if not within(_CERTIFIED, abs(found.gap), found.residual):
        raise InvalidInput(
            f"the linear program was not solved to {_CERTIFIED:g} (gap "
            f"{found.gap:.1g}, residual {found.residual:.1g}). Bring the columns of X "
            "to comparable units."
        )
    return found


def _solved(A: Array, y: Array, *, positive: bool) -> tuple[Array, Array]:
    """The g = c beta of least |g|_1 with A g = y, and the dual variable of the
    equations, such that nu.y > 0.
    """
    g = cp.Variable(A.shape[1])
    fit = A @ g == y
    if positive:
        problem = cp.Problem(cp.Minimize(cp.sum(g)), [fit, g >= 0])
    else:
        problem = cp.Problem(cp.Minimize(cp.norm1(g)), [fit])
    if not programs.highs(problem):
        wanted = "beta >= 0" if positive else "beta"
        raise InvalidInput(f"no {wanted} fits the data ({problem.status}).")
    nu = np.asarray(fit.dual_value)
    return np.asarray(g.value), nu if nu @ y >= 0 else -nu
