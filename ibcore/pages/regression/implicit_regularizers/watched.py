"""What the figures of the page follow: one flow with its dual objective, and the limit
over the scale of the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.q_alpha import q_alpha_path
from ibcore.pages.regression.implicit_regularizers.runs import (
    FEATURES,
    Problem,
    flow,
    powers,
)
from ibcore.validation import InvalidInput


@dataclass(frozen=True)
class Watched:
    """One flow in raw parameters, (K,) each, from what theory says of its states.

    loss: L.      values: Q(w).      dual: D(nu), with nu from grad Q(w) = X^T nu.
    areas: twice the integral of L.
    least: Q at the certified limit.      outside: the largest share of grad Q(w)
    outside the row space.
    """

    times: Tensor
    loss: Tensor
    values: Tensor
    dual: Tensor
    areas: Tensor
    least: float
    outside: float


def watch(problem: Problem, times: Sequence[float]) -> Watched:
    """The flow of a commuting parametrization at those of `times` before it has fitted
    the data.
    """
    potential, X, y = problem.parametrization.potential, problem.X, problem.y
    if potential is None:
        raise InvalidInput(f"{problem.parametrization.name} has no potential.")
    run = flow(problem, times)
    before = run.path.isfinite().all(-1)
    w = run.path[before]
    xi = potential.dual(w)
    nu = xi @ torch.linalg.pinv(X)
    values = potential.value(w)
    return Watched(
        torch.tensor(times, dtype=torch.float64)[before],
        (w @ X.mT - y).square().mean(-1),
        values,
        nu @ y - (xi * w).sum(-1) + values,
        2 * run.areas[:-1][before],
        float(potential.value(potential.minimizer(X, y).w)),
        float(((xi - nu @ X).norm(dim=-1) / xi.norm(dim=-1)).max()),
    )


@dataclass(frozen=True)
class Regimes:
    """Relative distances of the limit of u^2 - v^2 from least l2 (row 0) and from least
    l1 (row 1).

    predicted: (2, K) at `scales`.      trained: (2, T).
    """

    predicted: Tensor
    trained: Tensor


def regimes(
    X: Tensor, y: Tensor, scales: Sequence[float], trained: Sequence[float]
) -> Regimes:
    """The least Q at `scales` and networks that were trained from the scales `trained`;
    X (n, 8), y (n,).
    """
    ends = torch.stack([minimum_norm(X, y).weights, basis_pursuit(X, y).primal])
    lines = torch.stack([one.primal for one in q_alpha_path(X, y, scales)])
    dots = torch.stack(
        [flow(Problem(powers(FEATURES, 2, alpha), X, y)).w for alpha in trained]
    )
    return Regimes(_apart(lines, ends), _apart(dots, ends))


def _apart(found: Tensor, ends: Tensor) -> Tensor:
    """|found - end| / |end| for found (K, m) and ends (2, m), as (2, K)."""
    return (found - ends[:, None]).norm(dim=-1) / ends.norm(dim=-1)[:, None]
