"""The line that training ends on, for losses with tails from slow powers to the exponential."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.figures.losses_and_paths import draw_separators, draw_tail_angles
from ibcore.figures.style import figure
from ibcore.losses import ConvexTail, Exponential
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.oracles.regularization_path import tail_limit
from ibcore.problems.separable import Classification

EXPONENTIAL = "exponential"
TAILS = ("1", "2", "3", "5", "10", "20", EXPONENTIAL)
POINTS = ("a crowd on one side", "a few points")
_GRID = np.geomspace(1, 100, 25)


@functools.cache
def tail_points(name: str) -> tuple[Classification, MaxMargin]:
    """Points in the plane with their max-margin solution; both sets share the four points on the street's edge."""
    edge = torch.tensor([[2.4, -0.4], [0.3, 1.7]], dtype=torch.float64)
    crowd = torch.tensor(
        [
            [2.9, -0.1],
            [3.2, -0.6],
            [3.6, -0.2],
            [3.4, -1.0],
            [3.9, -0.7],
            [4.1, -0.1],
            [3.0, 0.4],
            [4.2, -1.2],
        ],
        dtype=torch.float64,
    )
    half = torch.cat([edge, crowd if name == POINTS[0] else crowd[:1]])
    data = Classification(
        torch.cat([half, -half]),
        torch.cat([torch.ones(len(half)), -torch.ones(len(half))]).double(),
    )
    return data, max_margin(data.X, data.y)


@functools.cache
def tail_end(tail: str, points: str) -> Tensor:
    """The direction (2,) of gradient flow from w = 0: near |w| = e^40 for a power, at log L = -1e6 otherwise."""
    data, _ = tail_points(points)
    start = torch.zeros(1, 2, dtype=torch.float64)
    if tail == EXPONENTIAL:
        run = scipy_flow(Linear(data.signed), Exponential(), start, log_loss=-1e6)
    else:
        power = float(tail)
        run = scipy_flow(
            Linear(data.signed),
            ConvexTail(power),
            start,
            log_time=40 * (power + 2),
            degree=1,
        )
    return run.theta[0, 0] / run.theta[0, 0].norm()


@functools.cache
def _limits(points: str) -> np.ndarray:
    """Degrees between the limit for each power of the grid and the max-margin direction."""
    data, best = tail_points(points)
    sines = [
        float(
            sin_angle(
                tail_limit(data.signed, float(a), best.primal).direction, best.primal
            )
        )
        for a in _GRID
    ]
    return np.degrees(np.arcsin(sines))


def draw_tail(tail: str, points: str) -> tuple[Figure, str]:
    """The line on which training with this tail ends, beside the predicted angle for every power."""
    data, best = tail_points(points)
    w = tail_end(tail, points)
    degrees = math.degrees(math.asin(float(sin_angle(w, best.primal))))
    fig, (left, right) = figure(2, height=3.1)
    draw_separators(
        left, data.X.numpy(), data.y.numpy(), w.numpy(), best.primal.numpy()
    )
    current = (
        None
        if tail == EXPONENTIAL
        else int(np.abs(np.log(_GRID / float(tail))).argmin())
    )
    grid, angles = _GRID.copy(), _limits(points).copy()
    if current is not None:
        grid[current], angles[current] = float(tail), degrees
    draw_tail_angles(right, grid, angles, current)
    ratio = float((data.signed @ w).min()) * float(best.primal.norm())
    name = (
        "exponential tail"
        if tail == EXPONENTIAL
        else "tail 1/m"
        if tail == "1"
        else f"tail 1/m^{tail}"
    )
    return fig, (
        f"With the {name} and {points}, training ends {degrees:.2g} degrees from the max-margin line, "
        f"with {100 * ratio:.0f} % of the largest margin."
    )
