"""A leaky ReLU network in the plane, watched while it becomes linear or does not."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.log_time import flow
from ibcore.figures import figure
from ibcore.losses import Exponential
from ibcore.measures.neurons import linear_share
from ibcore.models.activations import LeakyReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.pages.classification.homogeneous_networks.simple_predictors.figures import (
    plot_around,
    plot_levels,
)
from ibcore.problems.separable import Classification, planted_margin

STAGES = (0, 1, 10, 100, 10_000)  # log(1/L), 0 for the start
LENGTHS = (1.0, 1.5, 3.0)
_WIDTH, _START, _ANGLES = 20, 0.3, 180


@dataclass(frozen=True)
class Mirrored:
    """A network on points and their mirror images, its weights (K, P) at `STAGES`."""

    data: Classification
    net: Network
    theta: Tensor

    def around(self, stage: int) -> tuple[Tensor, Tensor]:
        """Points of the unit circle (k, 2) and f there, (k,)."""
        angles = torch.linspace(0, 2 * math.pi, _ANGLES + 1, dtype=torch.float64)
        circle = torch.stack([angles.cos(), angles.sin()], -1)
        return circle, self.net.on(circle).outputs(self.theta[stage][None])[0]

    def bend(self, stage: int) -> float:
        """Root of the share of f^2 on the circle that no linear function explains."""
        circle, values = self.around(stage)
        share = linear_share(circle[:-1], values[:-1])
        return float((1 - share).clamp_min(0).sqrt())


@functools.cache
def training(length: float) -> Mirrored:
    """Gradient flow on five points and mirror images `length` times as long."""
    generator = torch.Generator().manual_seed(0)
    half = planted_margin(5, 2, 0.3, generator)
    X, y = torch.cat([half.X, -length * half.X]), torch.cat([half.y, -half.y])
    net = Network(X, (_WIDTH,), LeakyReLU(0.3), biases=False)
    normal = torch.randn(1, net.dimension, generator=generator, dtype=torch.float64)
    start = _START * normal.roll(-_WIDTH, -1)  # output weights are drawn first
    stops = [-float(stage) for stage in STAGES[1:]]
    run = flow(Margins(net, y), Exponential(), start, log_loss=stops, tolerance=1e-4)
    return Mirrored(Classification(X, y), net, torch.cat([start, run.theta[:, 0]]))


def explore_mirrors(stage: int, length: float) -> tuple[Figure, str]:
    """Level lines of the network in the plane, and its values on the unit circle."""
    run, k = training(length), STAGES.index(stage)
    circle, values = run.around(k)
    fig, (left, right) = figure(2, height=3.4)
    points, labels = run.data.X.numpy(), run.data.y.numpy()
    plot_levels(left, circle.numpy(), values.numpy(), points, labels)
    plot_around(right, values.numpy())
    moment = f"at log(1/L) = {stage:,}" if stage else "at the start"
    return fig, (
        f"Mirror images {length:g} times as long, {moment}: {100 * run.bend(k):.2g} % "
        "of the size of f is not linear."
    )
