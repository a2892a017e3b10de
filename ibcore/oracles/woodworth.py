"""What the two-layer diagonal network beta = u^2 - v^2 with start u = v = alpha
minimizes, at every scale alpha.

Woodworth et al. (2020) found the function

    Q_alpha(beta) = sum_j alpha^2 q(beta_j / alpha^2),   q(z) = 2 - sqrt(4 + z^2) + z
    asinh(z / 2),

for regression; its derivative is asinh(beta_j / (2 alpha^2)). It is about beta^2 / (4
alpha^2) for small beta / alpha^2 and |beta| log(|beta| / alpha^2) for large. Moroshko
et al. (2020) proved its part in classification.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.active_set import Array
from ibcore.oracles.max_margin import certify
from ibcore.oracles.separability import separating_direction
from ibcore.oracles.separable_dual import Sinh, dual_root
from ibcore.oracles.separation import factors_to_unit_size
from ibcore.potentials import hypentropy
from ibcore.threads import threads
from ibcore.validation import InvalidInput, binary_data, positive_number

_ACTIVE = 1e-6
_NEWTON_STEPS = 50
_FEASIBLE = 1e-9
_LARGEST = (
    300.0  # of |A^T lambda|, far above its values for any ratio, far below overflow
)
_ACCEPTED = 1e-8  # gap and violation at which a solution is accepted


@dataclass(frozen=True)
class WoodworthMargin:
    """The solution of min Q_1(b) s.t. y_i b.x_i >= mu, float64 on the CPU; beta =
    alpha^2 b solves it for Q_alpha.

    primal: b (d,).      dual: lambda (n,) >= 0 with b = 2 sinh(A^T lambda), rows y_i
    x_i of A.
    gap: Q_1(b) minus the dual value mu sum(lambda) - 2 sum_j (cosh((A^T lambda)_j) -
    1), over Q_1(b).
    violation: largest relative violation of the constraints.
    """

    primal: Tensor
    dual: Tensor
    gap: float
    violation: float


def woodworth(beta: Tensor, scale: Tensor | float) -> Tensor:
    """Q_alpha(beta) of `beta` (..., d) at scale alpha, (...,)."""
    alpha = torch.as_tensor(scale, dtype=beta.dtype, device=beta.device)
    return hypentropy(beta, 2 * alpha[..., None] ** 2).sum(-1)


@threads()
def woodworth_max_margin(X: object, y: object, ratio: float) -> WoodworthMargin:
    """Solve the program for mu = `ratio`: an exponential cone program, polished by
    Newton's method on its active set.

    In the cone form, b = p - q and Q_1(b) is the least sum of the relative entropies p
    log p - p + 1 and q log q - q + 1: the network's u^2 and v^2. Where that leaves a
    gap, the solution is followed from the small ratio at which Q_1 is quadratic.
    Equivariant under a common factor s of X and `ratio`: b stays, the dual is divided
    by s. Raises `InvalidInput` for malformed data and where gap or violation exceed
    1e-8, and `NotSeparable`.
    """
    inputs, labels = binary_data(X, y)
    positive_number("ratio", ratio)
    signed = (labels[:, None] * inputs).detach().cpu().double().numpy()
    separating_direction(signed)
    unit = float(factors_to_unit_size(np.abs(signed).max(keepdims=True).ravel())[0])
    rows, goal = signed * unit, ratio * unit
    for start in (_cone_program, _followed):
        solution = _certified(rows, _polish(rows, goal, start(rows, goal)), goal)
        if solution.gap <= _ACCEPTED and solution.violation <= _ACCEPTED:
            return replace(solution, dual=solution.dual * unit)
    raise InvalidInput(
        f"the program for ratio {ratio:g} is not resolved in double precision: a gap "
        f"of {solution.gap:.0e} is left and margins are missed by "
        f"{solution.violation:.0e}. Center and scale the data, or change the ratio."
    )


def _cone_program(rows: Array, ratio: float) -> Array:
    """Dual variables (n,) by Clarabel, zeros where it does not end."""
    p, q = cp.Variable(rows.shape[1]), cp.Variable(rows.shape[1])
    constraint = rows @ (p - q) >= ratio
    entropy = cp.sum(cp.kl_div(p, 1) + cp.kl_div(q, 1))
    programs.clarabel(cp.Problem(cp.Minimize(entropy), [constraint]))
    found = constraint.dual_value
    usable = found is not None and np.isfinite(found).all()
    return np.maximum(found, 0) if usable else np.zeros(len(rows))


def _followed(rows: Array, ratio: float) -> Array:
    """Dual variables (n,) near those at `ratio`, from the max-margin solution by steps
    of a factor of 4.
    """
    level = min(ratio, 1e-3)
    weights = certify(rows, np.zeros(len(rows))).dual.numpy() * level / 2
    while level < ratio:
        weights = _polish(rows, level, weights)
        grown = min(4 * level, ratio)
        if not weights.any():
            break
        if np.abs(weights @ rows).max() < 1:
            weights = weights * grown / level
        level = grown
    return weights


def _polish(rows: Array, ratio: float, dual: Array) -> Array:
    """An active-set correction: Newton on the active set, drop negative duals, add
    violated points, repeat.
    """
    if not dual.any() or not np.abs(dual @ rows).max() < _LARGEST:
        return np.zeros_like(dual)
    active, weights = dual > _ACTIVE * dual.max(), dual.clip(min=0)
    for _ in range(10 * len(dual)):
        polished = np.zeros_like(dual)
        polished[active] = _on_active(rows[active], ratio, weights[active])
        pull = polished @ rows
        if not np.abs(pull).max() < _LARGEST:
            return np.zeros_like(dual)
        margins = 2 * rows @ np.sinh(pull)
        if polished.min() < 0:
            active[polished.argmin()] = False
        elif margins.min() < ratio * (1 - _FEASIBLE):
            active[margins.argmin()] = True
        else:
            return polished
        weights = polished.clip(min=0)
    return dual


def _on_active(rows: Array, ratio: float, weights: Array) -> Array:
    """Newton's method for 2 A sinh(A^T lambda) = mu."""
    goal = np.full(len(rows), ratio)
    found = dual_root(
        rows, goal, Sinh(), weights, scale=2.0, floor=1e-13, most=_NEWTON_STEPS
    )
    return found.point


def _certified(rows: Array, dual: Array, ratio: float) -> WoodworthMargin:
    dual = np.maximum(dual, 0)
    pull = dual @ rows
    b = 2 * np.sinh(pull)
    value = float(woodworth(torch.from_numpy(b), 1.0))
    bound = ratio * dual.sum() - 4 * (np.sinh(pull / 2) ** 2).sum()
    violation = max(0.0, 1 - float((rows @ b).min()) / ratio)
    gap = abs(value - float(bound)) / value if value > 0 else math.inf
    return WoodworthMargin(torch.from_numpy(b), torch.from_numpy(dual), gap, violation)


def guaranteed_l1_ratio(
    early: Tensor, late: Tensor, soft_margin: Tensor, scale: Tensor, points: int
) -> Tensor:
    """The share of the largest l1 margin that the network has for certain.

    early, late: R = |u|^2 + |v|^2 at two times of a gradient flow with the
    exponential loss from u = v = alpha.      soft_margin: log(1/L) - log n at the
    early one; NaN comes back where it is not positive.      scale: alpha.
    points: n.      The bound is proved on the page on diagonal networks; it tends
    to 1 as R grows, unless alpha falls like a power of R.
    """
    soft_margin = torch.where(soft_margin > 0, soft_margin, math.nan)
    grown = torch.log(late / early) - math.log(points) / soft_margin
    return grown / torch.log(late / scale**2)


def stationarity_residual(
    signed: Tensor, beta: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Whether asinh(beta / (2 alpha^2)) = A^T lambda for some lambda >= 0: the relative
    distance and the best lambda.

    signed: (n, d) rows of A.      beta: (K, d).      Returns (K,) and (K, n), by
    nonnegative least squares. At a residual of zero beta minimizes Q_alpha among all
    predictors whose margins are at least its own. A beta with NaN has the residual NaN
    and NaN as lambda.
    """
    rows = signed.detach().cpu().double().numpy()
    slopes = torch.asinh(beta / (2 * scale**2)).detach().cpu().double().numpy()
    unknown = np.full(len(rows), np.nan), np.nan
    found = [
        nnls(rows.T, slope / np.linalg.norm(slope))
        if np.isfinite(slope).all()
        else unknown
        for slope in slopes
    ]
    sizes = np.linalg.norm(slopes, axis=1)
    return (
        torch.tensor([distance for _, distance in found], dtype=torch.float64),
        torch.from_numpy(np.stack([weights for weights, _ in found]) * sizes[:, None]),
    )
