"""Laziness at a fixed width: the output is multiplied by a scale alpha, which is made
large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.pages.further.lazy_training.runs import (
    Start,
    Tasks,
    circle_start,
    distance,
)

_MOST_STEPS = 40_000


def safe_scale(start: Start, y: Tensor, new: Tensor) -> Tensor:
    """A scale alpha (B,) above which no neuron of the linear model comes to a kink at
    any input, on its way to y.

    With K = Q diag(lambda) Q^T and steps below n / lambda_max, a pre-activation moves
    by sum_k c_k (1 - e_k) with e_k in [0, 1], at most sum_k |c_k|; alpha divides it.
    """
    points = torch.cat([start.model.inputs, new], -2)
    everywhere = start.model.on(points)
    w, b = start.model.hidden(start.theta)
    z = points @ w.mT + b[:, None]
    values, Q = torch.linalg.eigh(start.kernel)
    modes = Q * ((Q.mT @ y[..., None])[..., 0] / values)[:, None]
    moves = modes.mT @ start.jacobian
    reach = torch.zeros_like(z)
    for mode in moves.unbind(1):
        dw, db = everywhere.hidden(mode)
        reach += (points @ dw.mT + db[:, None]).abs()
    return (reach / z.abs()).flatten(1).amax(-1)


def far_starts(
    tasks: Tasks, width: int, seeds: Sequence[int], *, paired: bool
) -> tuple[Tensor, Tensor]:
    """Of several starts a task, one a seed, that with the least safe scale: starts (B,
    P) and scales (B,).
    """
    part = tasks.repeated(len(seeds) // len(tasks.X))
    theta = circle_start(seeds, width, part.X, paired=paired)
    scales = safe_scale(Start.of(part.X, theta, width), part.y, part.new)
    shape = len(tasks.X), -1
    least, place = scales.unflatten(0, shape).min(-1)
    rows = torch.arange(len(place), device=place.device)
    return theta.unflatten(0, shape)[rows, place], least


def gaps_by_scale(
    tasks: Tasks, theta: Tensor, width: int, alphas: Tensor, share: float = 0.5
) -> Tensor:
    """Gaps (F, B) of alpha (f - f_0), with f - f_0 fitted to y / alpha, to the
    regression with the kernel at the start.

    theta: (B, P), starts.      alphas: (F, B).      share: of the stable step.
    """
    found = scaled_outputs(tasks, theta, width, alphas.flatten(), share)
    start = Start.of(tasks.X, theta, width)
    expected = start.regression(tasks.y, tasks.new).repeat(len(alphas), 1)
    return distance(found, expected).unflatten(0, (len(alphas), -1))


def scaled_outputs(
    tasks: Tasks, theta: Tensor, width: int, alphas: Tensor, share: float = 0.5
) -> Tensor:
    """alpha (f - f_0) at the new inputs, (F B, k), for scales alphas (F B,) and the
    starts theta (B, P).
    """
    count = len(alphas) // len(theta)
    parts = [
        p.repeat(count, *[1] * (p.ndim - 1)) for p in (tasks.X, tasks.y, tasks.new)
    ]
    many = replace(tasks, X=parts[0], y=parts[1], new=parts[2])
    start = Start.of(many.X, theta.repeat(count, 1), width)
    targets = start.model.outputs(start.theta) + many.y / alphas[:, None]
    run = descend(
        Objective(start.model, Square(), targets, shared=False),
        start.theta,
        constant(start.step_size(share)),
        steps=[_steps(start, share)],
        max_seconds=math.inf,
    )
    new = start.model.on(many.new)
    return alphas[:, None] * (new.outputs(run.last) - new.outputs(start.theta))


def _steps(start: Start, share: float) -> int:
    """Steps after which the slowest mode of every member is below 1e-12 of its start."""
    values = torch.linalg.eigvalsh(start.kernel)
    slowest = (2 * share * values[:, 0] / values[:, -1]).amin()
    return int((28 / slowest).ceil().clamp(max=_MOST_STEPS))
