"""The interpolant of least Bregman divergence from a starting point: where mirror
descent has to go.

min D(w, w_0) subject to X w = y, with D(w, v) = psi(w) - psi(v) - grad psi(v).(w - v),
has the dual max y.nu - psi*(z_0 + X^T nu) + const, z_0 = grad psi(w_0). A point is the
solution if and only if it interpolates and grad psi(w) - z_0 lies in the row space of
X.

Equivariant: for a X, b y, w_0 b / a and a potential that is measured in the same units
(`Potential.in_units`: hypentropy with beta b / a, the others as they are) the solution is w b /
a; each equation may be multiplied by a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.equations import (
    equations,
    failures_in_words,
    power_of_two,
    refuse_dependent_rows,
    within,
)
from ibcore.oracles.newton import exponential_share, newton, turning
from ibcore.oracles.separable_dual import FLOOR, dual_root
from ibcore.potentials import Entropy, Hypentropy, PNorm, Potential
from ibcore.threads import threads
from ibcore.validation import InvalidInput, real_tensor

Array = NDArray[Any]
_STEPS, _PATIENCE = 500, 50
_FITTED, _OPTIMAL = 1e-9, 1e-7  # of the residual; of the gap and of what is outside
_TINY = 1e-300


@dataclass(frozen=True)
class _Psi:
    """A potential in NumPy, whose inverse is a link of `separable_dual`."""

    potential: Potential

    @property
    def primal(self) -> bool:
        """Whether Newton's method runs on w: the conjugate is flat or kinked at zero."""
        return isinstance(self.potential, PNorm) and self.potential.p > 2

    def value_of(self, w: Array) -> Array:
        return self.potential.value(torch.from_numpy(w)).numpy()

    def gradient(self, w: Array) -> Array:
        return self.potential.mirror(torch.from_numpy(w)).numpy()

    def curvature(self, w: Array) -> Array:
        return self.potential.curvature(torch.from_numpy(w)).numpy()

    def value(self, z: Array) -> Array:
        """The inverse of the gradient."""
        return self.potential.unmirror(torch.from_numpy(z)).numpy()

    def slope(self, z: Array) -> Array:
        return 1 / np.maximum(self.curvature(self.value(z)), _TINY)

    def share(self, _z: Array, move: Array) -> float | None:
        """Nothing for powers, which bend without bound near zero."""
        bounded = not isinstance(self.potential, PNorm)
        return exponential_share(move) if bounded else None

    def expression(self, w: cp.Variable) -> tuple[Any, list[Any]]:
        """psi(w) in CVXPY with constraints.

        Hypentropy is the least sum of u log(2u/beta) - u + v log(2v/beta) - v + beta
        over w = u - v, u, v >= 0.
        """
        if isinstance(self.potential, PNorm):
            p = self.potential.p
            return cp.sum(cp.power(cp.abs(w), p, approx=False)) / p, []
        if isinstance(self.potential, Entropy):
            return cp.sum(-cp.entr(w) - w), []
        if not isinstance(self.potential, Hypentropy):
            raise InvalidInput("the program is stated for PNorm, Hypentropy, Entropy.")
        u, v, beta = cp.Variable(w.shape), cp.Variable(w.shape), self.potential.beta
        log = np.log(2 / beta) - 1
        return cp.sum(-cp.entr(u) - cp.entr(v) + log * (u + v) + beta), [w == u - v]


@dataclass(frozen=True)
class BregmanProjection:
    """The solution with its certificate, float64 on the CPU.

    w: (d,).      dual: nu (n,).
    residual: |X w - y| over the larger of |y| and |X|_F |w|, equations scaled to
    largest entries near 1.
    outside: length of the part of grad psi(w) - grad psi(w_0) outside the row space of
    X, over that of both gradients.
    gap: (D(w, w_0) - dual value) over the sum of the absolute values of both sides'
    terms, which is what rounding can be compared with.
    """

    w: Tensor
    dual: Tensor
    residual: float
    outside: float
    gap: float


@threads()
def bregman_projection(
    X: object, y: object, start: object, potential: Potential
) -> BregmanProjection:
    """The solution by Newton's method: on the dual, or on w where the conjugate of psi
    is not smooth.

    X: (n, d) with independent rows, n < d.      y: (n,).      start: w_0 (d,), inside
    the domain of psi. Raises `InvalidInput` for malformed data, a start outside the
    domain, dependent rows, or targets that Newton's method does not reach (for the
    entropy: that no positive w fits).
    """
    problem = _data(X, y, start, potential)
    rows, targets, w0, psi = problem.rows, problem.targets, problem.start, problem.psi
    solve = _primal_newton if psi.primal else _dual_newton
    with (
        failures_in_words("the projection"),
        np.errstate(over="ignore", invalid="ignore"),  # in steps that are refused
    ):
        w, nu = solve(rows, targets, psi.gradient(w0), psi)
        result = _certified(problem, w, nu)
    if not (
        within(_FITTED, result.residual)
        and within(_OPTIMAL, result.outside, abs(result.gap))
    ):
        raise InvalidInput(
            f"Newton's method ended with a residual of {result.residual:.1e}, "
            f"{result.outside:.1e} outside the row space and a gap of "
            f"{result.gap:.1e}: there is no interpolant in the domain of the "
            "potential, or none that double precision can tell. Bring w_0, the "
            "columns of X and y / X to comparable units."
        )
    return result


@threads()
def program(
    X: object, y: object, start: object, potential: Potential
) -> tuple[Tensor, float]:
    """The same program in CVXPY as it is stated, by Clarabel: its solution (d,) and
    least divergence.

    Good to about 1e-5 in w. Raises as `bregman_projection` does for malformed data.
    """
    data = _data(X, y, start, potential)
    rows, targets, w0, psi = data.rows, data.targets, data.start, data.psi
    w = cp.Variable(rows.shape[1])
    value, constraints = psi.expression(w)
    z0 = psi.gradient(w0)
    problem = cp.Problem(
        cp.Minimize(value - z0 @ w), [rows @ w == targets, *constraints]
    )
    programs.clarabel_at_best(problem, (1e-11, 1e-9, 1e-7))
    if w.value is None or problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise InvalidInput(
            "the conic solver did not solve the program. Rescale the data, or use "
            "`bregman_projection`, whose certificate needs no solver."
        )
    shift = float(psi.value_of(w0).sum() - z0 @ w0)
    return (
        torch.from_numpy(np.asarray(w.value) * data.size),
        (float(problem.value) - shift) * data.size * data.slope,
    )


def divergence(w: object, start: object, potential: Potential) -> float:
    """D(w, w_0) for w, w_0 (d,)."""
    a, b = (
        real_tensor(name, v, ndim=1).detach().cpu().double()
        for name, v in (("w", w), ("start", start))
    )
    rise = potential.value(a) - potential.value(b)
    return float((rise - potential.mirror(b) * (a - b)).sum())


@dataclass(frozen=True)
class _Problem:
    """The problem for w / size, with rows of size one and psi in these units; given
    gradients are `slope` larger.
    """

    rows: Array
    targets: Array
    start: Array
    psi: _Psi
    lengths: Array
    size: float
    slope: float


def _data(X: object, y: object, start: object, potential: Potential) -> _Problem:
    system = equations(X, y)
    w0 = real_tensor("start", start, ndim=1).detach().cpu().double().numpy()
    if len(w0) != system.rows.shape[1]:
        raise InvalidInput(
            f"start has shape {w0.shape} and X {system.rows.shape}; expected one "
            f"target a row and a start of ({system.rows.shape[1]},)."
        )
    refuse_dependent_rows(system.rows)
    if isinstance(potential, Entropy) and not (w0 > 0).all():
        raise InvalidInput(
            f"start has the smallest entry {w0.min():g}, expected positive entries for "
            "the entropy."
        )
    largest = float(np.abs(system.targets).max()) * system.size
    size = power_of_two(max(largest, float(np.abs(w0).max())))
    scaled, slope = potential.in_units(size)
    if not 0 < slope < np.inf:
        raise InvalidInput(
            f"w is of size {size:.1g}, whose gradient is no finite double. Choose "
            "other units."
        )
    targets = system.targets * (system.size / size)
    return _Problem(
        system.rows, targets, w0 / size, _Psi(scaled), system.lengths, size, slope
    )


def _dual_newton(rows: Array, y: Array, z0: Array, psi: _Psi) -> tuple[Array, Array]:
    """nu minimizing psi*(z_0 + X^T nu) - y.nu."""
    least = np.linalg.lstsq(rows.T, np.linalg.lstsq(rows, y, rcond=None)[0], rcond=None)
    nu = _first_multiple(rows, y, z0, psi, least[0])
    nu = dual_root(rows, y, psi, nu, offset=z0, most=_STEPS, patience=_PATIENCE).point
    return psi.value(z0 + rows.T @ nu), nu


def _first_multiple(rows: Array, y: Array, z0: Array, psi: _Psi, nu: Array) -> Array:
    """The multiple t nu, 1e-8 <= t <= 1e8, where the dual is about least: the inverse
    can be a high power.
    """
    low, high = np.log(1e-8), np.log(1e8)
    for _ in range(8):
        middle = (low + high) / 2
        ahead = rows @ psi.value(z0 + np.exp(middle) * (rows.T @ nu)) - y
        low, high = (middle, high) if nu @ ahead < 0 else (low, middle)
    return np.asarray(np.exp(low) * nu)


def _primal_newton(rows: Array, y: Array, z0: Array, psi: _Psi) -> tuple[Array, Array]:
    """Newton's method on the interpolants w = X^+ y + N c, N an orthonormal basis of
    null(X).
    """
    kernel = np.linalg.svd(rows)[2][len(rows) :].T

    def look(w: Array) -> tuple[float, Array]:
        moved = psi.gradient(w) - z0
        rest = kernel.T @ moved
        return _length_of(rest) / (_length_of(moved) + _TINY), rest

    def advance(w: Array, rest: Array) -> tuple[Array, float]:
        hessian = (kernel.T * np.maximum(psi.curvature(w), _TINY)) @ kernel
        inner = -np.linalg.solve(hessian, rest)
        step = kernel @ inner
        share = turning(
            lambda t: float(step @ (psi.gradient(w + t * step) - z0)),
            float(inner @ rest),
        )
        return step, share

    w = newton(
        np.linalg.lstsq(rows, y, rcond=None)[0],
        look,
        advance,
        floor=FLOOR,
        most=_STEPS,
        patience=_PATIENCE,
    ).point
    w = w - np.linalg.lstsq(rows, rows @ w - y, rcond=None)[0]
    return w, np.linalg.lstsq(rows.T, psi.gradient(w) - z0, rcond=None)[0]


def _certified(problem: _Problem, w: Array, nu: Array) -> BregmanProjection:
    rows, y, w0, psi = problem.rows, problem.targets, problem.start, problem.psi
    z0, moved = psi.gradient(w0), psi.gradient(w) - psi.gradient(w0)
    outside = moved - rows.T @ np.linalg.lstsq(rows.T, moved, rcond=None)[0]
    dual_point = psi.value(z0 + rows.T @ nu)
    primal = psi.value_of(w).sum() - z0 @ w
    conjugate = (z0 + rows.T @ nu) @ dual_point - psi.value_of(dual_point).sum()
    terms = np.abs(psi.value_of(w)).sum() + np.abs(z0 * w).sum() + np.abs(y * nu).sum()
    size = max(_length_of(y), _length_of(rows) * _length_of(w), _TINY)
    length = max(_length_of(psi.gradient(w)) + _length_of(z0), _TINY)
    return BregmanProjection(
        torch.from_numpy(w * problem.size),
        torch.from_numpy(nu / problem.lengths * problem.slope),
        _length_of(rows @ w - y) / size,
        _length_of(outside) / length,
        float((primal - (y @ nu - conjugate)) / max(terms, _TINY)),
    )


def _length_of(array: Array) -> float:
    return float(np.linalg.norm(array))
