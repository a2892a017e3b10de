"""Linear networks of several depths watched while they turn, and while their layers
lose rank.
"""

from __future__ import annotations

import functools
import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.figures import figure, plot_separators
from ibcore.losses import Exponential
from ibcore.measures.directions import sin_angle
from ibcore.models.deep_linear import DeepLinear, random_start
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.pages.classification.linear_networks.fully_connected.figures import (
    plot_spectra,
)
from ibcore.pages.classification.linear_networks.fully_connected.runs import (
    WIDTH,
    follow,
)
from ibcore.problems.separable import Classification
from ibcore.threads import threads

DEPTHS = (1, 2, 3, 4)
SCALES = (0.1, 1.0)
LOG_LOSSES = (-4.0, -100.0, -1e6)


def leaning_clouds() -> Classification:
    """Twelve points in the plane with the max-margin direction (1, 0), their mean
    difference leaning upwards.

    The support vectors are (1, 0) and its opposite: they span a line and not the plane.
    """
    cloud = torch.tensor(
        [[1.0, 0.0], [1.5, 2.2], [2.1, 1.6], [1.7, 2.8], [2.7, 0.9], [2.4, 2.3]],
        dtype=torch.float64,
    )
    return Classification(
        torch.cat([cloud, -cloud]), torch.cat([torch.ones(6), -torch.ones(6)]).double()
    )


@functools.cache
def trained(depth: int) -> tuple[DeepLinear, Tensor, MaxMargin]:
    """A network of `depth` from a start of each of `SCALES` at `LOG_LOSSES`: parameters
    (K, scales, P).
    """
    data = leaning_clouds()
    model = DeepLinear(data.signed, (WIDTH,) * (depth - 1))
    unit = random_start(model, 1, 1.0, torch.Generator().manual_seed(depth))
    start = torch.cat([scale * unit for scale in SCALES])
    run = follow(model, Exponential(), start, LOG_LOSSES)
    return model, run.theta, max_margin(data.X, data.y)


def explore_network(depth: int, scale: float, log_loss: float) -> tuple[Figure, str]:
    """The decision line of the network beside the singular values of its hidden layers."""
    model, thetas, best = trained(depth)
    theta = thetas[LOG_LOSSES.index(log_loss), SCALES.index(scale)]
    w, degrees = model.end_to_end(theta), degrees_off(depth, scale, log_loss)
    spectra = [
        torch.linalg.svdvals(layer).numpy() for layer in model.matrices(theta)[:-1]
    ]
    data = leaning_clouds()
    fig, (left, right) = figure(2, height=3.1)
    plot_separators(
        left,
        data.X.numpy(),
        data.y.numpy(),
        w.numpy(),
        best.primal.numpy(),
        reach=(3.4, 3.2),
        title="The decision line",
    )
    plot_spectra(right, spectra)
    sentence = f"Depth {depth} at log L = {log_loss:,.0f}: the line is {degrees:.2g} degrees from the max-margin line"
    if spectra:
        worst = max(float(values[1] / values[0]) for values in spectra)
        sentence += (
            f", and the second singular value is at most {worst:.2g} of the first"
        )
    return fig, sentence + "."


@threads()
def degrees_off(depth: int, scale: float, log_loss: float) -> float:
    """The angle to the max-margin direction in degrees, for values of `DEPTHS`,
    `SCALES` and `LOG_LOSSES`.
    """
    model, thetas, best = trained(depth)
    theta = thetas[LOG_LOSSES.index(log_loss), SCALES.index(scale)]
    sine = sin_angle(model.end_to_end(theta), best.primal)
    return math.degrees(float(sine.clamp(max=1).asin()))


@threads()
def compare_routes(depth: int, steps: int) -> list[tuple[str, float, float]]:
    """Gradient descent and the flow on `leaning_clouds`: name, log L, degrees to the
    max-margin direction.

    Descent takes `steps` steps of size 0.05, the flow goes to log L = -1e10, both from
    the smaller of the explorer's starts.
    """
    data = leaning_clouds()
    model = DeepLinear(data.signed, (WIDTH,) * (depth - 1))
    best = max_margin(data.X, data.y).primal
    start = SCALES[0] * random_start(
        model, 1, 1.0, torch.Generator().manual_seed(depth)
    )
    objective = Objective(model, Exponential())
    runs = {
        "gradient descent": descend(
            objective, start, constant(0.05), steps=[steps], max_seconds=math.inf
        ),
        "log-time flow": follow(model, Exponential(), start, -1e10),
    }
    return [
        (
            name,
            float(run.log_loss[-1, 0]),
            math.degrees(float(sin_angle(model.end_to_end(run.theta[-1, 0]), best))),
        )
        for name, run in runs.items()
    ]
