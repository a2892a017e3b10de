"""Interpolants of least l1 norm and of least quasi-norm, and what diagonal networks do near the first.

Basis pursuit is min |beta|_1 s.t. X beta = y. Its duals are the nu with X^T nu = sign(beta) on the support and
|X^T nu| <= 1 off it; the *slack* is how far below 1 the largest entry off the support can be made.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_number, regression_data

_SYSTEMS = 200_000
_ZERO = 1e-8


@dataclass(frozen=True)
class BasisPursuit:
    """The interpolant of least l1 norm, float64 on the CPU.

    primal: beta (d,).   dual: nu (n,), the one whose largest |X^T nu| off the support is least.
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


def basis_pursuit(X: object, y: object) -> BasisPursuit:
    """Solve min |beta|_1 s.t. X beta = y by HiGHS, once more on its support, and find the dual of largest slack.

    Raises `InvalidInput` for malformed data or an unsolved program.
    """
    inputs, targets = (
        part.detach().cpu().double().numpy()
        for part in regression_data(X, y, single=True)
    )
    beta = cp.Variable(inputs.shape[1])
    _solved(cp.Problem(cp.Minimize(cp.norm1(beta)), [inputs @ beta == targets]))
    rough = np.asarray(beta.value)
    on = np.abs(rough) > _ZERO * np.abs(rough).max()
    primal = np.zeros_like(rough)
    primal[on] = np.linalg.lstsq(inputs[:, on], targets, rcond=None)[0]
    nu, largest = _widest_dual(inputs, on, np.sign(primal[on]))
    norm = np.abs(primal).sum()
    return BasisPursuit(
        torch.from_numpy(primal),
        torch.from_numpy(nu),
        1 - largest,
        abs(float(norm - nu @ targets)) / float(norm),
        float(np.linalg.norm(inputs @ primal - targets) / np.linalg.norm(targets)),
    )


def _widest_dual(
    X: np.ndarray, on: np.ndarray, signs: np.ndarray
) -> tuple[np.ndarray, float]:
    if on.sum() == len(X):
        only = np.linalg.solve(X[:, on].T, signs)
        return only, float(np.abs(only @ X[:, ~on]).max(initial=0.0))
    nu, largest = cp.Variable(len(X)), cp.Variable()
    off: cp.Expression = X[:, ~on].T @ nu
    constraints: list[Any] = [X[:, on].T @ nu == signs, off <= largest, -off <= largest]
    _solved(cp.Problem(cp.Minimize(largest), constraints))
    return np.asarray(nu.value), float(np.asarray(largest.value))


def _solved(problem: cp.Problem) -> None:
    problem.solve(solver=cp.HIGHS)
    if problem.status != cp.OPTIMAL:
        raise InvalidInput(
            f"the linear program ended as '{problem.status}'; check that X beta = y has a solution and "
            f"rescale the data."
        )


def excess_near(pursuit: BasisPursuit, X: Tensor, beta: Tensor) -> Tensor:
    """|beta|_1 / min |.|_1 - 1 of interpolants (..., d) without cancellation, where the signs agree on the support.

    By duality the excess is the sum of |beta_j| - beta_j (X^T nu)_j, which vanishes on the support; where a sign
    differs the term there counts too.
    """
    values = pursuit.dual @ X
    values = torch.where(pursuit.support, pursuit.primal.sign(), values)
    return (beta.abs() - beta * values).sum(-1) / pursuit.norm


def excess_bound(pursuit: BasisPursuit, scale: float) -> float:
    """A bound on the relative l1 excess of every minimizer of Q with c = `scale`, infinite where c is too large.

    With b the l1 minimizer, |beta|_1 <= (sum_j |b_j| asinh(|b_j| / c) + |b|_1) / log(2 |b|_1 / (d c)). Derived on
    the page: of the order log d / log(1/c) for small c.
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
    """The limit of (relative l1 excess) / alpha^D as alpha falls, for depth D >= 3 and a basic solution.

    Off the support beta_j / alpha^D tends to h_D(rho_j), rho = X^T nu. Raises `InvalidInput` where the dual is not
    unique (fewer than n nonzero entries) or the depth is 2, whose excess falls like alpha^(2 slack).
    """
    if depth < 3:
        raise InvalidInput(f"depth is {depth!r}, expected at least 3.")
    if int(pursuit.support.sum()) != len(X):
        raise InvalidInput(
            "the least l1 interpolant has fewer nonzero entries than there are equations."
        )
    rho, p = (pursuit.dual @ X)[~pursuit.support].abs(), depth / (depth - 2)
    return float((((1 - rho) ** -p - (1 + rho) ** -p) * (1 - rho)).sum()) / pursuit.norm


def quasi_norm_interpolant(X: object, y: object, power: float) -> Tensor:
    """The interpolant of least sum_j |beta_j|^power, 0 < power <= 1, (d,), by trying every basic solution.

    On each orthant the objective is concave, so a minimum is at a vertex, which has at most n nonzero entries.
    Raises `InvalidInput` for a power outside (0, 1] or more than 200,000 supports.
    """
    inputs, targets = (part.detach().cpu().double() for part in regression_data(X, y))
    n, d = inputs.shape
    if not 0 < power <= 1:
        raise InvalidInput(
            f"power is {power!r}, expected a number above 0 and at most 1."
        )
    if math.comb(d, n) > _SYSTEMS:
        raise InvalidInput(
            f"X has shape {(n, d)}: {math.comb(d, n):,} supports, more than {_SYSTEMS:,}."
        )
    supports = torch.tensor(list(itertools.combinations(range(d), n)))
    values = torch.linalg.solve(inputs.T[supports].mT, targets.expand(len(supports), n))
    best = values.abs().pow(power).sum(-1).argmin()
    return torch.zeros(d, dtype=torch.float64).scatter(0, supports[best], values[best])
