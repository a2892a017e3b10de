"""One hidden neuron in the plane, by its imbalance and by where it starts."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from ibcore.figures import figure
from ibcore.oracles.neuron import regularizer
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.figures import (
    plot_levels,
    plot_path,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.plane import (
    INPUT,
    TARGET,
    trained,
)

IMBALANCES = (0.0, 1.0, 5.0, 100.0)
ANGLES = (60, 110, 160, 250)


def explore_neuron(imbalance: float, angle: int) -> tuple[Figure, str]:
    """The path of u = a w over the level lines of the regularizer of this start."""
    run = trained(imbalance, angle)
    across, up = np.meshgrid(np.linspace(-2.2, 3.8, 61), np.linspace(-2.2, 2.8, 51))
    points = torch.from_numpy(np.stack([across.ravel(), up.ravel()], -1))
    delta = torch.full((len(points),), imbalance, dtype=torch.float64)
    values = regularizer(points, delta, run.start).numpy().reshape(across.shape)
    fig, ax = figure(height=4.0)
    best = run.best.numpy()
    plot_levels(ax, (across, up, values), best)
    line = np.array(INPUT), TARGET
    plot_path(ax, run.path.numpy(), best, run.shortest.numpy(), line)
    away = float((run.best - run.shortest).norm())
    return fig, (
        f"Imbalance {imbalance:g}, start at {angle} degrees: the path ends where Q is "
        f"least on the line of zero loss, {away:.2f} from the shortest."
    )
