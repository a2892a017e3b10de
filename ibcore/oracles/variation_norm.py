"""The largest margin of two-layer ReLU networks of any width on points of the plane,
certified.

By homogeneity a network sum_j a_j relu(w_j.x) with (|theta|^2)/2 = sum_j (a_j^2 +
|w_j|^2)/2 is best balanced, |a_j| = |w_j|, and then is a signed measure of mass sum_j
|a_j| |w_j| on the unit circle. The largest min_i y_i f(x_i) at mass 1 is the margin in
variation norm (Bach's F1); its inverse is

    min sum_k |c_k|   subject to   y_i sum_k c_k relu(u_k.x_i) >= 1,  over unit vectors
    u_k,

whose dual is max sum_i l_i over l >= 0 with |sum_i l_i y_i relu(u.x_i)| <= 1 on the
whole circle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np
import torch
from scipy.linalg import null_space
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.active_set import EPS, Array
from ibcore.oracles.separation import factors_to_unit_size, opposing_weights
from ibcore.threads import threads
from ibcore.validation import InvalidInput, NotSeparable, binary_data

_CERTIFIED = (
    1e-9  # the dual potential may exceed 1 by this before another direction is added
)
_GAP = 1e-7  # certified relative gap at which a solution is accepted
_ROUNDS = 40
_ACTIVE = 1e-5  # margins above the least by less than this are active
_EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
_ON_KINK = 1e-9  # |u.x| / |x| below which a point stands on the kink of a direction
_GRID = 64  # directions of the first program, besides the kinks


@dataclass(frozen=True)
class VariationMargin:
    """The network of least variation norm with margins of at least 1, float64 on the
    CPU.

    directions: unit vectors (k, 2).      masses: signed c (k,), so f(x) = sum_k c_k
    relu(u_k.x).
    dual: l (n,) >= 0.      norm: sum |c|.      margin: 1 / norm, the largest normalized
    margin.
    gap: (norm - dual value) / norm after both are made exactly feasible.      rounds:
    programs solved.
    """

    directions: Tensor
    masses: Tensor
    dual: Tensor
    norm: float
    margin: float
    gap: float
    rounds: int

    def distance_to_kinks(self, X: Tensor) -> float:
        """Least |u.x_i| / |x_i| over the directions that carry more than a millionth of
        the norm.
        """
        heavy = self.directions[self.masses.abs() > 1e-6 * self.norm]
        return float(
            (heavy @ (X / X.norm(dim=1, keepdim=True)).T.to(heavy)).abs().min()
        )

    def rate(self, X: Tensor, y: Tensor) -> float:
        """kappa such that the flow's gap to this margin is expected to fall like (log
        1/L)^-kappa, at most 1.

        With one neuron a direction, the direction theta / |theta| of gradient flow
        relaxes, per unit of log |theta|, at the rates 1 - e for the eigenvalues e of
        sum_i l_i Hessian(m_i) on the tangent space of the active margins (derived on
        the page on two-layer margins); |theta|^2 grows like log 1/L and the gap is
        quadratic. A point on the kink of a direction counts as unseen by it; see
        `distance_to_kinks`. Unchanged by a common factor of X.
        """
        inputs, labels = _plane(X, y)
        u, c = _merged(self.directions.numpy(), self.masses.numpy())
        seen, outputs, roots = (
            u @ inputs.T > _ON_KINK * np.linalg.norm(inputs, axis=1),
            np.maximum(u @ inputs.T, 0),
            np.sqrt(np.abs(c)),
        )
        active = labels * (c @ outputs) < 1 + _ACTIVE
        by_w = (np.sign(c) * roots)[:, None, None] * (seen[:, :, None] * inputs)[
            :, active
        ]
        by_a = (roots[:, None] * outputs[:, active]).T
        rows = np.concatenate([by_a, np.swapaxes(by_w, 0, 1).reshape(len(by_a), -1)], 1)
        hessian = np.zeros((rows.shape[1], rows.shape[1]))
        for k, force in enumerate((seen * self.dual.numpy() * labels) @ inputs):
            block = slice(len(c) + 2 * k, len(c) + 2 * k + 2)
            hessian[k, block] = hessian[block, k] = force
        tangent = null_space(rows)
        return float(
            1 - np.linalg.eigvalsh(tangent.T @ hessian @ tangent).max(initial=0.0)
        )


def _merged(directions: Array, masses: Array) -> tuple[Array, Array]:
    """Directions (k, 2) less than 1e-2 apart joined into one of their summed mass; tiny
    masses are dropped.
    """
    groups: list[tuple[float, Array]] = []
    for u, c in zip(directions, masses, strict=True):
        if abs(c) < 1e-6 * np.abs(masses).sum():
            continue
        near = [
            k
            for k, (sign, v) in enumerate(groups)
            if sign * c > 0 and np.linalg.norm(v / np.linalg.norm(v) - u) < 1e-2
        ]
        if near:
            groups[near[0]] = (groups[near[0]][0], groups[near[0]][1] + abs(c) * u)
        else:
            groups.append((float(np.sign(c)), abs(c) * u))
    vectors = np.array([v for _, v in groups])
    lengths = np.linalg.norm(vectors, axis=1)
    return vectors / lengths[:, None], lengths * np.array([sign for sign, _ in groups])


def kinks(X: Array) -> Array:
    """Angles in [0, 2 pi), rising, of the directions orthogonal to a row of X (n, 2),
    where relu(u.x) bends.
    """
    angles = np.arctan2(X[:, 1], X[:, 0])
    both = np.concatenate([angles + np.pi / 2, angles - np.pi / 2])
    return np.unique(np.mod(both, 2 * np.pi))


def _unit(angles: Array) -> Array:
    return np.stack([np.cos(angles), np.sin(angles)], -1)


def potential_peaks(X: Array, coefficients: Array) -> tuple[Array, Array]:
    """Stationary points and kinks of g on the circle |u| = 1.

    Here g(u) = sum_i coefficients_i relu(u.x_i). Returns directions (k, 2)
    on the circle and values (k,).

    Between two kinks g is v.u with v the sum of coefficients_i x_i over the
    active i, so its extremes there are at +-v/|v| where that lies on the
    arc, and at the kinks; max |g| over them is the maximum over the circle.
    """
    ends = kinks(X)
    widths = np.diff(np.append(ends, ends[0] + 2 * np.pi))
    active = (_unit(ends + widths / 2) @ X.T > 0) * coefficients
    inside = np.arctan2(*(active @ X).T[::-1])
    both = np.concatenate([inside, inside + np.pi])
    past = np.mod(both - np.tile(ends, 2), 2 * np.pi)
    on_arc = past <= np.tile(widths, 2)
    directions = _unit(np.concatenate([ends, both[on_arc]]))
    return directions, np.maximum(directions @ X.T, 0) @ coefficients


def _program(features: Array, y: Array, heights: Array) -> tuple[Array, Array] | None:
    """Masses and dual variables of the linear program over fixed directions, features
    (n, k); None if not solved.
    """
    masses = cp.Variable(features.shape[1])
    constraint = cp.multiply(y, features @ masses) >= heights
    problem = cp.Problem(cp.Minimize(cp.norm1(masses)), [constraint])
    if not (programs.highs(problem, **_EXACT) or programs.highs(problem)):
        return None
    return np.asarray(masses.value), np.asarray(constraint.dual_value)


@threads()
def variation_margin(X: object, y: object) -> VariationMargin:
    """Solve the semi-infinite linear program by exchange, starting from the kinks and a
    grid of directions.

    After each program the exact peaks of the dual potential above 1 become new
    directions, until there is none above 1 + 1e-9. Equivariant under a common factor s
    of X: margin s, norm, masses and dual / s, and under rotations. Raises
    `InvalidInput` for malformed data, for points that are not in the plane or zero and
    where the gap exceeds 1e-7, and `NotSeparable` where weights certify that no network
    fits the labels.
    """
    inputs, labels = _plane(X, y)
    unit = float(factors_to_unit_size(np.abs(inputs).max(keepdims=True).ravel())[0])
    points = inputs * unit
    lengths = np.linalg.norm(points, axis=1)
    for scales in (np.ones(len(points)), lengths / lengths.min()):
        solution = _exchange(points, labels, scales)
        if solution is not None and solution.gap <= _GAP:
            return replace(
                solution,
                masses=solution.masses * unit,
                dual=solution.dual * unit,
                norm=solution.norm * unit,
                margin=solution.margin / unit,
            )
    raise _refusal(points, labels)


def _exchange(X: Array, y: Array, scales: Array) -> VariationMargin | None:
    """The solution with each constraint divided by its entry of `scales` (n,); None
    where a program does not solve.
    """
    directions = _unit(np.concatenate([kinks(X), np.arange(_GRID) * 2 * np.pi / _GRID]))
    for rounds in range(1, _ROUNDS + 1):
        features = np.maximum(directions @ X.T, 0).T / scales[:, None]
        found = _program(features, y, 1 / scales)
        if found is None:
            return None
        masses, dual = found[0], found[1] / scales
        peaks, values = potential_peaks(X, dual * y)
        above = np.abs(values) > 1 + _CERTIFIED
        if not above.any() or rounds == _ROUNDS:
            break
        directions = np.concatenate([directions, peaks[above]])
    return _certified(X, y, directions, masses, dual, rounds)


def _refusal(X: Array, y: Array) -> InvalidInput:
    """What to say where no program solved: `NotSeparable` only if the potential of some
    weights vanishes.
    """
    lengths = np.linalg.norm(X, axis=1)
    directions = _unit(np.concatenate([kinks(X), np.arange(_GRID) * 2 * np.pi / _GRID]))
    rows = (np.maximum(directions @ X.T, 0).T / lengths[:, None]) * y[:, None]
    weights = opposing_weights(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    weights = weights / np.linalg.norm(rows, axis=1) / lengths
    left = np.abs(potential_peaks(X, weights * y)[1]).max()
    if weights.any() and left <= 64 * EPS * len(X) * float(weights @ lengths):
        return NotSeparable(
            "no two-layer ReLU network without bias fits these labels: nonnegative "
            "weights of the points make the potential vanish in every direction. "
            "Points on one ray must have one label; append a constant for a bias."
        )
    return InvalidInput(
        "the largest margin of two-layer networks is not resolved in double precision. "
        "Remove nearly contradictory points, or bring the points to similar lengths."
    )


def _plane(X: object, y: object) -> tuple[Array, Array]:
    inputs, labels = binary_data(X, y)
    if inputs.shape[1] != 2:
        raise InvalidInput(
            f"X has {inputs.shape[1]} columns, expected points of the plane (n, 2). "
            "For higher dimensions no certificate over all directions is implemented."
        )
    if bool((inputs.norm(dim=1) == 0).any()):
        raise InvalidInput(
            "X has a point at the origin, where every network without bias is zero. "
            "Remove it."
        )
    return (part.detach().cpu().double().numpy() for part in (inputs, labels))  # type: ignore[return-value]


def _certified(
    X: Array, y: Array, directions: Array, masses: Array, dual: Array, rounds: int
) -> VariationMargin | None:
    used = np.abs(masses) > 0
    directions, masses = directions[used], masses[used]
    lowest = float((y * (np.maximum(directions @ X.T, 0).T @ masses)).min())
    dual = np.maximum(dual, 0)
    peak = float(np.abs(potential_peaks(X, dual * y)[1]).max())
    if not (lowest > 0 and peak > 0):
        return None
    masses, dual = masses / lowest, dual / peak
    norm = float(np.abs(masses).sum())
    return VariationMargin(
        torch.from_numpy(directions),
        torch.from_numpy(masses),
        torch.from_numpy(dual),
        norm,
        1 / norm,
        abs(norm - float(dual.sum())) / norm,
        rounds,
    )


def margin_bound(X: object, y: object, weights: object) -> float:
    """An upper bound on the largest normalized margin: max_u |sum_i p_i y_i
    relu(u.x_i)| / sum_i p_i, for any p >= 0.

    `weights`: p (n,). Weak duality; the softmax weights of training that ends at the
    optimum make the bound tight.
    """
    inputs, labels = _plane(X, y)
    p = np.asarray(torch.as_tensor(weights).detach().cpu().double())
    if p.shape != labels.shape or bool((p < 0).any()) or not p.sum() > 0:
        raise InvalidInput(
            f"weights have shape {p.shape} and least entry {p.min():g}; expected one "
            f"nonnegative weight an example, ({len(labels)},), not all zero."
        )
    return float(np.abs(potential_peaks(inputs, p * labels)[1]).max() / p.sum())


@threads()
def gated_norm(X: object, y: object) -> float:
    """The same least norm by the finite convex program over gates of Pilanci and Ergen
    (2020), without directions.

    For every arc between kinks, whose neurons see the same points, and either sign
    there is one vector v in the cone of the arc that adds sign * v.x to the points it
    sees, at a cost of |v|. Accurate to about 1e-9; divided by s with a common factor s
    of X; raises as `variation_margin` does.
    """
    points, labels = _plane(X, y)
    unit = float(factors_to_unit_size(np.abs(points).max(keepdims=True).ravel())[0])
    inputs = points * unit
    ends = kinks(inputs)
    widths = np.diff(np.append(ends, ends[0] + 2 * np.pi))
    seen = _unit(ends + widths / 2) @ inputs.T > 0
    cost, outputs, cones = 0, 0, []
    for gate in np.unique(seen, axis=0):
        side = np.where(gate, 1.0, -1.0)[:, None] * inputs
        for sign in (1, -1):
            v = cp.Variable(2)
            cost, outputs = (
                cost + cp.norm2(v),
                outputs + sign * cp.multiply(gate, inputs @ v),
            )
            cones.append(side @ v >= 0)
    problem = cp.Problem(cp.Minimize(cost), [cp.multiply(labels, outputs) >= 1, *cones])
    if not programs.clarabel(problem, 1e-9):
        raise _refusal(inputs, labels)
    return float(problem.value) * unit
