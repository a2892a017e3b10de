"""The directions that different optimizers find on the same points in the plane."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.directions import (
    AdaGrad,
    Adam,
    Direction,
    Gradient,
    Grouped,
    Steepest,
)
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import decaying
from ibcore.figures import figure, plot_separators
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.pages.classification.extensions.optimizers.figures import (
    plot_unit_balls,
)
from ibcore.problems.separable import Classification
from ibcore.threads import threads

STEPS = (3, 30, 300, 3000)
_NORM = {
    "gradient descent": 2.0,
    "sign descent": math.inf,
    "coordinate descent": 1.0,
    "Adam, epsilon 0": math.inf,
    "Adam, epsilon 1e-8": math.inf,
}
_WORDS = {1.0: "l1", 2.0: "l2", math.inf: "l-infinity"}
OPTIMIZERS = (
    "gradient descent",
    "coordinate descent",
    "sign descent",
    "AdaGrad",
    "Adam, epsilon 0",
    "Adam, epsilon 1e-8",
)


def three_answers() -> Classification:
    """Fourteen points whose largest margins in l1, l2 and l_inf are at (1, 0), (2, 1)
    and (1, 1), up to scale.

    The points nearest to the line are (2, 1) and its opposite in all three norms.
    """
    cloud = torch.tensor(
        [
            [2.0, 1.0],
            [2.2, 2.6],
            [2.1, 3.1],
            [2.2, 3.4],
            [3.0, 0.6],
            [2.3, 3.3],
            [2.4, 3.2],
        ],
        dtype=torch.float64,
    )
    return Classification(
        torch.cat([cloud, -cloud]), torch.cat([torch.ones(7), -torch.ones(7)]).double()
    )


@dataclass(frozen=True)
class Found:
    """Parameters (K, M, 2) of M optimizers after K step counts, and the predicted
    direction of each, (M, 2).

    For Adam with epsilon this is the direction it takes first; its limit with small
    fixed steps is that of l2.
    optima: (3, 2), the largest margins in l1, l2 and l_inf.
    """

    w: Tensor
    predicted: Tensor
    optima: Tensor


@functools.cache
@threads()
def directions() -> Found:
    """All `OPTIMIZERS` on `three_answers` from w = 0 with the exponential loss, after
    each of `STEPS`.

    Gradient, coordinate and sign descent and AdaGrad take steps over the loss, Adam
    steps that decay like k^-1/4.
    """
    data, M = three_answers(), len(OPTIMIZERS)
    maps: tuple[Direction, ...] = (
        Gradient(),
        Steepest(1),
        Steepest(math.inf),
        AdaGrad(),
        Adam(0.5, 0.5, torch.tensor([0.0, 1e-8]).double()),
    )
    sizes = torch.tensor([0.05, 0.05, 0.02, 0.05, 0.1, 0.1]).double()
    powers = torch.tensor([0, 0, 0, 0, 0.25, 0.25]).double()
    scaled = torch.tensor([True] * 4 + [False] * 2)
    run = descend(
        Objective(Linear(data.signed), Exponential()),
        torch.zeros(M, 2).double(),
        decaying(sizes, powers, over=300.0, over_loss=scaled),
        steps=STEPS,
        direction=Grouped(
            tuple((one, 2 if k == 4 else 1) for k, one in enumerate(maps))
        ),
    )
    optima = {
        p: norm_max_margin(data.X, data.y, p).primal for p in (1.0, 2.0, math.inf)
    }
    scale = AdaGrad.preconditioner(run.memory[3])[0].sqrt()
    weighted = max_margin(data.X / scale, data.y).primal / scale
    predicted = torch.stack(
        [optima[_NORM[name]] if name in _NORM else weighted for name in OPTIMIZERS]
    )
    return Found(run.theta, predicted, torch.stack(list(optima.values())))


def _degrees(v: Tensor) -> float:
    """Angle between a vector (2,) and the horizontal axis."""
    return abs(math.degrees(math.atan2(float(v[1]), float(v[0]))))


def explore_direction(optimizer: str, steps: int) -> tuple[Figure, str]:
    """The line and the direction of w that an optimizer has reached, against its
    predicted limit.
    """
    found, data, m = directions(), three_answers(), OPTIMIZERS.index(optimizer)
    w, predicted = found.w[STEPS.index(steps), m], found.predicted[m]
    fig, (left, right) = figure(2, height=3.3)
    plot_separators(
        left,
        data.X.numpy(),
        data.y.numpy(),
        w.numpy(),
        predicted.numpy(),
        reach=(4.4, 3.6),
        title="The decision line",
    )
    plot_unit_balls(right, w.numpy(), [row.numpy() for row in found.optima])
    after = (
        ", that in the l2 norm, its limit with small fixed steps, at "
        f"{_degrees(found.optima[1]):.1f}"
        if optimizer == "Adam, epsilon 1e-8"
        else ""
    )
    return fig, (
        f"{optimizer[0].upper()}{optimizer[1:]} after {steps:,} steps points "
        f"{_degrees(w):.1f} degrees above the horizontal axis. The largest margin in "
        f"{_goal(optimizer)} is at {_degrees(predicted):.1f} degrees{after}."
    )


def _goal(optimizer: str) -> str:
    """The norm of the predicted limit, in words."""
    if optimizer == "AdaGrad":
        return "its own limiting norm"
    return f"the {_WORDS[_NORM[optimizer]]} norm"
