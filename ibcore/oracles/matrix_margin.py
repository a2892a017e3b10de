"""The largest margin of a linear rule for several classes, its matrix of weights
measured in a norm of matrices, certified by the dual program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.multiclass import separable_classes
from ibcore.threads import threads
from ibcore.validation import InvalidInput, one_of

Array = NDArray[np.float64]
_TOLERANCES = (1e-10, 1e-9, 1e-12, 1e-8)
_GAP = 1e-7  # certified relative gap at which a solution is accepted


def _singular(W: Array) -> Array:
    return np.asarray(np.linalg.svd(W, compute_uv=False), dtype=float)


_NORMS: dict[str, tuple[Callable[[cp.Variable], Any], Callable[[Array], float]]] = {
    "spectral": (cp.sigma_max, lambda W: float(_singular(W).max())),
    "Frobenius": (
        lambda W: cp.norm(W, "fro"),
        lambda W: float(np.linalg.norm(W)),
    ),
    "max": (lambda W: cp.max(cp.abs(W)), lambda W: float(np.abs(W).max())),
    "nuclear": (cp.normNuc, lambda W: float(_singular(W).sum())),
    "sum": (lambda W: cp.sum(cp.abs(W)), lambda W: float(np.abs(W).sum())),
}
DUAL = MappingProxyType(
    {
        "spectral": "nuclear",
        "Frobenius": "Frobenius",
        "max": "sum",
        "nuclear": "spectral",
        "sum": "max",
    }
)


@dataclass(frozen=True)
class MatrixMargin:
    """The solution of min |W| subject to (w_{y_i} - w_k).x_i >= 1 for all i and k !=
    y_i, float64 on the CPU.

    primal: W (K, d), scaled so that the least of these numbers is 1 to rounding.
    dual: lambda (n (K - 1),) >= 0, k rising and without y_i, scaled to |sum lambda Z|_*
    = 1 with the matrices Z of the pairs; its sum is |W| at the optimum.
    margin: max_W min_ik (w_{y_i} - w_k).x_i / |W| = 1 / |W|.      gap: (|W| -
    sum(lambda)) / |W|, which bounds the relative error of the margin, since both are
    feasible.
    """

    norm: str
    primal: Tensor
    dual: Tensor
    margin: float
    gap: float


def matrix_norm(W: Tensor, norm: str) -> Tensor:
    """The norm of matrices (..., K, d), (...): `spectral` (the largest singular value),
    `nuclear` (their sum), `Frobenius`, `max` (the largest entry) or `sum`.
    """
    one_of("norm", norm, tuple(DUAL))
    if norm in ("max", "sum"):
        size = W.abs().flatten(-2)
        return size.amax(-1) if norm == "max" else size.sum(-1)
    order = {"spectral": 2, "nuclear": "nuc", "Frobenius": "fro"}[norm]
    return torch.as_tensor(torch.linalg.matrix_norm(W, order))


@threads()
def matrix_max_margin(
    X: object, classes: object, count: int, norm: str
) -> MatrixMargin:
    """The largest margin where W is measured by `norm`, one of those of `matrix_norm`.

    X: (n, d).      classes: y, (n,) integers from 0 to `count` - 1 = K - 1.

    Spectral descent and Muon maximize the margin of the spectral norm, normalized
    gradient descent that of the Frobenius norm, sign descent that of the largest entry
    (Fan, Schmidt and Thrampoulidis 2025). Equivariant under a common factor s of X:
    primal / s, dual / s, s margin.

    Raises `InvalidInput` for malformed data and where no solution is certified to
    1e-7, and `NotSeparable` where no linear rule without bias gets all classes right.
    """
    one_of("norm", norm, tuple(DUAL))
    inputs, _, rows = separable_classes(X, classes, count)
    unit = 2.0 ** -np.round(np.log2(np.abs(inputs).max()))
    for tolerance in _TOLERANCES:
        found = _program(rows * unit, count, norm, tolerance)
        if found is None:
            continue
        solution = _certified(rows, found[0] * unit, found[1] * unit, norm)
        if solution.gap <= _GAP:
            return solution
    raise InvalidInput(
        f"the program for the {norm} norm did not solve: the margin is below what "
        "double precision resolves."
    )


def _program(
    rows: Array, count: int, norm: str, tolerance: float
) -> tuple[Array, Array] | None:
    """The least |W| whose products with the rows are at least 1, and the duals."""
    W = cp.Variable((count, rows.shape[1] // count))
    ahead = rows @ cp.vec(W, order="C") >= 1
    problem = cp.Problem(cp.Minimize(_NORMS[norm][0](W)), [ahead])
    programs.clarabel(problem, tolerance)
    if W.value is None or ahead.dual_value is None:
        return None
    return np.asarray(W.value), np.asarray(ahead.dual_value)


def _certified(rows: Array, W: Array, dual: Array, norm: str) -> MatrixMargin:
    """Scale both solutions until they are feasible and compare their values."""
    lowest, dual = float((rows @ W.ravel()).min()), np.maximum(dual, 0)
    pull = _NORMS[DUAL[norm]][1]((dual @ rows).reshape(W.shape))
    feasible = lowest > 0 and pull > 0
    W, dual = (W / lowest, dual / pull) if feasible else (W, dual)
    size = _NORMS[norm][1](W)
    return MatrixMargin(
        norm,
        torch.from_numpy(W),
        torch.from_numpy(dual),
        1 / size,
        abs(size - float(dual.sum())) / size if feasible else np.inf,
    )
