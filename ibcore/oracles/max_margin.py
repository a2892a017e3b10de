"""The hard-margin support vector machine without bias, certified."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.active_set import EPS, Array, shortest_vector
from ibcore.oracles.newton import exponential_share, newton
from ibcore.oracles.separability import separating_direction
from ibcore.oracles.separation import factors_to_unit_size
from ibcore.threads import threads
from ibcore.validation import InvalidInput, binary_data

_SUPPORT = 1e-6  # dual variables below this share of the largest one start outside the support set
_ACTIVE = (
    1e-10  # slack of an active constraint, and error of dual variables, both relative
)
# Gap and violation at which a solution is accepted: half of the digits.
_RESOLVED = EPS**0.5
CLOSE = (1e-12, 1e-9)  # tolerances of the quadratic program, the first that is met


@dataclass(frozen=True)
class MaxMargin:
    """The solution of min |w|_2^2 / 2 subject to y_i w.x_i >= 1, float64 on the CPU.

    primal: w_hat (d,).      dual: alpha (n,) >= 0 with w_hat = sum_i alpha_i y_i x_i.
    margin: gamma = 1 / |w_hat|.      support: (n,) booleans, alpha > 0.
    gap: primal minus dual value over the primal value, both scaled until they are
    feasible.
    violation: max(0, 1 - min margin of w_hat).
    dual_slack: min_i of alpha_i / sum(alpha) + (y_i w_hat.x_i - 1), which is 0 exactly
    where complementarity is not strict, the degenerate case of Soudry et al. (2018).
    rate: gradient flow on an exponential tail approaches w_hat log t + const like
    t^-rate on the support: the smaller of the least slack off the support and the least
    nonzero eigenvalue of diag(alpha) G, with G the Gram matrix of the support (derived
    on the page on logistic regression). Where support vectors are linearly dependent,
    alpha is not unique; the one returned is that of the flow, whose shares are alpha_i
    = exp(-y_i x_i.v) for some v, and which repeated rows carry in equal parts.
    """

    primal: Tensor
    dual: Tensor
    margin: float
    support: Tensor
    gap: float
    violation: float
    dual_slack: float
    rate: float


@threads()
def max_margin(X: object, y: object) -> MaxMargin:
    """The hard-margin support vector machine without bias: the shortest w with all
    margins y_i w.x_i at least 1.

    X: (n, d).
    y: (n,) in {-1, +1}.

    The direction to which gradient flow on separable data converges (Soudry et al.
    2018). Clarabel solves the program, which is finished on its support set, where it
    is a linear system.

    Equivariant under a common factor s of X: primal and margin become primal / s and s
    margin, dual is divided by s^2, support, gap, violation, dual_slack and rate stay.
    Repeating every row equally often changes nothing but the dual.

    Raises `InvalidInput` for malformed data and where the margin is not resolved in
    double precision, and `NotSeparable` where no direction separates the data.

    Two opposite points have the margin of their length:

    >>> from ibcore import max_margin
    >>> best = max_margin([[3.0, 4.0], [-3.0, -4.0]], [1, -1])
    >>> round(best.margin, 12), best.gap < 1e-12
    (5.0, True)
    """
    inputs, labels = binary_data(X, y)
    signed = (labels[:, None] * inputs).detach().cpu().double().numpy()
    separating_direction(signed)
    return certify(signed, quadratic_program(signed))


def certify(signed: Array, dual: Array) -> MaxMargin:
    """The solution for separable rows `signed` (n, d), by an active-set method that
    starts from `dual` (n,) or zeros.

    Raises `InvalidInput` where the margin is not resolved in double precision.
    """
    unit = float(factors_to_unit_size(np.abs(signed).max(keepdims=True).ravel())[0])
    distinct, copies, counts = np.unique(
        signed * unit + 0.0, axis=0, return_inverse=True, return_counts=True
    )
    lengths = np.linalg.norm(distinct, axis=1)
    start = np.bincount(copies, np.maximum(dual, 0)) * lengths
    start[start <= _SUPPORT * start.max()] = 0
    found = shortest_vector(distinct / lengths[:, None], 1 / lengths, start)
    if found.alternative is not None or not found.finished:
        raise InvalidInput(_unresolved("no support set was found"))
    alpha = _flow_dual(distinct, found.w, found.weights / lengths, counts.astype(float))
    best = _certified(signed * unit, found.w, (alpha / counts)[copies])
    multipliers = best.dual * unit * unit
    if not torch.equal(multipliers / unit / unit, best.dual):
        raise InvalidInput(
            f"the dual variables are of size {float(best.dual.max()):.1g} * "
            f"{unit:.1g}^2, outside the range of double precision. Multiply X by "
            f"{unit:.1g}."
        )
    return replace(
        best,
        primal=best.primal * unit,
        dual=multipliers,
        margin=best.margin / unit,
        rate=_rate(distinct, found.w, alpha),
    )


def _unresolved(reason: str) -> str:
    return (
        f"the margin is not resolved in double precision: {reason}. Center and scale "
        "the columns (the program is then another one), or remove nearly "
        "contradictory points."
    )


def quadratic_program(signed: Array) -> Array:
    """Dual variables by Clarabel in the units of the largest entry, (n,), or zeros
    where it does not end.
    """
    scale = np.abs(signed).max()
    w = cp.Variable(signed.shape[1])
    constraint = signed / scale @ w >= 1
    problem = cp.Problem(cp.Minimize(cp.sum_squares(w) / 2), [constraint])
    if not programs.clarabel_at_best(problem, CLOSE):
        return np.zeros(len(signed))
    return np.asarray(constraint.dual_value)


def _flow_dual(rows: Array, w: Array, alpha: Array, counts: Array) -> Array:
    """alpha (n,), or where more rows than its support are active, the dual solution
    counts_i exp(-a_i.v).

    It minimizes sum_i counts_i exp(-a_i.v) + w.v over v, by Newton's method; rows that
    carry nothing in any dual solution fall to zero.
    """
    lengths = np.linalg.norm(rows, axis=1)
    slack = np.abs(rows @ w - 1)
    active = slack <= _ACTIVE + 16 * EPS * lengths * np.linalg.norm(w)
    if active.sum() <= (alpha > 0).sum():
        return alpha
    on, size = rows[active], float(np.linalg.norm(w))
    log_shares = np.log(counts[active] * alpha.sum() / counts[active].sum())

    def look(v: Array) -> tuple[float, tuple[Array, Array]]:
        weights = np.exp(log_shares - on @ v)
        left = weights @ on - w
        return float(np.linalg.norm(left)) / size, (weights, left)

    def advance(_v: Array, seen: tuple[Array, Array]) -> tuple[Array, float]:
        weights, left = seen
        step = np.linalg.lstsq((on.T * weights) @ on, left, rcond=1e-14)[0]
        return step, exponential_share(on @ step)

    v = newton(np.zeros(len(w)), look, advance, floor=1e-13, most=100, patience=1).point
    weights = look(v)[1][0]
    weights[weights * lengths[active] <= 1e-12 * (weights * lengths[active]).max()] = 0
    if not np.linalg.norm(weights @ on - w) <= _ACTIVE * size:
        return alpha
    out = np.zeros_like(alpha)
    out[active] = weights
    return out


def _rate(rows: Array, w: Array, alpha: Array) -> float:
    on = alpha > 0
    values = np.linalg.svd(np.sqrt(alpha[on])[:, None] * rows[on], compute_uv=False)
    relaxation = values[values > EPS * max(rows.shape) * values[0]][-1] ** 2
    slack = float((rows[~on] @ w - 1).min(initial=np.inf))
    return max(0.0, min(float(relaxation), slack))


def _certified(signed: Array, w: Array, alpha: Array) -> MaxMargin:
    """Compare the values of both solutions, scaled until they are feasible; the rate is
    left open.
    """
    margins, energy, pull = signed @ w, float(w @ w), signed.T @ alpha
    lowest = float(margins.min())
    dual_value = alpha.sum() / np.linalg.norm(pull)
    gap = abs(1 - (lowest * dual_value) ** 2 / energy)
    violation = max(0.0, 1 - lowest)
    if not (gap <= _RESOLVED and violation <= _RESOLVED):
        raise InvalidInput(
            _unresolved(
                f"the solution leaves a gap of {gap:.0e} and misses margins by "
                f"{violation:.0e}"
            )
        )
    slack = np.min(alpha / alpha.sum() + np.maximum(margins - 1, 0))
    return MaxMargin(
        torch.from_numpy(w),
        torch.from_numpy(alpha),
        energy**-0.5,
        torch.from_numpy(alpha > 0),
        float(gap),
        violation,
        float(slack),
        np.nan,
    )
