"""One function, many networks: rescale the layers and look at the loss around them."""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.objective import Objective
from ibcore.figures import figure
from ibcore.losses import Square
from ibcore.measures.sharpness import largest_eigenvalues
from ibcore.models.network import Network, joined
from ibcore.pages.dynamical_stability.flat_minima.figures import (
    plot_function,
    plot_slice,
)
from ibcore.pages.dynamical_stability.flat_minima.runs import (
    rescaled,
    with_ones,
)

EXPLORED_FACTORS = (0.125, 0.25, 0.5, 0.71, 1.0, 1.41, 2.0, 4.0, 8.0)
DISTANCES = (0.05, 0.2, 0.5)
NEURONS = 20
_MOST = 1.0  # the loss up to which a slice is drawn


def line_points() -> tuple[Tensor, Tensor]:
    """Six points (6, 1) on the line, and their targets (6,)."""
    x = torch.tensor([-1.0, -0.6, -0.25, 0.2, 0.55, 1.0], dtype=torch.float64)
    y = torch.tensor([0.2, 0.9, 0.1, -0.5, 0.3, 0.6], dtype=torch.float64)
    return x[:, None], y


@functools.cache
def line_network() -> tuple[Objective, Tensor]:
    """A ReLU network with twenty random hidden neurons and the shortest output weights
    that fit the points, (1, P).

    Training all weights would draw kinks onto the points, where there is no Hessian.
    """
    x, y = line_points()
    model = Network(with_ones(x), (NEURONS,), "relu", biases=False)
    theta = model.normal(1, torch.Generator().manual_seed(4))
    hidden, output = model.matrices(theta)
    features = torch.relu(model.inputs @ hidden[0].mT)
    output = (torch.linalg.pinv(features) @ y).expand_as(output)
    return Objective(model, Square(), y), joined([hidden, output])


@functools.cache
def sharpest(c: float) -> tuple[Tensor, Tensor, float]:
    """Rescaled parameters (P,), the sharpest direction there, and the sharpness."""
    objective, theta = line_network()
    moved = rescaled(objective.model, theta, torch.tensor([c]).to(theta))  # type: ignore[arg-type]
    start = torch.randn(
        moved.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    found = largest_eigenvalues(objective.curvature(moved), start, tolerance=1e-8)
    return moved[0], found.vectors[0, 0], float(found.values[0, 0])


def losses(c: float, distance: Tensor) -> Tensor:
    """The loss at these distances (K,) from the network rescaled by c, along its
    sharpest direction.
    """
    objective, _ = line_network()
    theta, direction, _ = sharpest(c)
    return objective.mean(theta + distance[:, None] * direction)


def explore_rescaling(c: float, reach: float) -> tuple[Figure, str]:
    """The function of the network with its hidden layer times c and its output layer
    over c, and the loss around it.
    """
    x, y = line_points()
    grid = torch.linspace(-1.15, 1.15, 240, dtype=torch.float64)
    model = Network(with_ones(grid[:, None]), (NEURONS,), "relu", biases=False)
    distance = torch.linspace(-reach, reach, 161, dtype=torch.float64)
    after, before = (model.outputs(sharpest(k)[0][None])[0] for k in (c, 1.0))
    fig, (left, right) = figure(2, height=3.2)
    plot_function(
        left,
        grid.numpy(),
        after.numpy(),
        before.numpy(),
        x[:, 0].numpy(),
        y.numpy(),
    )
    plot_slice(
        right,
        distance.numpy(),
        losses(c, distance).numpy(),
        losses(1.0, distance).numpy(),
        _MOST,
    )
    ratio = sharpest(c)[2] / sharpest(1.0)[2]
    edge = float(losses(c, distance[-1:]))
    return fig, (
        f"Hidden layer times {c:g}, output layer over {c:g}: the function is the same, "
        f"and the sharpness is {ratio:.2g} times that at c = 1. At the distance "
        f"{reach:g} the loss is {edge:.2g}."
    )
