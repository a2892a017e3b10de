"""Networks on digits with true and with random labels, trained to levels of the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ibcore.dynamics.directions import Momentum
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Rollback
from ibcore.losses import SoftmaxCrossEntropy
from ibcore.measures.complexity import frobenius_complexity, spectral_complexity
from ibcore.measures.margins import multiclass_margins
from ibcore.models.network import Network


def he_start(net: Network, batch: int, generator: torch.Generator) -> Tensor:
    """Normal matrices of variance 2/columns, (B, P), drawn on the CPU (He et al. 2015), of a network without biases."""
    draws = [
        torch.randn(batch, *shape, generator=generator, dtype=torch.float64)
        * math.sqrt(2 / shape[1])
        for shape in net.shapes
    ]
    return torch.cat([draw.flatten(1) for draw in draws], -1).to(net.inputs)


def train_to(
    losses: Sequence[float], net: Network, y: Tensor, start: Tensor, step_size: float
) -> Mapping[str, Tensor]:
    """What B networks are when their mean cross entropy first is at most each of the K `losses`, NaN if it never is.

    net: on inputs (B, n, d).      y: labels (B, n).      start: (B, P).
    Heavy ball with steps over the loss, which make up for the slope of the cross entropy that falls with it; a step
    after which the loss has risen by half is undone, and training goes on at half the step size from rest.
    Returns `margins`, (K, B, n), and the complexities `spectral` and `frobenius`, (K, B).
    """
    run = descend(
        Objective(net, SoftmaxCrossEntropy(), y, shared=False),
        start,
        Rollback(step_size, grow=1.0, shrink=2.0, rise=1.5, restart=True),
        log_loss=[math.log(loss) for loss in losses],
        direction=Momentum(0.9),
        watch={
            "margins": lambda at, _: multiclass_margins(
                at.outputs, at.objective.targets
            ),
            "spectral": lambda at, _: spectral_complexity(net.matrices(at.theta)),
            "frobenius": lambda at, _: frobenius_complexity(net.matrices(at.theta)),
        },
        max_steps=3000,
    )
    return run.watched
