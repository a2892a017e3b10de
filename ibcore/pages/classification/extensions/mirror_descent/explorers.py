"""Mirror descent in the plane, by potential and time."""

from __future__ import annotations

import functools
import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure, plot_separators
from ibcore.oracles.norm_margin import NormMargin
from ibcore.pages.classification.extensions.mirror_descent.figures import (
    plot_ball,
)
from ibcore.pages.classification.extensions.mirror_descent.runs import follow
from ibcore.problems.separable import Classification

PLANE_ORDERS = (1.1, 1.3, 1.6, 2.0, 3.0, 10.0)
PLANE_TIMES = (1, 3, 10, 1000)
_LOG_10 = math.log(10)


def plane_points() -> Classification:
    """Twelve points in the plane; (2, 1) and its opposite alone decide the margin in
    every norm.
    """
    above = torch.tensor(
        [[2.0, 1.0], [3.0, 0.5], [2.2, 1.8], [3.2, 1.5], [2.6, 2.3], [3.4, 0.9]],
        dtype=torch.float64,
    )
    below = torch.tensor(
        [[2.0, 1.0], [2.5, 0.9], [3.3, 2.0], [3.2, 0.2], [2.3, 2.1], [2.9, 1.4]],
        dtype=torch.float64,
    )
    return Classification(
        torch.cat([above, -below]), torch.cat([torch.ones(6), -torch.ones(6)]).double()
    )


@functools.cache
def plane_path(p: float) -> tuple[Tensor, NormMargin, Tensor]:
    """States (K, 2), optimum and gaps at t = 10^k for k in `PLANE_TIMES`."""
    data = plane_points()
    run, best, gaps = follow(data.X, data.y, p, [k * _LOG_10 for k in PLANE_TIMES])
    return run.theta[:, 0], best, gaps


def explore_plane(p: float, power: int) -> tuple[Figure, str]:
    """The decision line and, beside it, w over its margin in the plane of w with the
    ball of |w|_p.
    """
    data = plane_points()
    states, best, gaps = plane_path(p)
    k = PLANE_TIMES.index(power)
    scaled = states / (states @ data.signed.T).amin(-1, keepdim=True)
    fig, (left, right) = figure(2, height=3.8)
    plot_separators(
        left,
        data.X.numpy(),
        data.y.numpy(),
        states[k].numpy(),
        best.primal.numpy(),
        reach=(4, 3),
        title="The line in the data",
    )
    plot_ball(
        right, data.signed.numpy(), p, best.primal.numpy(), scaled[: k + 1].numpy()
    )
    w = states[k] / states[k].abs().max()
    short = f"{100 * float(gaps[k]):.2g} %" if gaps[k] >= 1e-4 else "less than 0.01 %"
    return fig, (
        f"Potential p = {p:g} at t = 10^{power:,}: w points along ({w[0]:.2f}, "
        f"{w[1]:.2f}), and its l_p margin is {short} short of the largest possible."
    )
