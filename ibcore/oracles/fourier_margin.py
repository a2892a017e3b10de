"""The maximum margin measured by the l1 norm of the discrete Fourier transform,
certified by its dual program.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np
import torch
from scipy.linalg import null_space
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.active_set import Array
from ibcore.oracles.separability import separating_direction
from ibcore.oracles.separation import factors_to_unit_size
from ibcore.threads import threads
from ibcore.validation import InvalidInput, binary_data

_TOLERANCES = (1e-10, 1e-9, 1e-12)
_GAP = 1e-7
_ACTIVE = 1e-5


@dataclass(frozen=True)
class FourierMargin:
    """The solution of min |F beta|_1 s.t. y_i beta.x_i >= 1, F the unitary discrete
    Fourier transform, on the CPU.

    primal: beta (d,), scaled so that its least margin is 1.      dual: lambda (n,) >=
    0, feasible for the dual program max sum(lambda) subject to |F A^T lambda|_inf <= 1
    with rows y_i x_i of A.      value: |F beta|_1.
    gap: (value - sum(lambda)) / value, a bound on the relative error, since both are
    feasible.
    slack: 1 - max |F A^T lambda| over the frequencies that beta does not use (1 if it
    uses all).
    strictness: the least positive dual variable over the largest.
    rate: exponent with which the gap of a two-layer convolutional network is expected
    to fall in log(1/L): the slack, or the rate at which a small error within the used
    frequencies decays, whichever is smaller.
    """

    primal: Tensor
    dual: Tensor
    value: float
    gap: float
    slack: float
    strictness: float
    rate: float


def fourier_norm(beta: Tensor) -> Tensor:
    """|F beta|_1 of `beta` (..., d) with the unitary transform, (...,): at least
    |beta|_2, at most d^(1/2) |beta|_2.
    """
    return torch.fft.fft(beta, norm="ortho").abs().sum(-1)


@threads()
def fourier_max_margin(X: object, y: object) -> FourierMargin:
    """Solve the second-order cone program with Clarabel.

    Equivariant under a common factor s of X (primal / s, dual / s, value / s; the rest
    stays) and under cyclic shifts of the columns. Raises `InvalidInput` for malformed
    data and where no solution is certified to 1e-7, and `NotSeparable` where no
    direction separates the data.
    """
    inputs, labels = binary_data(X, y)
    signed = (labels[:, None] * inputs).detach().cpu().double().numpy()
    separating_direction(signed)
    unit = float(factors_to_unit_size(np.abs(signed).max(keepdims=True).ravel())[0])
    rows = signed * unit
    own = factors_to_unit_size(np.abs(rows).max(1))
    for heights in (np.ones(len(rows)), own / own.max()):
        for tolerance in _TOLERANCES:
            found = _program(rows * heights[:, None], heights, tolerance)
            if found is not None and (rows @ found[0]).min() > 0:
                solution = _certified(rows, found[0], found[1] * heights)
                if abs(solution.gap) <= _GAP:
                    return replace(
                        solution,
                        primal=solution.primal * unit,
                        dual=solution.dual * unit,
                        value=solution.value * unit,
                    )
    raise InvalidInput(
        "the cone program did not solve: the margin is below what double precision "
        "resolves. Center and scale the data (the program is then another one), or "
        "remove nearly contradictory points."
    )


def _program(A: Array, heights: Array, tolerance: float) -> tuple[Array, Array] | None:
    """The least |F beta|_1 with A beta >= heights, and its dual variables; None where
    the solver fails.
    """
    transform = np.fft.fft(np.eye(A.shape[1]), norm="ortho")
    beta = cp.Variable(A.shape[1])
    spectrum = cp.vstack([transform.real @ beta, transform.imag @ beta])
    constraint = A @ beta >= heights
    problem = cp.Problem(
        cp.Minimize(cp.sum(cp.norm(spectrum, 2, axis=0))), [constraint]
    )
    programs.clarabel(problem, tolerance)
    if beta.value is None or constraint.dual_value is None:
        return None
    return np.asarray(beta.value), np.asarray(constraint.dual_value)


def _certified(signed: Array, beta: Array, dual: Array) -> FourierMargin:
    """Scale both solutions until they are feasible and compare their values."""
    beta, dual = beta / (signed @ beta).min(), np.maximum(dual, 0)
    size = np.abs(np.fft.fft(beta, norm="ortho"))
    pull = np.abs(np.fft.fft(signed.T @ dual, norm="ortho"))
    dual, pull = dual / pull.max(), pull / pull.max()
    unused = size <= _ACTIVE * size.max()
    value = float(size.sum())
    slack = 1 - float(pull[unused].max(initial=0.0))
    active = dual > _ACTIVE * dual.max()
    rate = min(
        slack, _tangent_rate(signed[active], np.fft.fft(beta, norm="ortho"), ~unused)
    )
    return FourierMargin(
        torch.from_numpy(beta),
        torch.from_numpy(dual),
        value,
        (value - float(dual.sum())) / value,
        slack,
        float(dual[active].min() / dual.max()),
        rate,
    )


def _tangent_rate(active: Array, spectrum: np.ndarray, used: np.ndarray) -> float:
    """1 - e, where e is the largest eigenvalue of sum_i lambda_i Hess m_i that keeps
    the active margins; 1 if none.

    In balanced layers of theta a change of the size of one used frequency has
    eigenvalue +1 and a change of its phase -1; a direction that keeps the margins mixes
    them. Its error decays like |theta|^-(1 - e), and the gap is quadratic in it
    (linearization of the flow, derived on the page on two-layer margins).
    """
    d, columns, eigenvalues = len(spectrum), [], []
    for k in np.flatnonzero(used[: d // 2 + 1]):
        real = k == 0 or 2 * k == d
        for turn in (1.0,) if real else (1.0, 1.0j):
            change = np.zeros(d, dtype=complex)
            change[k] = 2 * turn * spectrum[k]
            change[-k] = np.conj(change[k])
            length = np.sqrt((2 if real else 4) * abs(spectrum[k]))
            columns.append(active @ np.fft.ifft(change, norm="ortho").real / length)
            eigenvalues.append(1.0 if turn == 1 else -1.0)
    tangent = null_space(np.stack(columns, 1))
    if tangent.shape[1] == 0:
        return 1.0
    return 1 - float(np.linalg.eigvalsh(tangent.T @ np.diag(eigenvalues) @ tangent)[-1])
