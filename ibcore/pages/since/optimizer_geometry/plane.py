"""A regression in the plane, for a picture of what weight decay does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.dynamics.directions import Adam, Grouped, Steepest
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.matrix_directions import Decoupled
from ibcore.oracles.constrained_descent import barrier_minimizer
from ibcore.pages.since.optimizer_geometry.decays import (
    BETAS,
    Regressions,
    in_units,
    pace,
)
from ibcore.threads import threads

WAYS = ("sign descent with decay", "AdamW", "Adam, coupled penalty")
EPSILONS = (0.0, *np.logspace(-2, 2.5, 12))


@dataclass(frozen=True)
class PlaneDecay:
    """Paths (K, 3, 2) of three methods, the ends (E, 2) of AdamW for rising epsilon, and
    the Hessian (2, 2) and the minimizer (2,) of the loss; the decay is 1.
    """

    paths: Tensor
    barrier: Tensor
    hessian: Tensor
    center: Tensor


@threads()
def plane_decay(steps: int = 1500) -> PlaneDecay:
    """Three points, two weights, of which one would be 2 without decay."""
    X = torch.tensor([[1.0, -0.3], [0.4, 1.0], [0.6, -0.8]], dtype=torch.float64)
    y = X @ torch.tensor([2.0, 1.1], dtype=torch.float64)
    drawn = in_units(X, y[:, None], "max")
    problem = Regressions.of([drawn], torch.device("cpu"))
    adam = Adam(*BETAS, 0.0)
    maps = (Decoupled(Steepest(math.inf, normalized=True), 1.0), Decoupled(adam, 1.0))
    stops = np.unique(np.geomspace(1, steps, 60).astype(int)).tolist()
    run = descend(
        problem.objective([0.0, 0.0, 1.0]),
        torch.zeros(3, 2, dtype=torch.float64),
        pace(),
        steps=[0, *stops],
        direction=Grouped(tuple((one, 1) for one in (*maps, adam))),
        max_seconds=math.inf,
    )
    inputs, targets = problem.inputs[0], problem.targets[0, :, 0]
    push = float(problem.push)
    ends = [
        barrier_minimizer(inputs, targets, 1.0, share * push)[0]
        for share in EPSILONS[1:]
    ]
    return PlaneDecay(
        run.theta,
        torch.stack([problem.best[0, 0], *ends]),
        2 / len(inputs) * inputs.T @ inputs,
        torch.linalg.lstsq(inputs, targets[:, None]).solution[:, 0],
    )
