"""A spline that gets simpler as the step grows."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.models.network import Network
from ibcore.oracles.stable_functions import most_bends
from ibcore.pages.dynamical_stability.function_space.figures import (
    plot_bends,
    plot_spline,
)
from ibcore.pages.dynamical_stability.function_space.runs import (
    CALM,
    NEURONS,
    SPLINE_GROWTH,
    Splines,
    minima,
    sine_points,
    spline_runs,
    splines,
)

ROUGH = 10.0  # times PyTorch's default start
TIMES = (1, 10, 15, 20, 30, 50, 80, 120, 200)


@dataclass(frozen=True)
class Frames:
    """Settled minima for each of `TIMES`: functions on the grid (k, G), steps and
    integrals (k,), and the start's.
    """

    problem: Splines
    grid: Tensor
    start: Tensor
    functions: Tensor
    steps: Tensor
    bends: Tensor


@functools.cache
def frames() -> Frames:
    """One wiggly network, its step growing, settled from the last fitted stage at or
    before each factor.
    """
    problem = splines(sine_points([1], torch.device("cpu")), [1], ROUGH)
    generator = torch.Generator().manual_seed(0)
    start, stages, _ = spline_runs(problem, generator)
    growth = torch.log(torch.tensor(TIMES).double())
    wanted = 1 + (growth / math.log(SPLINE_GROWTH.factor)).round().long()
    order = torch.arange(len(stages.step))[:, None]
    before = (stages.fitted[:, 0] * (order[:, 0] <= wanted[:, None])).long()
    chosen = (before * order[:, 0]).amax(-1)
    theta = stages.theta[chosen, 0]
    several = problem.repeated(len(TIMES))
    settled = minima(several, theta, CALM * stages.step[chosen, 0], generator)
    grid = torch.linspace(
        float(problem.x.min()), float(problem.x.max()), 401, dtype=torch.float64
    )
    network = Network(grid[:, None], (NEURONS,), "relu")
    return Frames(
        problem,
        grid,
        network.outputs(start.theta)[0],
        network.outputs(settled.theta),
        settled.step,
        settled.bends,
    )


def explore_spline(times: int) -> tuple[Figure, str]:
    """The function after the step has grown, with the start behind it, and beside it
    the integral and its bound.
    """
    found, at = frames(), TIMES.index(times)
    fig, (left, right) = figure(2, height=3.6)
    plot_spline(
        left,
        found.problem.x[0].numpy(),
        found.problem.y[0].numpy(),
        found.grid.numpy(),
        found.start.numpy(),
        found.functions[at].numpy(),
    )
    plot_bends(
        right, found.steps.numpy(), found.bends.numpy(), at, "Its weighted bends"
    )
    step = float(found.steps[at])
    return fig, (
        f"Settled at the step {step:.2g}: the weighted integral of |f''| is "
        f"{float(found.bends[at]):.2f}, and a stable minimum has at most "
        f"{most_bends(step):.3g}."
    )
