"""Networks that are trained for a time, and how far they are from their limit of
infinite width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.pages.further.lazy_training.runs import (
    Start,
    Tasks,
    averaged,
    breakdowns,
    circle_start,
)


@dataclass(frozen=True)
class Limits:
    """Networks of M widths after the same time, on B tasks.

    moved: (M, B), log relative movement of the first layer, mean over starts.
    least: (S,), as of `Widths`.
    apart: (M - 1, B), log distance of predictors of two adjacent widths at new inputs,
    root mean square over pairs.
    loss: (M, B), mean over starts of the mean square over that of the targets.
    """

    moved: Tensor
    apart: Tensor
    loss: Tensor
    over_least: Tensor
    broken: tuple[str, ...]


def train_for_a_time(tasks: Tasks, factor: float, steps: int) -> Limits:
    """So many steps of 1 / (2 max |u|^2) towards the targets m^factor y; what is found
    is f m^-factor.
    """
    moved, found, losses, least, broken = [], [], [], [], []
    for width, seeds in zip(tasks.widths, tasks.seeds, strict=True):
        count = len(seeds) // len(tasks.X)
        part = tasks.repeated(count)
        start = Start.of(part.X, circle_start(seeds, width, part.X), width)
        y = part.y * width**factor
        run = descend(
            Objective(start.model, Square(), y, shared=False),
            start.theta,
            constant(0.5 / (part.X.square().sum(-1).amax(-1) + 1)),
            steps=[steps],
            max_seconds=math.inf,
        )
        theta = run.theta[0]
        moved.append(averaged(start.movements(theta)[1], count))
        outputs = start.model.on(part.new).outputs(theta) / width**factor
        found.append(outputs.unflatten(0, (-1, count)))
        share = run.log_loss[0].exp() / y.square().mean(-1)
        losses.append(share.unflatten(0, (-1, count)).mean(-1))
        least.append(start.over_least(theta))
        broken += [f"width {width}: {why}" for why in breakdowns(run)]
    apart = [_apart(*pair) for pair in pairwise(found)]
    return Limits(
        torch.stack(moved),
        torch.stack(apart),
        torch.stack(losses),
        torch.cat(least),
        tuple(broken),
    )


def _apart(narrow: Tensor, wide: Tensor) -> Tensor:
    """log of the root mean square distance of predictors (B, R, k) and (B, S, k), over
    all pairs, (B,).
    """
    pairs = narrow[:, :, None] - wide[:, None]
    return pairs.square().mean((1, 2, 3)).log() / 2
