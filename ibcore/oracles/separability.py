"""Which part of a data set can be separated, and where gradient descent goes on the rest."""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from ibcore.validation import InvalidInput, binary_data


@dataclass(frozen=True)
class SeparablePart:
    """The largest part that one direction puts strictly on its correct side while it misclassifies no point.

    separable: (n,) booleans.      direction: (d,) with y_i w.x_i >= 1 on that part and 0 on the rest.
    """

    separable: Tensor
    direction: Tensor


@dataclass(frozen=True)
class NonseparableLimit:
    """Where gradient descent on the logistic loss goes (Ji and Telgarsky 2019).

    separable: (n,) booleans.      basis: (d, k) orthonormal, of the span of the other points.
    minimizer: (d,) the unique minimizer of the mean loss of the other points within that span.
    gradient_norm: of that mean loss at the minimizer, its certificate.
    """

    separable: Tensor
    basis: Tensor
    minimizer: Tensor
    gradient_norm: float


def is_separable(X: object, y: object) -> bool:
    """Whether some w has y_i w.x_i >= 1 for all i: one feasibility problem, without the overhead of modeling.

    Raises `InvalidInput` for malformed data.
    """
    inputs, labels = binary_data(X, y)
    signed = (labels[:, None] * inputs).detach().cpu().double().numpy()
    scale = np.linalg.norm(signed, axis=1).max()
    if scale == 0:
        return False
    found = linprog(
        np.zeros(signed.shape[1]),
        A_ub=-signed / scale,
        b_ub=-np.ones(len(signed)),
        bounds=(None, None),
    )
    return found.status == 0


def separable_part(X: object, y: object) -> SeparablePart:
    """One linear program, max sum z subject to y_i w.x_i >= z_i and 0 <= z_i <= 1: z_i is 1 on the part, 0 off it.

    Raises `InvalidInput` for malformed data.
    """
    inputs, labels = binary_data(X, y)
    signed = (labels[:, None] * inputs).detach().cpu().double().numpy()
    scale = np.linalg.norm(signed, axis=1).max()
    if scale == 0:
        raise InvalidInput(
            "every row of X is zero; no direction can tell the labels apart."
        )
    w, z = cp.Variable(signed.shape[1]), cp.Variable(len(signed))
    problem = cp.Problem(
        cp.Maximize(cp.sum(z)), [signed / scale @ w >= z, z >= 0, z <= 1]
    )
    problem.solve(solver=cp.HIGHS)
    return SeparablePart(
        torch.from_numpy(np.asarray(z.value) > 0.5),
        torch.from_numpy(np.asarray(w.value) / scale),
    )


def nonseparable_limit(X: object, y: object) -> NonseparableLimit:
    """The split of the data and, by Newton's method, the finite part of the limit.

    Raises `InvalidInput` for malformed data.
    """
    inputs, labels = binary_data(X, y)
    signed = (labels[:, None] * inputs).detach().cpu().double()
    separable = separable_part(inputs, labels).separable
    rest = signed[~separable]
    if len(rest) == 0:
        empty = signed.new_zeros(signed.shape[1], 0)
        return NonseparableLimit(
            separable, empty, signed.new_zeros(signed.shape[1]), 0.0
        )
    _, values, directions = np.linalg.svd(rest.numpy())
    rank = int((values > 1e-10 * values[0]).sum())
    basis = directions[:rank].T
    coordinates, norm = _newton(rest.numpy() @ basis)
    return NonseparableLimit(
        separable,
        torch.from_numpy(basis.copy()),
        torch.from_numpy(basis @ coordinates),
        norm,
    )


def minimizer_drift(
    X: object, y: object, limit: NonseparableLimit, dual: Tensor
) -> Tensor:
    """The vector c (d,) in the span with which gradient flow on the mean loss approaches it: minimizer + c / t.

    dual: (n_separable,), dual variables of the separable points' max-margin program off the span. Late in
    training these points push with shares dual_i / t, and c balances their push inside the span against
    the Hessian of the mean loss at the minimizer (derived on the page on logistic regression).
    """
    inputs, labels = binary_data(X, y)
    signed = (labels[:, None] * inputs).detach().cpu().double()
    rest, basis = signed[~limit.separable] @ limit.basis, limit.basis
    slopes = torch.sigmoid(-rest @ (basis.T @ limit.minimizer))
    hessian = rest.T @ ((slopes * (1 - slopes))[:, None] * rest) / len(signed)
    push = basis.T @ (signed[limit.separable].T @ dual)
    return basis @ torch.linalg.solve(hessian, push)


def _newton(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Minimizer of mean log(1 + exp(-rows @ v)) by damped Newton steps, with the norm of its gradient."""
    v = np.zeros(rows.shape[1])

    def value(v: np.ndarray) -> float:
        return float(np.logaddexp(0, -rows @ v).mean())

    def slopes(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(rows @ v))

    for _ in range(100):
        q = slopes(v)
        gradient = -rows.T @ q / len(rows)
        hessian = (rows.T * (q * (1 - q))) @ rows / len(rows)
        step = np.linalg.solve(hessian, -gradient)
        size = 1.0
        rounding = 1e-15 * value(v)
        while (
            value(v + size * step) > value(v) + 1e-4 * size * gradient @ step + rounding
            and size > 1e-10
        ):
            size /= 2
        v = v + size * step
        if np.linalg.norm(step) <= 1e-14 * (1 + np.linalg.norm(v)):
            break
    return v, float(np.linalg.norm(rows.T @ slopes(v)) / len(rows))
