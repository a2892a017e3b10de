"""A univariate network watched while it straightens."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import loss_scaled
from ibcore.figures import figure
from ibcore.losses import Exponential
from ibcore.measures.linear_regions import Kinks, merged_kinks, neuron_kinks
from ibcore.models.margins import Margins
from ibcore.models.network import Network, of_neurons
from ibcore.pages.classification.homogeneous_networks.univariate_networks.figures import (
    plot_kink_bars,
    plot_line_network,
)
from ibcore.pages.classification.homogeneous_networks.univariate_networks.runs import (
    relu_network,
)
from ibcore.problems.clusters import Clusters, alternating_clusters

STEPS = (0, 100, 250, 500, 1000, 2000)
WIDTHS = (20, 50, 300)
_CHANGES = 4


@dataclass(frozen=True)
class Bending:
    """A univariate network after all of `STEPS`: weights (K, P) and log L (K,)."""

    problem: Clusters
    net: Network
    theta: Tensor
    log_loss: Tensor

    def kinks(self, stage: int) -> Kinks:
        """Kinks between the outermost points, those within 0.1 gaps merged."""
        kinks = neuron_kinks(*self.net.neurons(self.theta[stage]))
        x, radius = self.problem.x, 0.1 * self.problem.gap
        return merged_kinks(*kinks, float(x.min()), float(x.max()), radius)

    def values(self, grid: Tensor, stage: int) -> Tensor:
        """f over its mean absolute value at the data points, on `grid` (k,)."""
        theta = self.theta[stage][None]
        points = torch.stack([grid, torch.ones_like(grid)], -1)
        return (
            self.net.on(points).outputs(theta)[0] / self.net.outputs(theta).abs().mean()
        )


@functools.cache
def bending(width: int) -> Bending:
    """Loss-scaled descent (step 0.02) from a random start on five clusters."""
    generator = torch.Generator().manual_seed(4)
    problem = alternating_clusters(_CHANGES, 5, generator)
    draw = torch.randn(width, 3, generator=generator, dtype=torch.float64)
    draw = draw * 2 / width**0.5
    net = relu_network(problem.X, width)
    run = descend(
        Objective(Margins(net, problem.y), Exponential()),
        of_neurons(draw[:, 0], draw[:, 1:])[None],
        loss_scaled(0.02),
        steps=STEPS,
    )
    return Bending(problem, net, run.theta[:, 0], run.log_loss[:, 0])


def explore_bending(steps: int, width: int) -> tuple[Figure, str]:
    """The network after a number of steps above the jumps of its slope."""
    run, k = bending(width), STEPS.index(steps)
    kinks = run.kinks(k)
    grid = torch.linspace(-2.2, 2.2, 300, dtype=torch.float64)
    x, y = run.problem.x.numpy(), run.problem.y.numpy()
    fig, (top, bottom) = figure(rows=2, height=4.4, sharex=True, height_ratios=[2, 1])
    plot_line_network(top, grid.numpy(), run.values(grid, k).numpy(), x, y)
    plot_kink_bars(bottom, kinks.positions.numpy(), kinks.jumps.numpy())
    right = int((run.net.outputs(run.theta[k][None])[0] * run.problem.y > 0).sum())
    return fig, (
        f"{width} neurons after {steps:,} steps, log loss "
        f"{float(run.log_loss[k]):.1f}: {right} of {len(run.problem.y)} points right, "
        f"{kinks.regions(1e-2)} linear pieces between the outermost points; {_CHANGES} "
        "are needed."
    )
