"""Diagonal networks trained in their own parameters, the minimizers that theory gives,
and the data for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.evidence import attempt
from ibcore.measures.members import column, rows
from ibcore.measures.relative import relative_distance
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.models.unshared_diagonal import UnsharedDiagonal, shaped_start
from ibcore.oracles.basis_pursuit import BasisPursuit, basis_pursuit, excess_near
from ibcore.oracles.equations import refuse_dependent_rows
from ibcore.oracles.q_alpha import (
    QMinimizer,
    q_alpha_minimizer,
    q_minimizer,
    shape_scale,
)
from ibcore.problems.sparse_regression import Regression, sparse_regression
from ibcore.threads import threads
from ibcore.validation import InvalidInput, regression_data

PATIENCE = 600.0  # seconds for one run, which takes a fraction of one on the page
SLACK = 0.2  # least dual slack of basis pursuit
REJECTED = f"rejected (dual slack below {SLACK:g})"
LARGEST = 200  # features of a reader's own data


@dataclass(frozen=True)
class Case:
    """Data with their basis pursuit."""

    data: Regression
    pursuit: BasisPursuit

    def excess(self, beta: Tensor) -> Tensor:
        """l1 norm of `beta` (..., d) over the least one, less 1, (...,)."""
        return excess_near(self.pursuit, self.data.X, beta)


def with_slack(points: int, features: int, generator: torch.Generator) -> Case | None:
    """Data on which no other sparse answer nearly ties with the best: else rates set in
    late and drifts count more.
    """
    data = sparse_regression(points, features, max(2, points // 6), generator)
    pursuit = basis_pursuit(data.X, data.y)
    return Case(data, pursuit) if pursuit.slack >= SLACK else None


def own_case(X: object, y: object) -> Case:
    """A reader's X (n, d) and y (n,), in units of root mean square one and a least l1
    solution of largest entry one.

    What stands for the truth is the least l1 solution. Raises `InvalidInput` for
    dependent rows, data of another shape than n < d <= 200, y = 0, and a dual slack
    below `SLACK`, which nine digits of the limit ask for.
    """
    inputs, targets = regression_data(X, y, single=True)
    inputs, targets = inputs.double().cpu(), targets.double().cpu()
    n, d = inputs.shape
    if not n < d <= LARGEST:
        raise InvalidInput(
            f"X has shape {(n, d)}, expected fewer rows than columns, at most "
            f"{LARGEST} of these."
        )
    refuse_dependent_rows(inputs.numpy())
    inputs = inputs / inputs.square().mean().sqrt()
    targets = targets / basis_pursuit(inputs, targets).primal.abs().max()
    pursuit = basis_pursuit(inputs, targets)
    if not pursuit.slack >= SLACK:
        raise InvalidInput(
            f"the dual slack of X and y is {pursuit.slack:.2g}, expected at least "
            f"{SLACK:g}: another sparse solution nearly ties with the best, and the "
            "limit is not resolved to nine digits. Leave out or add an example."
        )
    return Case(Regression(inputs, targets, pursuit.primal), pursuit)


def tolerance(alpha: float, depth: int = 2) -> float:
    """Of the integrator: its drift in u v changes the limit as another alpha would,
    little where alpha is tiny.
    """
    return 1e-11 if depth > 2 else 3e-11 if alpha > 3e-4 else 3e-10


def flowed(
    net: Diagonal | UnsharedDiagonal,
    data: Regression,
    start: Tensor,
    name: str,
    **settings: Any,
) -> Tensor:
    """beta (d,) where gradient flow from `start` fits the data; raises `RuntimeError`,
    with `name`, where it does not.

    settings: those of `stiff_flow`.
    """
    run = stiff_flow(net, data.y, start, **({"max_seconds": PATIENCE} | settings))
    if not run.complete:
        raise RuntimeError(f"{name}: {run.status}")
    return net.coefficients(run.state)


@threads()
def train(data: Regression, alpha: float, depth: int = 2, **settings: Any) -> Tensor:
    """beta (d,) after gradient flow in u and v from u = v = `alpha`."""
    net = Diagonal(data.X, depth)
    start = even_start(net.features, torch.tensor([alpha], dtype=torch.float64))[0]
    chosen = {"tolerance": tolerance(alpha, depth)} | settings
    return flowed(net, data, start, f"alpha = {alpha:g}, depth {depth}", **chosen)


@threads()
def train_unshared(data: Regression, product: float, shape: float) -> Tensor:
    """w (d,) after gradient flow in all four vectors of w = u+ v+ - u- v-."""
    net, start = UnsharedDiagonal(data.X), shaped_start(data.X.shape[1], product, shape)
    floor = 3e-11 * float(start.min())
    name = f"alpha = {product:g}, shape {shape:g}"
    return flowed(net, data, start, name, tolerance=3e-11, floor=floor)


@dataclass(frozen=True)
class Ends:
    """Where N trained networks ended.

    predictors: (N, d), NaN where the flow did not fit.
    distances: (N,), to the minimizers, relative.
    missing: (N,), what the minimizers lack: residual or next correction, the larger.
    """

    predictors: Tensor
    distances: Tensor
    missing: Tensor


def even_ends(
    tasks: Sequence[tuple[Regression, float, int]],
) -> tuple[Ends, tuple[str, ...]]:
    """Networks u^D - v^D of (data, alpha, depth), and why some did not fit."""
    return _ends(
        train,
        lambda data, alpha, depth: q_alpha_minimizer(data.X, data.y, alpha, depth),
        tasks,
    )


def shaped_ends(
    tasks: Sequence[tuple[Regression, float, float]],
) -> tuple[Ends, tuple[str, ...]]:
    """Networks u+ v+ - u- v- of (data, scale, shape), and why some did not fit."""
    return _ends(
        train_unshared,
        lambda data, *cell: q_minimizer(data.X, data.y, shape_scale(*cell)),
        tasks,
    )


def _ends(
    training: Callable[..., Tensor],
    minimizer: Callable[..., QMinimizer],
    tasks: Sequence[tuple[Any, ...]],
) -> tuple[Ends, tuple[str, ...]]:
    """Training and theory meet at their ends alone."""
    trained, broken = attempt(lambda task: training(*task), tasks)
    best, failed = attempt(lambda task: minimizer(*task), tasks)
    features = tasks[0][0].X.shape[1]
    predictors = rows(trained, features)
    limits = rows([one.primal for one in best], features)
    missing = column([np.maximum(one.residual, one.correction) for one in best])
    found = Ends(predictors, relative_distance(predictors, limits), missing)
    return found, (*broken, *failed)
