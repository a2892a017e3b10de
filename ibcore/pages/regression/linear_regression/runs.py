"""Interpolation problems of the page, and the paths of four methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics import paces
from ibcore.dynamics.batches import epochs
from ibcore.dynamics.directions import Adam, Momentum
from ibcore.dynamics.events import short_gradient
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import ModelPoint, Objective
from ibcore.losses import Square
from ibcore.models.linear import Linear
from ibcore.oracles.equations import refuse_dependent_rows
from ibcore.oracles.least_squares import minimum_norm
from ibcore.problems.interpolation import Interpolation, isotropic_interpolation
from ibcore.threads import threads
from ibcore.validation import InvalidInput, regression_data

FITTED = 1e-14  # |X w - y| / |y| at which a run ends
CONDITION = 10.0  # of a reader's data, up to which the limits of the runs are meant


def relative(found: Tensor, expected: Tensor) -> Tensor:
    """|found - expected| / |expected| over the last dimension."""
    apart = torch.linalg.vector_norm(found - expected, dim=-1)
    return apart / torch.linalg.vector_norm(expected, dim=-1)


def outside(X: Tensor, moved: Tensor) -> Tensor:
    """Share of `moved` (B, d) outside the row space of X (B, n, d), (B,)."""
    rest = moved - (X.mT @ torch.linalg.solve(X @ X.mT, X @ moved[..., None]))[..., 0]
    lengths = torch.linalg.vector_norm(moved, dim=-1)
    return torch.linalg.vector_norm(rest, dim=-1) / lengths


def fitted(point: ModelPoint) -> Tensor:
    """Whether |X w - y| is at most `FITTED` |y|, (A,)."""
    size = torch.linalg.vector_norm(point.objective.real_targets, dim=-1)
    return torch.linalg.vector_norm(point.residuals, dim=-1) <= FITTED * size


def drawn(setting: Setting, count: int, n: int, d: int, purpose: str) -> Interpolation:
    """`count` problems of n normal examples in d dimensions, and their starts."""
    draws = [
        isotropic_interpolation(n, d, torch.Generator().manual_seed(seed))
        for seed in setting.seeds(count, purpose)
    ]
    return Interpolation.stack(draws).to(setting.device)


def own(
    setting: Setting, X: object, y: object, count: int, purpose: str
) -> Interpolation:
    """A reader's X (n, d) and y (n,) with `count` random starts, in units of its own.

    X has root mean square one, and the shortest interpolant, which stands for the
    truth, length one.
    Raises `InvalidInput` unless the rows are independent, fewer than d, and well
    conditioned, and for y = 0.
    """
    rows, targets = (part.double().cpu() for part in regression_data(X, y, single=True))
    if len(rows) >= rows.shape[1]:
        raise InvalidInput(
            f"X has shape {tuple(rows.shape)}, expected fewer rows than columns: "
            "otherwise the data leave nothing open."
        )
    refuse_dependent_rows(rows.numpy())
    rows = rows / rows.square().mean().sqrt()
    if (condition := float(torch.linalg.cond(rows))) > CONDITION:
        raise InvalidInput(
            f"the largest singular value of X is {condition:.3g} times the smallest, "
            f"expected at most {CONDITION:g}: descent would not be done in time. Bring "
            "columns to one scale, or pass fewer rows."
        )
    truth = minimum_norm(rows, targets).weights
    if not truth.norm() > 0:
        raise InvalidInput("y is zero, expected labels that a predictor has to fit.")
    truth = truth / truth.norm()
    starts = [
        torch.randn(
            rows.shape[1],
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        )
        for seed in setting.seeds(count, purpose)
    ]
    half = 2 * rows.shape[1] ** 0.5
    problems = [Interpolation(rows, rows @ truth, truth, w / half) for w in starts]
    return Interpolation.stack(problems).to(setting.device)


def _descent(task: Objective, start: Tensor, eta: float) -> Run:
    end, pace = short_gradient(1e-14), paces.constant(eta)
    return descend(task, start, pace, steps=range(1501), until=end)


def _heavy_ball(task: Objective, start: Tensor, eta: float) -> Run:
    return descend(
        task,
        start,
        paces.constant(eta),
        steps=range(801),
        direction=Momentum(0.8),
        until=fitted,
    )


def _stochastic(task: Objective, start: Tensor, _eta: float) -> Run:
    X = cast("Linear", task.model).inputs
    return descend(
        task,
        start,
        paces.constant(0.5 / float(X.square().sum(-1).max())),
        steps=range(20_001),
        batches=epochs(1, torch.Generator().manual_seed(0)),
        until=fitted,
        ask_every=len(X),
    )


def _adam(task: Objective, start: Tensor, _eta: float) -> Run:
    return descend(
        task,
        start,
        paces.Cosine(0.05, 1500),
        steps=range(1501),
        direction=Adam(),
        until=lambda point: point.log_loss <= math.log(1e-20),
    )


METHODS: dict[str, Callable[[Objective, Tensor, float], Run]] = {
    "gradient descent": _descent,
    "heavy ball": _heavy_ball,
    "SGD": _stochastic,
    "Adam": _adam,
}


@threads()
def follow(
    X: Tensor, y: Tensor, start: Tensor, method: str, scale: float = 1.0
) -> Tensor:
    """Every iterate of one of `METHODS` from `start` (d,) until it fits: (K, d).

    Steps are `scale` over the Lipschitz constant of the gradient of the loss.
    """
    task = Objective(Linear(X), Square(), y)
    eta = scale * len(y) / (2 * float(torch.linalg.matrix_norm(X, 2)) ** 2)
    run = METHODS[method](task, start[None], eta)
    return run.theta[: int(run.steps) + 1, 0]


@threads()
def distance_paths(seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Steps and relative distances to the closest interpolant, by method."""
    data = isotropic_interpolation(10, 30, torch.Generator().manual_seed(seed))
    moved = minimum_norm(data.X, data.y - data.outputs(data.start)).weights
    found = {}
    for name in METHODS:
        path = follow(data.X, data.y, data.start, name)
        kept = np.unique(np.geomspace(1, len(path), 200).astype(int)) - 1
        found[name] = (kept + 1.0, relative(path[kept] - data.start, moved).numpy())
    return found
