"""Logistic regression with the penalty that diagonal networks with weight decay have at
every moment.

min (1/n) sum_i log(1 + exp(-y_i x_i.beta)) + strength sum_j sqrt(beta_j^2 + width^2):
for width 0 the l1 norm, for a large width a ridge. Derived on the page on features; the
end of the path is that of Lyu, Jin, Li, Du, Lee and Hu (2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr, expit
from torch import Tensor

from ibcore.oracles import programs
from ibcore.threads import threads
from ibcore.validation import InvalidInput, binary_data, positive_number, real_number

Array = NDArray[np.float64]
_GAP = 1e-8
_STEPS, _HALVINGS, _ROUNDS = 20, 30, 300
_SMALL, _REST = 1e-3, 1e-9
_TOLERANCES = (1e-11, 1e-9, 1e-8)


@dataclass(frozen=True)
class Penalized:
    """The minimizer, float64 on the CPU.

    primal: beta (d,).      value: of the program, with the penalty less its value at
    beta = 0.
    gap: value less that of a feasible dual point, over the value.
    """

    primal: Tensor
    value: float
    gap: float


@threads()
def penalized_logistic(
    X: object, y: object, strength: float, width: float = 0.0
) -> Penalized:
    """The minimizer for X (n, d) and y (n,) in {-1, +1}.

    Clarabel solves the program, and Newton's method finishes it, with a width because
    the value is then mostly a constant, without one by an active set. With q_i in [0, 1]
    and c = A^T q / n for rows y_i x_i of A, the dual is max (1/n) sum_i H(q_i) + width
    sum_j sqrt(strength^2 - c_j^2) over |c_j| <= strength, H the entropy of a coin.
    Raises `InvalidInput` for malformed data and where the gap stays above 1e-8.

    One point, no width: the slope of the loss equals the strength.

    >>> from ibcore.oracles.penalized_logistic import penalized_logistic
    >>> beta = penalized_logistic([[1.0]], [1.0], 0.25).primal
    >>> round(float(beta.exp()), 5)
    3.0
    """
    inputs, labels = binary_data(X, y)
    strength = positive_number("strength", strength)
    if real_number("width", width) < 0:
        raise InvalidInput(f"width is {width!r}, expected a number of at least 0.")
    A = (labels[:, None] * inputs).detach().cpu().double().numpy()
    beta = cp.Variable(A.shape[1])
    offset = np.full(A.shape[1], width)
    penalty = (
        cp.sum(cp.norm(cp.vstack([beta, offset]), 2, axis=0))
        if width
        else cp.norm1(beta)
    )
    loss = cp.sum(cp.logistic(-A @ beta)) / len(A)
    problem = cp.Problem(cp.Minimize(loss / strength + penalty))
    programs.clarabel_at_best(problem, _TOLERANCES)
    if beta.value is None:
        raise InvalidInput("the program did not solve. Scale the columns of X.")
    found = _polished(A, np.asarray(beta.value), strength, width)
    value, bound = _primal(A, found, strength, width), _dual(A, found, strength, width)
    gap = (value - bound) / value
    if not gap <= _GAP:
        raise InvalidInput(
            f"the program is solved to a gap of {gap:.1g} only. Scale the columns of X."
        )
    return Penalized(torch.from_numpy(found), value, gap)


def _polished(A: Array, beta: Array, strength: float, width: float) -> Array:
    """The better of `beta` and what is made of it."""
    large = np.abs(beta) > _SMALL * np.abs(beta).max()
    found = (
        _newton(A, beta, strength, width)
        if width
        else _active_set(A, np.where(large, beta, 0), strength)
    )
    return min(beta, found, key=lambda one: _primal(A, one, strength, width))


def _newton(A: Array, beta: Array, strength: float, width: float) -> Array:
    """Steps of Newton's method, each halved until the value does not rise."""
    for _ in range(_STEPS):
        slope, curved = _derivatives(A, beta)
        roots = np.hypot(beta, width)
        slope += strength * beta / roots
        curved += np.diag(strength * width**2 / roots**3)
        step = np.linalg.lstsq(curved, slope, rcond=None)[0]
        value = _primal(A, beta, strength, width)
        for k in range(_HALVINGS):
            after = beta - 0.5**k * step
            if _primal(A, after, strength, width) <= value:
                beta = after
                break
        else:
            break
    return beta


def _active_set(A: Array, beta: Array, strength: float) -> Array:
    """Newton's method on the entries in use, whose signs are kept.

    An entry that comes to 0 leaves; when the others are at rest, the one whose slope
    exceeds the strength most enters.
    """
    signs, sizes = np.sign(beta), np.abs(beta)
    for _ in range(_ROUNDS):
        on = np.flatnonzero(signs)
        rows = A[:, on] * signs[on]
        slope, curved = _derivatives(rows, sizes[on])
        slope += strength
        step = np.linalg.lstsq(curved, slope, rcond=None)[0]
        reach = np.divide(
            sizes[on], step, out=np.full(len(on), np.inf), where=step > sizes[on]
        )
        share = min(1.0, float(reach.min(initial=np.inf)))
        sizes[on] -= share * step
        if share < 1:
            leaving = on[reach.argmin()]
            signs[leaving] = sizes[leaving] = 0
        elif np.abs(slope).max(initial=0) <= _REST * strength:
            outer = _derivatives(A, signs * sizes)[0]
            excess = np.where(signs == 0, np.abs(outer), 0)
            entering = excess.argmax()
            if excess[entering] <= (1 + _REST) * strength:
                break
            signs[entering] = -np.sign(outer[entering])
    return np.asarray(signs * sizes)


def _derivatives(A: Array, beta: Array) -> tuple[Array, Array]:
    """Slope and Hessian of the loss."""
    wrong = expit(-A @ beta)
    slope = -wrong @ A / len(A)
    return slope, (A.T * (wrong * (1 - wrong) / len(A))) @ A


def penalty_over_zero(beta: Array, width: float) -> float:
    """sum_j sqrt(beta_j^2 + width^2) - width, without cancellation."""
    roots = np.hypot(beta, width) + width
    return float(
        np.divide(beta**2, roots, out=np.zeros_like(beta), where=roots > 0).sum()
    )


def _primal(A: Array, beta: Array, strength: float, width: float) -> float:
    loss = np.logaddexp(0, -A @ beta).mean()
    return float(loss + strength * penalty_over_zero(beta, width))


def _dual(A: Array, beta: Array, strength: float, width: float) -> float:
    """At the q of beta, made feasible by a common factor, less the penalty at 0."""
    q = expit(-A @ beta)
    c = q @ A / len(A)
    q = q * min(1.0, strength / max(np.abs(c).max(), 1e-300))
    c = np.clip(q @ A / len(A), -strength, strength)
    coins = entr(q) + entr(1 - q)
    below = c**2 / (np.sqrt(strength**2 - c**2) + strength)
    return float(coins.mean() - width * below.sum())
