"""Two ReLU neurons walk over the landscape of their margin, and are caught or not."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ibcore.dynamics.log_time import flow
from ibcore.figures import figure
from ibcore.losses import Exponential
from ibcore.models.network import of_neurons
from ibcore.oracles.margin_trap import BEST, TRAP, landscape
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.figures import (
    plot_landscape,
    plot_rise,
    plot_walk,
)
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.networks import (
    network,
    normalized_margin,
)
from ibcore.problems.plane import shallow_pair

Array = NDArray[np.float64]

ANGLES = (-30, 0, 30, 60, 90, 120, 180, 240, 260, 270)
SIZES = (0.1, 1.0)
FIRST = 80.0  # degrees, the first neuron's start; it sees both points
_STOPS = (
    -0.01,
    -0.03,
    -0.1,
    -0.2,
    -0.3,
    -0.5,
    -0.7,
    -1.0,
    -1.5,
    -2.0,
    -3.0,
    -5.0,
    -10.0,
    -30.0,
    -1e2,
    -1e3,
    -1e4,
)
_ALONG = math.degrees(math.atan(1 / 4))


@functools.cache
def walks(size: float) -> tuple[Array, Array, Array]:
    """For every start of `ANGLES`: angles of both neurons in degrees (K, B, 2), margins
    (K, B), log(1/L) (K, B).
    """
    model = network(shallow_pair(), 2)
    radians = torch.deg2rad(
        torch.tensor([[FIRST, angle] for angle in ANGLES], dtype=torch.float64)
    )
    w = size * torch.stack([radians.cos(), radians.sin()], -1)
    begin = of_neurons(torch.full((len(ANGLES), 2), size, dtype=torch.float64), w)
    run = flow(
        model,
        Exponential(),
        begin,
        log_loss=list(_STOPS),
        tolerance=1e-4,
        max_steps=400,
    )
    states = torch.cat([begin[None], run.theta])
    margins = normalized_margin(model, states)
    weights = states[..., :4].unflatten(-1, (2, 2))
    angles = torch.rad2deg(torch.atan2(weights[..., 1], weights[..., 0]))
    start = torch.logsumexp(-model.outputs(begin), -1) - math.log(2)
    return (
        angles.numpy(),
        margins.numpy(),
        -torch.cat([start[None], run.log_loss]).numpy(),
    )


def explore_trap(angle: int, size: float) -> tuple[Figure, str]:
    """The walk on the landscape beside the normalized margin over log(1/L)."""
    angles, margins, depths = (part[:, ANGLES.index(angle)] for part in walks(size))
    kept = np.isfinite(margins)
    fig, (left, right) = figure(2, height=3.5)
    first, second = np.linspace(0, 180, 46), np.linspace(-100, 280, 96)
    plot_landscape(
        left, first, second, landscape(*np.radians(np.meshgrid(first, second)))
    )
    walk = np.degrees(np.unwrap(np.radians(angles[kept]), axis=0))
    lift = 360.0 * (walk[0, 1] < -100) - 360.0 * (walk[0, 1] > 280)
    plot_walk(
        left,
        walk[:, 0],
        walk[:, 1] + lift,
        ((_ALONG, 180 - _ALONG), (180 - _ALONG, _ALONG)),
    )
    plot_rise(right, np.maximum(depths[kept], 1e-2), margins[kept], TRAP, BEST)
    return fig, _sentence(angle, size, float(margins[kept][-1]))


def _sentence(angle: int, size: float, margin: float) -> str:
    where = f"Second neuron started at {angle} degrees, size {size:g}: "
    if abs(margin / TRAP - 1) < 1e-2:
        return (
            where
            + f"the margin ends at {margin:.3f}, at a KKT point that is not the optimum."
        )
    if abs(margin / BEST - 1) < 1e-2:
        return where + f"the margin ends at {margin:.3f}, the largest possible."
    return where + f"the margin has reached {margin:.3f}."
