"""How far a point is from satisfying the KKT conditions of  min |theta|^2 / 2  subject
to  m_i(theta) >= 1.

For homogeneous margins every measure here is free of scale: theta and c theta give the
same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor

from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_number, real_tensor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class KKT:
    """Multipliers and what they leave over, float64 on the CPU.

    multipliers: lambda (n,) >= 0, zero off the near-active constraints.
    residual: |theta - sum_i lambda_i grad m_i| / |theta|.
    complementarity: sum_i lambda_i (m_i - min m) / |theta|^2; at an exact KKT point of
    margins of degree k the multipliers satisfy k sum_i lambda_i m_i = |theta|^2.
    active: (n,) booleans, the near-active constraints.
    """

    multipliers: Tensor
    residual: float
    complementarity: float
    active: Tensor


@dataclass(frozen=True)
class ClarkeKKT:
    """The same at a point where neurons stand on kinks of the activation.

    naive: the measure that takes one slope of the activation at every preactivation.
    residual, complementarity: with the best slope at every kink; multipliers (n,).
    kinks: (K, 2) pairs (i, j) of an example and a neuron on its kink.      gates: (K,)
    slopes chosen there.
    gap: by how much the residual exceeds a lower bound that holds for all multipliers
    and slopes.
    """

    naive: KKT
    residual: float
    complementarity: float
    multipliers: Tensor
    kinks: Tensor
    gates: Tensor
    gap: float


@threads()
def kkt(theta: Tensor, margins: Tensor, rows: Tensor, *, active: float = 0.01) -> KKT:
    """Best multipliers by nonnegative least squares on the constraints within `active`
    of the smallest margin.

    theta: (P,).      margins: (n,), all positive.      rows: (n, P), gradients of the
    margins. Lyu and Li (2020) call a point (eps, delta)-KKT; `residual` and
    `complementarity` are their scale-free versions. Raises `InvalidInput` for shapes
    that do not fit and for a margin that is not positive.
    """
    point, values, gradients, near = _checked(theta, margins, rows, active)
    norm = float(np.linalg.norm(point))
    sizes = np.linalg.norm(gradients[near], axis=1)
    sizes[sizes == 0] = 1
    scaled, distance = nnls(
        (gradients[near] / sizes[:, None]).T, point / norm, maxiter=100 * len(values)
    )
    multipliers = np.zeros_like(values)
    multipliers[near] = scaled * norm / sizes
    return KKT(
        torch.from_numpy(multipliers),
        float(distance),
        _complementarity(multipliers, values, norm),
        torch.from_numpy(near),
    )


@threads()
def clarke_kkt(
    a: Tensor,
    w: Tensor,
    X: Tensor,
    y: Tensor,
    *,
    slope_below: float = 0.0,
    active: float = 0.01,
    kink: float = 1e-3,
) -> ClarkeKKT:
    """The KKT conditions of Clarke for f(x) = sum_j a_j phi(w_j.x) with phi(z) = max(z,
    slope_below z).

    a: (m,).      w: (m, d).      X: (n, d).      y: (n,) of -1 and +1.
    Where |w_j.x_i| <= kink |w_j| |x_i| the slope of phi may be any number g_ij in
    [slope_below, 1]. The products of multipliers and slopes are mu_ij = lambda_i (g_ij
    - slope_below) / (1 - slope_below), 0 <= mu_ij <= lambda_i, in which the squared
    residual is a convex quadratic. The residual returned is that of a feasible point,
    so it bounds the least one from above; `gap` says by how much at most. Raises
    `InvalidInput` as `kkt` does, and for a slope_below outside [0, 1).
    """
    positive_number("kink", kink)
    if not 0 <= slope_below < 1:
        raise InvalidInput(
            f"slope_below is {slope_below!r}, expected a number in [0, 1)."
        )
    out, weights, inputs, labels = _network(a, w, X, y)
    z = inputs @ weights.T
    slopes = np.where(z > 0, 1.0, slope_below)
    values, point = (
        labels * ((z * slopes) @ out),
        np.concatenate([out, weights.ravel()]),
    )
    rows = _rows(out, inputs, labels, z, slopes)
    naive = kkt(*(torch.from_numpy(v) for v in (point, values, rows)), active=active)
    sizes = np.linalg.norm(inputs, axis=1)[:, None] * np.linalg.norm(weights, axis=1)
    on_kink = (np.abs(z) <= kink * sizes) & naive.active.numpy()[:, None] & (sizes > 0)
    closed = _rows(out, inputs, labels, z, np.where(on_kink, slope_below, slopes))
    pairs = np.argwhere(on_kink)
    opening = (
        (1 - slope_below)
        * (labels[:, None] * out)[on_kink][:, None]
        * inputs[pairs[:, 0]]
    )
    near = np.flatnonzero(naive.active.numpy())
    cone = _Cone(
        closed[near],
        _placed(opening, pairs[:, 1], len(out), len(point)),
        np.searchsorted(near, pairs[:, 0]),
    )
    found, products, residual, gap = cone.nearest(point / np.linalg.norm(point))
    multipliers = np.zeros_like(values)
    multipliers[near] = found * np.linalg.norm(point)
    share = np.divide(
        products,
        found[cone.owner],
        out=np.zeros(len(pairs)),
        where=found[cone.owner] > 0,
    )
    return ClarkeKKT(
        naive,
        residual,
        _complementarity(multipliers, values, float(np.linalg.norm(point))),
        torch.from_numpy(multipliers),
        torch.from_numpy(pairs),
        torch.from_numpy(slope_below + (1 - slope_below) * share),
        gap,
    )


def _network(*parts: Tensor) -> list[Array]:
    """Output weights (m,), input weights (m, d), inputs (n, d) and labels (n,) in
    NumPy.
    """
    out, weights, inputs, labels = found = [
        np.asarray(part.detach().cpu().double()) for part in parts
    ]
    if (
        weights.shape != (len(out), inputs.shape[-1])
        or inputs.ndim != 2
        or labels.shape != (len(inputs),)
    ):
        raise InvalidInput(
            f"a, w, X, y have shapes {out.shape}, {weights.shape}, {inputs.shape}, "
            f"{labels.shape}; expected (m,), (m, d), (n, d), (n,)."
        )
    return found


def _checked(
    theta: Tensor, margins: Tensor, rows: Tensor, active: float
) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    point, values = (
        real_tensor("theta", theta, ndim=1),
        real_tensor("margins", margins, ndim=1),
    )
    gradients = real_tensor("rows", rows, ndim=2)
    if gradients.shape != (len(values), len(point)):
        raise InvalidInput(
            f"rows have shape {tuple(gradients.shape)}, expected one gradient a "
            f"margin, ({len(values)}, {len(point)})."
        )
    if not bool((values > 0).all()):
        raise InvalidInput(
            f"the smallest margin is {float(values.min()):g}; the program's "
            "constraints can be met by scaling only where every margin is positive. "
            "Train until all examples are correct."
        )
    positive_number("active", active)
    p, v, g = (
        np.asarray(t.detach().cpu().double()) for t in (point, values, gradients)
    )
    return p, v, g, v <= (1 + active) * v.min()


def _complementarity(multipliers: Array, margins: Array, norm: float) -> float:
    return float(multipliers @ (margins - margins.min()) / norm**2)


def _rows(a: Array, X: Array, y: Array, z: Array, slopes: Array) -> Array:
    """Gradients (n, m + m d) of y_i f(x_i) with the given slopes (n, m) of the
    activation.
    """
    gated = (slopes * a)[:, :, None] * X[:, None, :]
    return y[:, None] * np.concatenate([z * slopes, gated.reshape(len(X), -1)], 1)


def _placed(blocks: Array, neurons: NDArray[np.int64], width: int, size: int) -> Array:
    """Gradients (K, size) that are `blocks` (K, d) at the input weights of `neurons`
    (K,) and zero elsewhere.
    """
    placed = np.zeros((len(blocks), size))
    columns = width + neurons[:, None] * blocks.shape[1] + np.arange(blocks.shape[1])
    placed[np.arange(len(blocks))[:, None], columns] = blocks
    return placed


@dataclass(frozen=True)
class _Cone:
    """All sum_i lambda_i rows_i + sum_k mu_k openings_k with lambda >= 0 and 0 <= mu_k
    <= lambda_owner(k).
    """

    rows: Array
    openings: Array
    owner: NDArray[np.int64]

    def nearest(self, unit: Array) -> tuple[Array, Array, float, float]:
        """lambda, mu, distance from the unit vector, and how much less the distance
        could be.
        """
        scale = 1 / np.linalg.norm(self.rows, axis=1).max()
        lam, mu = (
            cp.Variable(len(self.rows), nonneg=True),
            cp.Variable(len(self.openings) + 1, nonneg=True),
        )
        openings = np.concatenate([scale * self.openings, np.zeros((1, len(unit)))])
        combined = (scale * self.rows).T @ lam + openings.T @ mu
        problem = cp.Problem(
            cp.Minimize(cp.sum_squares(unit - combined)),
            [mu <= lam[np.append(self.owner, 0)]],
        )
        problem.solve(solver=cp.CLARABEL)
        if lam.value is None or mu.value is None:
            raise InvalidInput(
                f"the quadratic program did not solve (status {problem.status}); "
                "rescale the inputs."
            )
        multipliers = scale * np.maximum(lam.value, 0)
        products = np.clip(scale * mu.value[:-1], 0, multipliers[self.owner])
        left = unit - self.rows.T @ multipliers - self.openings.T @ products
        distance = float(np.linalg.norm(left))
        return multipliers, products, distance, distance - self._least(unit, left)

    def _least(self, unit: Array, left: Array) -> float:
        """Lower bound unit.q / |q| of the distance, for a q close to `left` that has no
        acute angle with the cone.
        """
        q = left.copy()
        for _ in range(30):
            excess = float((self._reach(q) / (self.rows @ unit)).max())
            if excess <= 0:
                return max(0.0, float(unit @ q / np.linalg.norm(q)))
            q -= 1.01 * excess * unit
        return 0.0

    def _reach(self, q: Array) -> Array:
        """Largest product of q with a gradient of each margin, over the slopes at its
        kinks.
        """
        reach = self.rows @ q
        np.add.at(reach, self.owner, np.maximum(self.openings @ q, 0))
        return reach
