"""The hard-margin support vector machine without bias, certified."""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.oracles.separability import is_separable, separable_part
from ibcore.validation import InvalidInput, NotSeparable, binary_data

_SUPPORT = 1e-6  # dual variables below this share of the largest one start outside the support set
_KKT = 1e-9


@dataclass(frozen=True)
class MaxMargin:
    """The solution of min |w|_2^2 / 2 subject to y_i w.x_i >= 1, float64 on the CPU.

    primal: w_hat (d,).      dual: alpha (n,) >= 0 with w_hat = sum_i alpha_i y_i x_i.
    margin: gamma = 1 / |w_hat|.      support: (n,) booleans.
    gap: primal minus dual value over the primal value.      violation: max(0, 1 - min margin of w_hat).
    dual_slack: min_i of alpha_i / sum(alpha) + (y_i w_hat.x_i - 1), which is 0 exactly where
    complementarity is not strict, the degenerate case of Soudry et al. (2018).
    rate: gradient flow on an exponential tail approaches w_hat log t + const like t^-rate on the support:
    the smaller of the least slack off the support and the least eigenvalue of diag(alpha) G, with G the
    Gram matrix of the support (derived on the page on logistic regression).
    """

    primal: Tensor
    dual: Tensor
    margin: float
    support: Tensor
    gap: float
    violation: float
    dual_slack: float
    rate: float


def max_margin(X: object, y: object) -> MaxMargin:
    """Solve the program with Clarabel and polish it on its support set, where it is a linear system.

    Raises `InvalidInput` for malformed data and `NotSeparable` where no direction separates them.
    """
    inputs, labels = binary_data(X, y)
    signed = (labels[:, None] * inputs).detach().cpu().double().numpy()
    if not is_separable(inputs, labels):
        part = separable_part(inputs, labels)
        raise NotSeparable(
            f"X, y are not linearly separable through the origin: {int((~part.separable).sum())} of {len(labels)} "
            f"points lie on no strictly correct side. Append a column of ones for a bias, remove those points, or "
            f"use ibcore.oracles.separability.nonseparable_limit."
        )
    return certify(signed, _dual(signed))


def certify(signed: np.ndarray, dual: np.ndarray) -> MaxMargin:
    """The solution with dual variables near `dual` (n,) for rows `signed` (n, d), polished on its support set."""
    return _certified(signed, _polish(signed, dual))


def _dual(signed: np.ndarray) -> np.ndarray:
    scale = np.linalg.norm(signed, axis=1).max()
    w = cp.Variable(signed.shape[1])
    constraint = signed / scale @ w >= 1
    problem = cp.Problem(cp.Minimize(cp.sum_squares(w) / 2), [constraint])
    for tolerance in (1e-12, 1e-9):
        try:
            problem.solve(
                solver=cp.CLARABEL,
                tol_gap_abs=tolerance,
                tol_gap_rel=tolerance,
                tol_feas=tolerance,
            )
        except cp.SolverError:
            continue
        if problem.status == cp.OPTIMAL:
            return np.asarray(constraint.dual_value) / scale**2
    raise InvalidInput(
        f"the quadratic program did not solve (status {problem.status}): the margin is below what "
        f"double precision resolves. Rescale the data or remove nearly contradictory points."
    )


def _polish(signed: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """An active-set correction: solve on the support, drop negative duals, add violated points, repeat."""
    support = alpha > _SUPPORT * alpha.max()
    for _ in range(10 * len(alpha)):
        rows = signed[support]
        on_support = np.linalg.lstsq(rows @ rows.T, np.ones(len(rows)), rcond=None)[0]
        polished = np.zeros_like(alpha)
        polished[support] = on_support
        margins = signed @ (rows.T @ on_support)
        if on_support.min() < 0:
            support[np.flatnonzero(support)[on_support.argmin()]] = False
        elif margins.min() < 1 - _KKT:
            support[margins.argmin()] = True
        else:
            return polished
    return alpha


def _certified(signed: np.ndarray, alpha: np.ndarray) -> MaxMargin:
    primal = signed.T @ alpha
    margins, energy = signed @ primal, float(primal @ primal)
    gap = (energy / 2 - (alpha.sum() - energy / 2)) / (energy / 2)
    slack = np.min(alpha / alpha.sum() + np.maximum(margins - 1, 0))
    support = alpha > 0
    root = np.sqrt(alpha[support])[:, None] * signed[support]
    relaxation = np.linalg.eigvalsh(root @ root.T)[0]
    rate = min(float(relaxation), float((margins[~support] - 1).min(initial=np.inf)))
    return MaxMargin(
        torch.from_numpy(primal),
        torch.from_numpy(alpha),
        energy**-0.5,
        torch.from_numpy(support),
        abs(float(gap)),
        max(0.0, 1 - float(margins.min())),
        float(slack),
        max(rate, 0.0),
    )
