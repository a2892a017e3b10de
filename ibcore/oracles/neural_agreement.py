"""The modified support vector machine of leaky ReLU networks whose neurons agree on the training points."""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.validation import InvalidInput, binary_data, one_of, positive_number


@dataclass(frozen=True)
class AgreementLimit:
    """Solution of the program of `agreement_limit`, float64 on the CPU.

    plus, minus: (d,), the common directions of the neurons with positive and with negative output weight.
    gap: relative difference of primal and dual value.      violation: max(0, 1 - smallest margin).
    consistent: the activation at the solution has the slopes that the program assumed.
    """

    plus: Tensor
    minus: Tensor
    gap: float
    violation: float
    consistent: bool

    def outputs(self, X: Tensor, slope_below: float) -> Tensor:
        """phi(w_plus.x) - phi(w_minus.x) at every row of `X` (k, d), (k,)."""
        value = [
            torch.where(z > 0, z, slope_below * z)
            for z in (X @ self.plus.to(X), X @ self.minus.to(X))
        ]
        return value[0] - value[1]


def agreement_limit(
    X: object,
    y: object,
    slope_below: float,
    *,
    active_plus: object = None,
    active_minus: object = None,
) -> AgreementLimit:
    """min |w_plus|^2 + |w_minus|^2 subject to y_i (g_i w_plus.x_i - h_i w_minus.x_i) >= 1.

    g_i is 1 where `active_plus` (n,) holds and `slope_below` elsewhere; h_i likewise from `active_minus`.
    By default positive neurons are active exactly on the points labeled +1, negative ones on the others:
    the perfect agreement of Sarussi, Brutzkus and Globerson (2021). The program is that of gradient flow
    on a linear model whose two blocks of features are g_i x_i and -h_i x_i.

    Raises `InvalidInput` for malformed data and where no such pair of vectors fits the labels.
    """
    inputs, labels = binary_data(X, y)
    positive_number("slope_below", slope_below)
    data, signs = (
        inputs.detach().cpu().double().numpy(),
        labels.detach().cpu().double().numpy(),
    )
    plus = signs > 0 if active_plus is None else np.asarray(active_plus, dtype=bool)
    minus = signs < 0 if active_minus is None else np.asarray(active_minus, dtype=bool)
    g, h = (np.where(active, 1.0, slope_below) for active in (plus, minus))
    rows = signs[:, None] * np.hstack([g[:, None] * data, -h[:, None] * data])
    w, alpha = _solve(rows)
    d = data.shape[1]
    value, margins = float(w @ w), rows @ w
    gap = (
        abs(value - (2 * alpha.sum() - float((rows.T @ alpha) @ (rows.T @ alpha))))
        / value
    )
    consistent = bool(
        (((data @ w[:d] > 0) == plus) & ((data @ w[d:] > 0) == minus)).all()
    )
    return AgreementLimit(
        torch.from_numpy(w[:d]),
        torch.from_numpy(w[d:]),
        gap,
        max(0.0, 1 - float(margins.min())),
        consistent,
    )


def _solve(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minimizer of |w|^2 under rows @ w >= 1, and the dual variables of w = rows^T alpha."""
    w = cp.Variable(rows.shape[1])
    constraint = rows @ w >= 1
    problem = cp.Problem(cp.Minimize(cp.sum_squares(w)), [constraint])
    problem.solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
    )
    one_of(
        "status of the quadratic program",
        problem.status,
        (cp.OPTIMAL, cp.OPTIMAL_INACCURATE, cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE),
    )
    if w.value is None:
        raise InvalidInput(
            "no pair of vectors fits the labels with these activation patterns. Pass linearly separable "
            "data, or the patterns of a network that classifies them."
        )
    return np.asarray(w.value), np.asarray(constraint.dual_value) / 2
