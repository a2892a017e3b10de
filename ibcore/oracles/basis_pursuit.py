"""Interpolants of least l1 norm and of least quasi-norm, and what diagonal networks do
near the first.

Basis pursuit is min |beta|_1 s.t. X beta = y. Its duals are the nu with X^T nu =
sign(beta) on the support and |X^T nu| <= 1 off it; the *slack* is how far below 1 the
largest entry off the support can be made.

By duality of linear programs 1 - slack is the largest sum of sign(beta_j) v_j over the
support for v in null(X) with entries off the support of l1 norm 1: a constant of the
null space property, to which Matt and Stöger (2025) tie the rate at which diagonal
networks approach beta.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.equations import (
    Array,
    Equations,
    Independent,
    backward_error,
    equations,
    failures_in_words,
    independent,
    within,
)
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_number

_SYSTEMS = 200_000
_ZEROS = (1e-8, 1e-11, 1e-14, 0.0)  # shares of the largest, tried in turn
_ROUNDING = 1e-12
_PIVOT = 1e-12  # relative, below which columns count as dependent
_TINY = float(np.finfo(np.float64).tiny)
_CERTIFIED = 1e-8
_UNITS = "Bring the columns of X to comparable units."


@dataclass(frozen=True)
class BasisPursuit:
    """The interpolant of least l1 norm, float64 on the CPU.

    primal: beta (d,).   dual: nu (n,), the one whose largest |X^T nu| off the support
    is least.
    slack: 1 minus that entry, negative or 0 where beta is not the only minimizer.
    gap: |beta|_1 - nu.y, over |beta|_1.   residual: |X beta - y| / |y|.
    """

    primal: Tensor
    dual: Tensor
    slack: float
    gap: float
    residual: float

    @property
    def norm(self) -> float:
        return float(self.primal.abs().sum())

    @property
    def support(self) -> Tensor:
        """(d,), where beta is not zero."""
        return self.primal != 0


@threads()
def basis_pursuit(X: object, y: object) -> BasisPursuit:
    """The least |beta|_1 with X beta = y, for X (n, d) and y (n,) (Chen, Donoho and
    Saunders 1998).

    HiGHS solves the program, once more on its support, and finds the dual of largest
    slack. It sees rows, columns and targets of size one, since it drops entries of 1e-9
    and has absolute tolerances. Equations that others imply are allowed; then the dual
    is the one in the span of the rows. Equivariant: for a X, b y and (r_i x_i, r_i y_i)
    beta is beta / a, b beta and beta.

    Raises `InvalidInput` for malformed data, for y = 0, for equations that contradict
    one another, and where the gap or the residual stays above 1e-8: columns in units
    that differ by more than some 1e8 can be out of reach.

    One equation is met on its largest entry; the slack is what the other lacks to it:

    >>> from ibcore import basis_pursuit
    >>> best = basis_pursuit([[3.0, 4.0]], [8.0])
    >>> best.primal.round(decimals=12), round(best.slack, 12)
    (tensor([0., 2.], dtype=torch.float64), 0.25)
    """
    system = equations(X, y)
    if not system.targets.any():
        raise InvalidInput("y is zero: beta = 0, whose relative gap has no meaning.")
    kept, told = independent(system), ""
    prices = 1 / kept.columns
    for price in dict.fromkeys((float(np.median(prices)), prices.min(), prices.max())):
        try:
            return _certified(system, kept, prices / price)
        except InvalidInput as error:
            told = told or str(error)
    raise InvalidInput(told)


def _certified(system: Equations, kept: Independent, prices: Array) -> BasisPursuit:
    """The solution with its certificate, by a program with `prices` (d,) of its
    variables, columns times beta.
    """
    with failures_in_words("the least l1 interpolant"):
        g = _least(kept.rows / kept.columns, kept.targets, prices)
        beta = g / kept.columns
        nu, largest = _widest_dual(kept.rows, kept.columns, beta)
    feasible = nu / max(1.0, float(np.abs(nu @ kept.rows).max()))
    norm = float(np.abs(beta).sum())
    found = BasisPursuit(
        torch.from_numpy(beta * system.size),
        torch.from_numpy(system.given(kept.back @ feasible)),
        1 - largest,
        abs(norm - float(feasible @ kept.targets)) / norm,
        float(
            np.linalg.norm(system.rows @ beta - system.targets)
            / np.linalg.norm(system.targets)
        ),
    )
    missed = backward_error(system.rows, system.targets, beta)
    if not within(_CERTIFIED, found.gap, found.residual, missed):
        raise InvalidInput(
            f"the linear program was not solved to {_CERTIFIED:g} (gap "
            f"{found.gap:.1g}, residual {max(found.residual, missed):.1g}). {_UNITS}"
        )
    return found


def _least(A: Array, y: Array, prices: Array) -> Array:
    """The g of least sum_j prices_j |g_j| s.t.

    A g = y for entries of A and y of size one, (d,).
    """
    g = cp.Variable(A.shape[1])
    even = bool((prices == prices[0]).all())
    cost = cp.norm1(g if even else cp.multiply(prices, g))
    _solved(cp.Problem(cp.Minimize(cost), [A @ g == y]))
    rough = np.abs(np.asarray(g.value))
    best, least = np.zeros_like(rough), np.inf
    for share in _ZEROS:
        on = rough > share * rough.max()
        if int(on.sum()) > len(A):
            break
        polished = np.zeros_like(rough)
        polished[on] = np.linalg.lstsq(A[:, on], y, rcond=None)[0]
        missing = backward_error(A, y, polished)
        if missing < least / 2:
            best, least = polished, missing
        if least <= _ROUNDING:
            break
    return best


def _widest_dual(X: Array, columns: Array, beta: Array) -> tuple[Array, float]:
    """The nu with X^T nu = sign(beta) where beta is not 0 whose largest |X^T nu|
    elsewhere is least, and that.

    The solutions of the equations are nu = first + free t; the program is over t.
    """
    on = beta != 0
    used = (X[:, on] / columns[on]).T
    first = np.linalg.lstsq(used, np.sign(beta[on]) / columns[on], rcond=None)[0]
    free = np.linalg.svd(used)[2][len(used) :].T
    if free.shape[1] and not on.all():
        scale = max(1.0, float(np.abs(first @ X).max()))
        t, largest = cp.Variable(free.shape[1]), cp.Variable()
        off: cp.Expression = first @ X[:, ~on] / scale + (free.T @ X[:, ~on]).T @ t
        _solved(cp.Problem(cp.Minimize(largest), [off <= largest, -off <= largest]))
        first = first + scale * (free @ np.asarray(t.value))
    return first, float(np.abs(first @ X[:, ~on]).max(initial=0.0))


def _solved(problem: cp.Problem) -> None:
    if not programs.highs(problem):
        raise InvalidInput(
            f"HiGHS calls a program '{problem.status}' that has a solution. {_UNITS}"
        )


def excess_near(pursuit: BasisPursuit, X: Tensor, beta: Tensor) -> Tensor:
    """|beta|_1 / min |.|_1 - 1 of interpolants (..., d) without cancellation, where the
    signs agree on the support.

    By duality the excess is the sum of |beta_j| - beta_j (X^T nu)_j, which vanishes on
    the support; where a sign differs the term there counts too.
    """
    values = pursuit.dual @ X
    values = torch.where(pursuit.support, pursuit.primal.sign(), values)
    return (beta.abs() - beta * values).sum(-1) / pursuit.norm


def excess_bound(pursuit: BasisPursuit, scale: float) -> float:
    """A bound on the relative l1 excess of every minimizer of Q with c = `scale`,
    infinite where c is too large.

    With b the l1 minimizer, |beta|_1 <= (sum_j |b_j| asinh(|b_j| / c) + |b|_1) / log(2
    |b|_1 / (d c)). Derived on the page: of the order log d / log(1/c) for small c.
    """
    c, size, d = positive_number("scale", scale), pursuit.norm, len(pursuit.primal)
    if 2 * size <= d * c:
        return math.inf
    b = pursuit.primal.abs()
    return (
        float((b * torch.asinh(b / c)).sum() + size)
        / (size * math.log(2 * size / (d * c)))
        - 1
    )


def leading_excess(pursuit: BasisPursuit, X: Tensor, depth: int) -> float:
    """The limit of (relative l1 excess) / alpha^D as alpha falls, for depth D >= 3 and
    a basic solution.

    Off the support beta_j / alpha^D tends to h_D(rho_j), rho = X^T nu. Raises
    `InvalidInput` where the dual is not unique (fewer than n nonzero entries) or the
    depth is 2, whose excess falls like alpha^(2 slack).
    """
    if depth < 3:
        raise InvalidInput(f"depth is {depth!r}, expected at least 3.")
    if int(pursuit.support.sum()) != len(X):
        raise InvalidInput(
            "the least l1 interpolant has fewer nonzero entries than there are "
            "equations."
        )
    rho, p = (pursuit.dual @ X)[~pursuit.support].abs(), depth / (depth - 2)
    return float((((1 - rho) ** -p - (1 + rho) ** -p) * (1 - rho)).sum()) / pursuit.norm


@threads()
def quasi_norm_interpolant(X: object, y: object, power: float) -> Tensor:
    """The interpolant of least sum_j |beta_j|^power, 0 < power <= 1, (d,), by trying
    every basic solution.

    On each orthant the objective is concave, so a minimum is at a vertex, whose nonzero
    entries meet independent columns, at most as many as there are independent
    equations. Equivariant as `basis_pursuit` is. Raises `InvalidInput` for a power
    outside (0, 1], for more than 200,000 supports, for equations that contradict one
    another, and where no support fits y to 1e-8.
    """
    if not 0 < power <= 1:
        raise InvalidInput(
            f"power is {power!r}, expected a number above 0 and at most 1."
        )
    system = equations(X, y)
    kept = independent(system)
    n, d = kept.rows.shape
    if n == 0:
        return torch.zeros(d, dtype=torch.float64)
    if math.comb(d, n) > _SYSTEMS:
        raise InvalidInput(
            f"X has shape {system.rows.shape}: {math.comb(d, n):,} supports, more than "
            f"{_SYSTEMS:,}."
        )
    supports = _combinations(d, n)
    values, regular = _on_supports(kept, supports)
    betas = values / torch.from_numpy(kept.columns)[supports]
    sums = (betas / betas.abs().max().clamp(min=_TINY)).abs().pow(power).sum(-1)
    sums[~regular] = math.inf
    for _ in range(int(regular.sum())):
        best = int(sums.argmin())
        g = torch.zeros(d, dtype=torch.float64).scatter(0, supports[best], values[best])
        beta = g.numpy() / kept.columns
        if within(_CERTIFIED, backward_error(kept.rows, kept.targets, beta)):
            return torch.from_numpy(beta * system.size)
        sums[best] = math.inf
    raise InvalidInput(f"double precision resolves no basic solution. {_UNITS}")


def _combinations(d: int, n: int) -> Tensor:
    """All n of d, (K, n)."""
    chosen = itertools.chain.from_iterable(itertools.combinations(range(d), n))
    return torch.from_numpy(np.fromiter(chosen, np.int64).reshape(-1, n))


def _on_supports(kept: Independent, supports: Tensor) -> tuple[Tensor, Tensor]:
    """The solutions (K, n) on `supports` (K, n), columns of size one, and whether their
    columns are independent.

    Entries of the size of rounding are set to 0: a power near 0 would count them in
    full.
    """
    A, y = (torch.from_numpy(part) for part in (kept.rows / kept.columns, kept.targets))
    factors, pivots, _ = torch.linalg.lu_factor_ex(A.T[supports].mT)
    diagonal = factors.diagonal(dim1=-2, dim2=-1).abs()
    regular = diagonal.amin(-1) > _PIVOT * diagonal.amax(-1)
    values = torch.linalg.lu_solve(
        factors, pivots, y.expand(len(supports), len(y))[..., None]
    )[..., 0]
    values[~regular] = 0
    sizes = values.abs()
    values[sizes <= _ROUNDING * sizes.amax(-1, keepdim=True)] = 0
    return values, regular
