"""Networks watched while they become simple."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import loss_scaled
from ibcore.figures.simple_predictors import draw_kink_bars, draw_line_network
from ibcore.figures.style import figure
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.measures.linear_regions import Kinks, merged_kinks, neuron_kinks
from ibcore.models.homogeneous import LeakyReLU, TwoLayer, joined
from ibcore.models.margins import Margins
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.clusters import Clusters, alternating_clusters
from ibcore.problems.separable import Classification

STEPS = (0, 100, 250, 500, 1000, 2000)
WIDTHS = (20, 50, 300)
_CHANGES = 4


@dataclass(frozen=True)
class Bending:
    """A univariate network after the numbers of steps in `STEPS`: weights (K, P) and log L (K,)."""

    problem: Clusters
    net: TwoLayer
    theta: Tensor
    log_loss: Tensor

    def kinks(self, stage: int) -> Kinks:
        """Kinks between the outermost points, those within 0.1 gaps merged."""
        a, w = self.net.layers(self.theta[stage])
        x = self.problem.x
        return merged_kinks(
            *neuron_kinks(a, w), float(x.min()), float(x.max()), 0.1 * self.problem.gap
        )

    def values(self, grid: Tensor, stage: int) -> Tensor:
        """f over its mean absolute value at the data points, on `grid` (k,)."""
        theta = self.theta[stage][None]
        on_grid = TwoLayer(
            torch.stack([grid, torch.ones_like(grid)], -1),
            self.net.width,
            self.net.activation,
        )
        return on_grid.outputs(theta)[0] / self.net.outputs(theta).abs().mean()


@functools.cache
def bending(width: int) -> Bending:
    """Loss-scaled descent (step 0.02) from a random start on five clusters of five points."""
    generator = torch.Generator().manual_seed(4)
    problem = alternating_clusters(_CHANGES, 5, generator)
    draw = (
        torch.randn(width, 3, generator=generator, dtype=torch.float64) * 2 / width**0.5
    )
    net = TwoLayer(problem.X, width, LeakyReLU())
    margins = Margins(net, problem.y)
    run = descend(
        Objective(margins, Exponential()),
        joined(draw[:, 0], draw[:, 1:])[None],
        loss_scaled(0.02),
        steps=STEPS,
    )
    return Bending(problem, net, run.theta[:, 0], run.log_loss[:, 0])


def draw_bending(steps: int, width: int) -> tuple[Figure, str]:
    """The network after a number of steps above the jumps of its slope."""
    run, k = bending(width), STEPS.index(steps)
    kinks = run.kinks(k)
    grid = torch.linspace(-2.2, 2.2, 300, dtype=torch.float64)
    fig, (top, bottom) = figure(rows=2, height=4.4, sharex=True, height_ratios=[2, 1])
    draw_line_network(
        top,
        grid.numpy(),
        run.values(grid, k).numpy(),
        run.problem.x.numpy(),
        run.problem.y.numpy(),
    )
    draw_kink_bars(bottom, kinks.positions.numpy(), kinks.jumps.numpy())
    right = int((run.net.outputs(run.theta[k][None])[0] * run.problem.y > 0).sum())
    return fig, (
        f"{width} neurons after {steps:,} steps, log loss {float(run.log_loss[k]):.1f}: "
        f"{right} of {len(run.problem.y)} points right, {kinks.regions(1e-2)} linear pieces between the "
        f"outermost points; {_CHANGES} are needed."
    )


def class_sines(
    data: Classification,
    width: int,
    log_loss: Sequence[float],
    generator: torch.Generator,
) -> dict[int, Tensor]:
    """sin of the angle of each neuron of a class to the max margin classifier of that class alone.

    Gradient flow of a two-layer ReLU network from a balanced start of size 1e-3, to the K losses of `log_loss`.
    Returns (K, width / 2) for +1, whose neurons have positive output weights, and for -1.
    """
    net = TwoLayer(data.X, width, LeakyReLU())
    w = 1e-3 * torch.randn(
        width, net.features, generator=generator, dtype=torch.float64
    )
    signs = torch.ones(width, dtype=torch.float64)
    signs[1::2] = -1
    start = torch.cat([w.norm(dim=-1) * signs, w.flatten()])[None]
    run = flow(Margins(net, data.y), Exponential(), start, log_loss=log_loss)
    weights = torch.stack([net.layers(theta[0])[1] for theta in run.theta])
    found = {}
    for sign in (1, -1):
        points = data.X[data.y == sign]
        best = max_margin(points, torch.ones(len(points)).double()).primal
        found[sign] = sin_angle(weights[:, signs == sign], best)
    return found
