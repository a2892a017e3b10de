"""The line that training ends on, for tails from slow powers to the exponential."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure, plot_separators
from ibcore.measures import sin_angle
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.oracles.regularization_path import tail_limit
from ibcore.pages.classification.extensions.losses_and_paths.figures import (
    plot_tail_angles,
)
from ibcore.pages.classification.extensions.losses_and_paths.runs import (
    exponential_flow,
    power_flow,
)
from ibcore.problems.separable import Classification

EXPONENTIAL = "exponential"
TAILS = ("1", "2", "3", "5", "10", "20", EXPONENTIAL)
POINTS = ("a crowd on one side", "a few points")
_GRID = np.geomspace(1, 100, 25)
_EDGE = ((2.4, -0.4), (0.3, 1.7))
_CROWD = (
    (2.9, -0.1),
    (3.2, -0.6),
    (3.6, -0.2),
    (3.4, -1.0),
    (3.9, -0.7),
    (4.1, -0.1),
    (3.0, 0.4),
    (4.2, -1.2),
)


@functools.cache
def tail_points(name: str) -> tuple[Classification, MaxMargin]:
    """Points in the plane with their max-margin solution; both sets share the edge."""
    crowd = _CROWD if name == POINTS[0] else _CROWD[:1]
    half = torch.tensor([*_EDGE, *crowd], dtype=torch.float64)
    ones = torch.ones(len(half), dtype=torch.float64)
    data = Classification(torch.cat([half, -half]), torch.cat([ones, -ones]))
    return data, max_margin(data.X, data.y)


@functools.cache
def tail_end(tail: str, points: str) -> Tensor:
    """The direction (2,) of gradient flow from w = 0, late in training."""
    data, _ = tail_points(points)
    rows = data.signed
    exponential = tail == EXPONENTIAL
    run = exponential_flow(rows) if exponential else power_flow(rows, float(tail), 40.0)
    return run.theta[0, 0] / run.theta[0, 0].norm()


@functools.cache
def _limits(points: str) -> np.ndarray:
    """Degrees between the limit for each power of the grid and w_hat."""
    data, best = tail_points(points)
    limits = [tail_limit(data.signed, float(a), best.primal) for a in _GRID]
    directions = torch.stack([limit.direction for limit in limits])
    return np.degrees(np.arcsin(sin_angle(directions, best.primal).numpy()))


def explore_tail(tail: str, points: str) -> tuple[Figure, str]:
    """The line on which training ends, beside the predicted angle for every power."""
    data, best = tail_points(points)
    w = tail_end(tail, points)
    degrees = math.degrees(math.asin(float(sin_angle(w, best.primal))))
    fig, (left, right) = figure(2, height=3.1)
    rows = (data.X, data.y, w, best.primal)
    plot_separators(
        left,
        *(part.numpy() for part in rows),
        reach=(4.6, 3.4),
        title="Where training ends",
    )
    grid, angles, current = _GRID.copy(), _limits(points).copy(), None
    if tail != EXPONENTIAL:
        current = int(np.abs(np.log(_GRID / float(tail))).argmin())
        grid[current], angles[current] = float(tail), degrees
    plot_tail_angles(right, grid, angles, current)
    ratio = float((data.signed @ w).min()) * float(best.primal.norm())
    return fig, (
        f"With the {_name(tail)} and {points}, training ends {degrees:.2g} degrees "
        f"from the max-margin line, with {100 * ratio:.0f} % of the largest margin."
    )


def _name(tail: str) -> str:
    if tail == EXPONENTIAL:
        return "exponential tail"
    return "tail 1/m" if tail == "1" else f"tail 1/m^{tail}"
