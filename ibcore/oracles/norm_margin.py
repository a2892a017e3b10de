"""The maximum margin measured in any l_p norm, certified by its dual program."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.active_set import Array
from ibcore.oracles.separability import separating_direction
from ibcore.oracles.separation import balanced, factors_to_unit_size
from ibcore.threads import threads
from ibcore.validation import InvalidInput, binary_data

_TOLERANCES = (1e-10, 1e-9, 1e-12)
_GAP = 1e-8  # certified relative gap at which a solution is accepted


@dataclass(frozen=True)
class NormMargin:
    """The solution of min |w|_p subject to y_i w.x_i >= 1, float64 on the CPU.

    primal: w (d,), scaled so that min_i y_i w.x_i = 1 to rounding.
    dual: lambda (n,) >= 0, feasible for the dual program max sum(lambda) subject to
    |A^T lambda|_q <= 1, with rows y_i x_i of A and 1/p + 1/q = 1; its value is |w|_p at
    the optimum.
    margin: max_w min_i y_i w.x_i / |w|_p = 1 / |w|_p.      gap: (|w|_p - sum(lambda)) /
    |w|_p, which bounds the relative error of the margin, since both are feasible.
    violation: max(0, 1 - min_i y_i w.x_i). For p = 1 and infinity the solution w may
    not be unique; the margin is.
    """

    p: float
    primal: Tensor
    dual: Tensor
    margin: float
    gap: float
    violation: float


def conjugate(p: float) -> float:
    """q with 1/p + 1/q = 1, for p in [1, infinity]."""
    if p == 1:
        return math.inf
    return 1.0 if p == math.inf else p / (p - 1)


@threads()
def norm_max_margin(X: object, y: object, p: float) -> NormMargin:
    """The largest margin where w is measured by its l_p norm.

    X: (n, d).
    y: (n,) in {-1, +1}.
    p: in [1, infinity].

    The program is solved as stated, a linear one by HiGHS for p = 1 and infinity, a
    conic one by Clarabel otherwise. Steepest descent for that norm maximizes this
    margin (Gunasekar et al. 2018). Equivariant under a common factor s of X: primal /
    s, dual / s, s margin; gap and violation stay.

    Raises `InvalidInput` for malformed data or p and where no solution is certified to
    1e-8, and `NotSeparable` where no direction separates the data.

    Two opposite points have the dual norm of their length as margin:

    >>> from ibcore import norm_max_margin
    >>> X, y, orders = [[3.0, 4.0], [-3.0, -4.0]], [1, -1], (1, 2, float("inf"))
    >>> [round(norm_max_margin(X, y, p).margin, 8) for p in orders]
    [4.0, 5.0, 7.0]
    """
    inputs, labels = binary_data(X, y)
    if isinstance(p, bool) or not isinstance(p, Real) or not p >= 1:
        raise InvalidInput(
            f"p is {p!r}, expected a number of at least 1 or infinity: below 1 there "
            "is no norm."
        )
    signed = (labels[:, None] * inputs).detach().cpu().double().numpy()
    separating_direction(signed)
    return _solve(signed, float(p))


def _solve(signed: Array, p: float) -> NormMargin:
    """A solution whose certified gap is small; the solver's own verdict does not count.

    Solved in one unit for all entries, and if that does not do in units of its own for
    each row and column.
    """
    unit = float(factors_to_unit_size(np.abs(signed).max(keepdims=True).ravel())[0])
    ones = np.ones(len(signed))
    B, rows, columns = balanced(signed)
    rows /= rows.max()
    plain = (signed * unit, ones, np.full(signed.shape[1], unit))
    for A, heights, factors in (plain, (B, rows, columns)):
        for tolerance in _TOLERANCES:
            found = _program(A, heights, factors / factors.max(), p, tolerance)
            if found is not None:
                solution = _certified(
                    signed * unit, p, factors / unit * found[0], found[1] * heights
                )
                if solution.gap <= _GAP:
                    return replace(
                        solution,
                        primal=solution.primal * unit,
                        dual=solution.dual * unit,
                        margin=solution.margin / unit,
                    )
            if p in (1, math.inf):
                break
    raise InvalidInput(
        f"the program for p = {p:g} did not solve: the margin is below what double "
        "precision resolves. Center and scale the columns (the program is then "
        "another one), or remove nearly contradictory points."
    )


def _program(
    A: Array, heights: Array, factors: Array, p: float, tolerance: float
) -> tuple[Array, Array] | None:
    """The least |factors * v|_p with A v >= heights, and its dual variables; None where
    the solver fails.
    """
    v, linear = cp.Variable(A.shape[1]), p in (1, math.inf)
    w = cp.multiply(factors, v)
    constraint = A @ v >= heights
    problem = cp.Problem(
        cp.Minimize(cp.norm(w, p) if linear else cp.pnorm(w, p, approx=False)),  # type: ignore[arg-type]
        [constraint],
    )
    if linear:
        programs.highs(problem)
    else:
        programs.clarabel(problem, tolerance)
    if v.value is None or constraint.dual_value is None:
        return None
    return np.asarray(v.value), np.asarray(constraint.dual_value)


def _certified(signed: Array, p: float, w: Array, dual: Array) -> NormMargin:
    """Scale both solutions until they are feasible and compare their values; the gap is
    infinite if one cannot be.
    """
    lowest, dual = float((signed @ w).min()), np.maximum(dual, 0)
    pull = float(np.linalg.norm(signed.T @ dual, conjugate(p)))
    feasible = lowest > 0 and pull > 0
    w, dual = (w / lowest, dual / pull) if feasible else (w, dual)
    size = float(np.linalg.norm(w, p))
    gap = abs(size - float(dual.sum())) / size if feasible else math.inf
    return NormMargin(
        p,
        torch.from_numpy(w),
        torch.from_numpy(dual),
        1 / size if feasible else 0.0,
        gap,
        max(0.0, 1 - float((signed @ w).min())),
    )


def guaranteed_gap(
    p: Tensor, early: Tensor, late: Tensor, soft_margin: Tensor, points: int
) -> Tensor:
    """The largest relative l_p margin gap that mirror flow from w = 0 can have.

    early, late: |w|_p at two times of the flow with potential |w|_p^p / p and the
    exponential loss.      soft_margin: log(1/L) - log n at the early one; NaN
    comes back where it is not positive.      points: n.      The bound is proved
    on the page on mirror descent. It is of order |w|_p^-min(1, p - 1), for p = 2
    times log |w|_p.
    """
    conjugate = p / (p - 1)
    soft_margin = torch.where(soft_margin > 0, soft_margin, math.nan)
    start, end = early ** (p - 1), late ** (p - 1)
    power = 2 - conjugate
    grown = torch.where(
        power == 0, torch.log(end / start), (end**power - start**power) / power
    )
    return (start + math.log(points) * grown * early / soft_margin) / end
