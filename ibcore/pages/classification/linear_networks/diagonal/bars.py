"""A bar that both claims on diagonal networks use."""

from __future__ import annotations

import math

from torch import Tensor

from ibcore.dynamics.trajectory import Trajectory
from ibcore.models.diagonal import Diagonal
from ibcore.oracles.woodworth import (
    guaranteed_l1_ratio,
)


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
