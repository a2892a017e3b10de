"""The maximum margin measured in any l_p norm, certified by its dual program."""

from __future__ import annotations

import contextlib
import math
import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.oracles.separability import is_separable, separable_part
from ibcore.validation import InvalidInput, NotSeparable, binary_data

_TOLERANCES = (1e-10, 1e-9, 1e-12)
_GAP = 1e-8  # certified relative gap at which a solution is accepted


@dataclass(frozen=True)
class NormMargin:
    """The solution of min |w|_p subject to y_i w.x_i >= 1, float64 on the CPU.

    primal: w (d,), scaled so that min_i y_i w.x_i = 1 to rounding.
    dual: lambda (n,) >= 0, feasible for the dual program max sum(lambda) subject to |A^T lambda|_q <= 1, with
    rows y_i x_i of A and 1/p + 1/q = 1; its value is |w|_p at the optimum.
    margin: max_w min_i y_i w.x_i / |w|_p = 1 / |w|_p.      gap: (|w|_p - sum(lambda)) / |w|_p, which bounds the
    relative error of the margin, since both are feasible.      violation: max(0, 1 - min_i y_i w.x_i).
    For p = 1 and infinity the solution w may not be unique; the margin is.
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


def norm_max_margin(X: object, y: object, p: float) -> NormMargin:
    """Solve the program as stated: a linear one by HiGHS for p = 1 and infinity, a conic one by Clarabel otherwise.

    X: (n, d).      y: (n,) in {-1, +1}.      p: in [1, infinity].
    Raises `InvalidInput` for malformed data or p, and `NotSeparable` where no direction separates the data.
    """
    inputs, labels = binary_data(X, y)
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not p >= 1:
        raise InvalidInput(
            f"p is {p!r}, expected a number of at least 1 or infinity: below 1 there is no norm."
        )
    if not is_separable(inputs, labels):
        part = separable_part(inputs, labels)
        raise NotSeparable(
            f"X, y are not linearly separable through the origin: {int((~part.separable).sum())} of {len(labels)} "
            f"points lie on no strictly correct side. Append a column of ones for a bias, or remove those points."
        )
    signed = (labels[:, None] * inputs).detach().cpu().double().numpy()
    return _solve(signed, float(p))


def _solve(signed: np.ndarray, p: float) -> NormMargin:
    """A solution whose certified gap is small; the solver's own verdict does not count."""
    scale = np.abs(signed).max()
    w = cp.Variable(signed.shape[1])
    constraint = signed / scale @ w >= 1
    linear = p in (1, math.inf)
    problem = cp.Problem(
        cp.Minimize(cp.norm(w, p) if linear else cp.pnorm(w, p, approx=False)),  # type: ignore[arg-type]
        [constraint],
    )
    for tolerance in _TOLERANCES:
        options = (
            {}
            if linear
            else {f"tol_{name}": tolerance for name in ("gap_abs", "gap_rel", "feas")}
        )
        with warnings.catch_warnings(), contextlib.suppress(cp.SolverError):
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            problem.solve(solver=cp.HIGHS if linear else cp.CLARABEL, **options)
            if w.value is not None and constraint.dual_value is not None:
                solution = _certified(
                    signed,
                    p,
                    np.asarray(w.value) / scale,
                    np.asarray(constraint.dual_value),
                )
                if abs(solution.gap) <= _GAP:
                    return solution
    raise InvalidInput(
        f"the program for p = {p:g} did not solve (status {problem.status}): the margin is below what "
        f"double precision resolves. Rescale the data or remove nearly contradictory points."
    )


def _certified(
    signed: np.ndarray, p: float, w: np.ndarray, dual: np.ndarray
) -> NormMargin:
    """Scale both solutions until they are feasible and compare their values."""
    w = w / (signed @ w).min()
    dual = np.maximum(dual, 0)
    dual = dual / np.linalg.norm(signed.T @ dual, conjugate(p))
    size = float(np.linalg.norm(w, p))
    return NormMargin(
        p,
        torch.from_numpy(w),
        torch.from_numpy(dual),
        1 / size,
        (size - float(dual.sum())) / size,
        max(0.0, 1 - float((signed @ w).min())),
    )
