"""Gradient flow on diagonal networks, followed by log L, and what is proved of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.losses import Exponential
from ibcore.models.diagonal import Diagonal
from ibcore.oracles.woodworth import guaranteed_l1_ratio


def follow(
    model: Diagonal, start: Tensor, levels: Sequence[float], tolerance: float = 1e-6
) -> Trajectory:
    """Gradient flow on the exponential loss from `start` (B, P) to `levels` of log L,
    however long it takes.
    """
    return flow(
        model,
        Exponential(),
        start,
        log_loss=levels,
        tolerance=tolerance,
        max_seconds=math.inf,
    )


def normalized(model: Diagonal, theta: Tensor) -> Tensor:
    """beta over its least margin, (B, d)."""
    return model.coefficients(theta) / model.outputs(theta).amin(-1, keepdim=True)


def guaranteed_ratio(
    model: Diagonal, run: Trajectory, early: int, scale: Tensor
) -> Tensor:
    """The share of the largest l1 margin proved for the last stop of `run` from its
    stop `early`, (B,).
    """
    sizes, points = run.theta.square().sum(-1), model.inputs.shape[-2]
    return guaranteed_l1_ratio(
        sizes[early],
        sizes[-1],
        -run.log_loss[early] - math.log(points),
        scale,
        points,
    )
