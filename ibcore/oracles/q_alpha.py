"""What gradient flow on diagonal linear networks minimizes in regression: Q_alpha at
every depth and every shape.

Every limit has the form beta_j = s_j h(z_j) with z = X^T nu and an increasing odd
function h, the *link*, so that it minimizes sum_j s_j q(beta_j / s_j), q' = h^{-1},
among all interpolants:

    depth 2, u = v = alpha at the start         h = sinh s = 2 alpha^2 depth 2, unshared
    layers u0, v0             h = sinh s = u0^2 + v0^2 depth D >= 3, u = v = alpha at
    the start    h = (1-z)^(-D/(D-2)) - (1+z)^(-D/(D-2))   s = alpha^D

Woodworth et al. (2020) found the first and the third row, Azulay et al. (2021) the
second. The dual variable of the flow itself ascends the dual of this program, so that
the flow always fits the data. The solver is Newton's method on the concave dual nu.y -
sum_j s_j H(z_j), H' = h, with continuation in s from the least l2 solution.

Equivariant: for a X, b y and s b / a the minimizer is beta b / a, and each equation may
be multiplied by a number. In units in which y is far above s X the problem is that of a
smaller s, as it is for the network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles.equations import (
    Equations,
    equations,
    failures_in_words,
    independent_rows,
    within,
)
from ibcore.oracles.newton import exponential_share
from ibcore.oracles.normal_equations import normal_solution
from ibcore.oracles.separable_dual import dual_root
from ibcore.potentials import hypentropy
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)

Array = NDArray[np.float64]
_FALL = 4.0  # of log s in one step of continuation
_SOLVED = 1e-8  # of residual and correction


@dataclass(frozen=True)
class QMinimizer:
    """The least sum_j s_j q(beta_j / s_j) s.t. X beta = y, float64 on the CPU.

    primal: beta (d,) = s h(X^T nu), evaluated so, hence stationary by construction.
    dual: nu (n,).
    residual: |X beta - y| / |y|.   correction: the next Newton step in beta, over
    |beta|: how far beta is from the solution, to first order.   steps: of Newton's
    method, over all continuation.
    """

    primal: Tensor
    dual: Tensor
    residual: float
    correction: float
    steps: int


class _Link:
    """h of one depth with its integral H and its derivative, on the open interval
    (-end, end).
    """

    def __init__(self, depth: int) -> None:
        self.depth = positive_integer("depth", depth, least=2)
        self.power = np.inf if depth == 2 else depth / (depth - 2)

    def value(self, z: Array) -> Array:
        if self.depth == 2:
            return np.sinh(z)
        away = -self.power * np.log1p(np.stack([-z, z]))
        return np.exp(away.mean(0)) * 2 * np.sinh((away[0] - away[1]) / 2)

    def slope(self, z: Array) -> Array:
        if self.depth == 2:
            return np.cosh(z)
        p = self.power
        return p * ((1 - z) ** (-p - 1) + (1 + z) ** (-p - 1))

    def integral(self, z: Array) -> Array:
        """H(z), zero at zero."""
        if self.depth == 2:
            return 2 * np.sinh(z / 2) ** 2
        half = (self.depth - 2) / 2
        return half * (np.expm1(-np.log1p(-z) / half) + np.expm1(-np.log1p(z) / half))

    def share(self, z: Array, step: Array) -> float:
        """The largest safe share of a Newton step in z.

        After it the dual cannot have fallen: at depth 2 |h''| <= h'. Above, |h''| <= (p
        + 1) / (1 - |z|) h', so h' grows at most like (1 - t e)^(-p - 1) along the step,
        and the share is where that has integrated to 1.
        """
        if self.depth == 2:
            return exponential_share(step)
        e, p = float((np.abs(step) / (1 - np.abs(z))).max()), self.power
        if e * (p + 1) > 0.1:
            return float(-np.expm1(-np.log1p(p * e) / p) / e)
        return 1.0


def link(z: Tensor, depth: int = 2) -> Tensor:
    """h(z), entry by entry: beta / s of the coordinate with the dual value z; |z| < 1
    above depth 2.
    """
    return torch.from_numpy(_Link(depth).value(z.detach().cpu().double().numpy()))


def inverse_link(x: Tensor, depth: int = 2) -> Tensor:
    """h^{-1}(x) = q'(x), entry by entry; above depth 2 by bisection in log(1 - |z|)."""
    if positive_integer("depth", depth, least=2) == 2:
        return torch.asinh(x)
    target = x.detach().cpu().double().abs().numpy()
    p = depth / (depth - 2)
    lower, upper = (
        np.zeros_like(target),
        np.log1p(target) / p,
    )  # of w = -log(1 - |z|): h(z) >= e^(p w) - 1
    for _ in range(120):
        w = (lower + upper) / 2
        low = _Link(depth).value(-np.expm1(-w)) < target
        lower, upper = np.where(low, w, lower), np.where(low, upper, w)
    return torch.from_numpy(-np.expm1(-upper)) * x.detach().cpu().double().sign()


def q_value(beta: Tensor, scale: Tensor | float, depth: int = 2) -> Tensor:
    """sum_j s_j q(beta_j / s_j) of `beta` (..., d) at s = `scale`, a number or (d,):
    (...,).
    """
    s = torch.as_tensor(scale, dtype=torch.float64)
    w = beta.detach().cpu().double()
    if depth == 2:
        return hypentropy(w, s).sum(-1)
    x = w / s
    z = inverse_link(x, depth)
    return (s * (x * z - torch.from_numpy(_Link(depth).integral(z.numpy())))).sum(-1)


def start_scale(alpha: float, depth: int = 2) -> float:
    """s of the network u^D - v^D with u = v = alpha at the start: 2 alpha^2 at depth 2,
    alpha^D above.
    """
    positive_number("alpha", alpha)
    return (
        2 * alpha**2
        if depth == 2
        else alpha ** positive_integer("depth", depth, least=2)
    )


def shape_scale(product: Tensor | float, shape: Tensor | float) -> Tensor:
    """c = u0^2 + v0^2 = 2 alpha (1 + s^2) / (1 - s^2) of unshared layers with alpha =
    u0 v0.

    shape: s = (u0 - v0) / (u0 + v0), in (-1, 1).  Azulay et al. (2021).
    """
    alpha, s = (
        torch.as_tensor(value, dtype=torch.float64) for value in (product, shape)
    )
    if bool((alpha <= 0).any()) or bool((s.abs() >= 1).any()):
        raise InvalidInput(
            "the product of the layers must be above 0 and the shape between -1 and 1."
        )
    return 2 * alpha * (1 + s**2) / (1 - s**2)


@threads()
def q_alpha_minimizer(X: object, y: object, alpha: float, depth: int = 2) -> QMinimizer:
    """What gradient flow of beta = u^D - v^D from u = v = `alpha` converges to on X
    beta = y (Woodworth et al. 2020), for X (n, d) and y (n,).

    alpha: above 0; the l1 norm rules where it is small, the l2 norm where it is large.
    depth: D, at least 2.

    Raises `InvalidInput` for malformed data, targets that are all zero, rows of X that
    are linearly dependent, an alpha that is not positive or a solution that double
    precision does not resolve to 1e-8.

    With 2 alpha^2 = 1 the solution is beta = sinh(X^T nu), here at nu = log 2:

    >>> from ibcore import q_alpha_minimizer
    >>> best = q_alpha_minimizer([[1.0, 2.0]], [4.5], alpha=0.5**0.5)
    >>> best.primal.round(decimals=12)  # sinh(log 2) = 3/4, sinh(log 4) = 15/8
    tensor([0.7500, 1.8750], dtype=torch.float64)
    """
    return q_minimizer(X, y, start_scale(alpha, depth), depth)


@threads()
def q_alpha_path(
    X: object, y: object, alphas: Iterable[float], depth: int = 2
) -> list[QMinimizer]:
    """`q_alpha_minimizer` at each of `alphas`, in their order, by one continuation from
    the largest down.
    """
    scales = [start_scale(alpha, depth) for alpha in alphas]
    if not scales:
        raise InvalidInput("alphas are empty. Pass at least one.")
    order = np.argsort(scales)[::-1]
    system = _interpolable(X, y)
    minimizers = _continued(
        system, [np.full(system.rows.shape[1], scales[k]) for k in order], depth
    )
    found = dict(zip(order.tolist(), minimizers, strict=True))
    return [found[k] for k in range(len(scales))]


@threads()
def q_minimizer(
    X: object, y: object, scale: Tensor | float, depth: int = 2
) -> QMinimizer:
    """The interpolant of least sum_j s_j q(beta_j / s_j) at s = `scale`, a number or
    (d,), each above 0.

    Raises `InvalidInput` for malformed data, targets that are all zero, rows of X that
    are linearly dependent, a scale that is not positive or of the wrong shape, or a
    solution that double precision does not resolve to 1e-8.
    """
    system = _interpolable(X, y)
    s = real_tensor("scale", scale).detach().cpu().double()
    if s.shape not in ((), (1,), (d := system.rows.shape[1],)):
        raise InvalidInput(
            f"scale has shape {tuple(s.shape)}, expected a number or ({d},)."
        )
    return _continued(system, [s.expand(system.rows.shape[1]).numpy()], depth)[0]


def _interpolable(X: object, y: object) -> Equations:
    system = equations(X, y)
    if not system.targets.any():
        raise InvalidInput("y is zero: every scale gives beta = 0.")
    if not independent_rows(system.rows):
        raise InvalidInput(
            f"the {len(system.rows)} rows of X (in {system.rows.shape[1]} dimensions) "
            "are linearly dependent; remove rows until they are not."
        )
    return system


def _continued(system: Equations, scales: list[Array], depth: int) -> list[QMinimizer]:
    """The minimizers at falling `scales` (d,), multiples of one another, in the units
    in which they are given.
    """
    link, found = _Link(depth), []
    for s in scales:
        if not bool((s > 0).all()):
            raise InvalidInput(
                f"the scale has {int((s <= 0).sum())} entries that are not above 0."
            )
    with (
        failures_in_words("the minimizer of Q"),
        np.errstate(over="ignore", invalid="ignore", divide="ignore"),
    ):
        solver = _Dual(system.rows, system.targets, scales[0] / system.size, link)
        for s in scales:
            solver.lower(s / system.size)
            found.append(_in_units(solver.solved(), system))
    return found


def _in_units(best: QMinimizer, system: Equations) -> QMinimizer:
    """The solution in the units of the given data; refused where it is not solved."""
    if not within(_SOLVED, best.residual, best.correction):
        raise InvalidInput(
            f"Newton's method ended with a relative residual of {best.residual:.1e} "
            f"and a correction of {best.correction:.1e}. Take a larger scale, or bring "
            "the columns of X to comparable units."
        )
    return replace(
        best,
        primal=best.primal * system.size,
        dual=torch.from_numpy(system.given(best.dual.numpy())),
    )


class _Dual:
    """Newton's method for X s h(X^T nu) = y at falling s."""

    def __init__(self, X: Array, y: Array, s: Array, link: _Link) -> None:
        self.X, self.y, self.link, self.steps = X, y, link, 0
        least = X.T @ np.linalg.solve(X @ X.T, y)
        self.s = s * max(1.0, float(np.abs(least / s).max()))
        self.nu = np.zeros(len(y))
        self._newton()

    def lower(self, s: Array) -> None:
        """Continue to `s`, which is a multiple of the present one."""
        fall = float(np.log(self.s[0] / s[0]))
        for k in range(pieces := max(1, int(np.ceil(fall / _FALL)))):
            moved = self.nu + self._solve(self.y) * fall / pieces if fall else self.nu
            self.s = s * np.exp(fall * (1 - (k + 1) / pieces))
            if self.link.depth == 2 or np.abs(moved @ self.X).max() < 1:
                self.nu = moved
            self._newton()

    def solved(self) -> QMinimizer:
        beta, missing = self._state()
        step = self._solve(missing)
        change = self.s * self.link.slope(self.nu @ self.X) * (step @ self.X)
        return QMinimizer(
            torch.from_numpy(beta),
            torch.from_numpy(self.nu.copy()),
            float(np.linalg.norm(missing) / np.linalg.norm(self.y)),
            float(np.linalg.norm(change) / np.linalg.norm(beta)),
            self.steps,
        )

    def _state(self) -> tuple[Array, Array]:
        beta = self.s * self.link.value(self.nu @ self.X)
        return beta, self.y - self.X @ beta

    def _solve(self, right: Array) -> Array:
        """(X diag(s h'(z)) X^T)^{-1} right."""
        weights = self.s * self.link.slope(self.nu @ self.X)
        return normal_solution(self.X, weights, right)

    def _newton(self) -> None:
        found = dual_root(self.X, self.y, self.link, self.nu, scale=self.s)
        self.nu, self.steps = found.point, self.steps + found.steps
