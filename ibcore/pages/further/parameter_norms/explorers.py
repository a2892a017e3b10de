"""All interpolants of least cost through six points, while one of the points moves."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.oracles.path_norm import least_path_norm
from ibcore.pages.further.parameter_norms.figures import (
    plot_band,
    plot_curves,
    plot_points,
    plot_slopes,
)
from ibcore.pages.further.parameter_norms.runs import (
    alike_gaps,
    two_interpolants,
    values_at,
)
from ibcore.problems.curves import Points

HEIGHTS = (-1.8, -1.2, -0.6, -0.2, 0.15, 0.5, 0.9, 1.3)
SHARES = (0.0, 0.5, 1.0)
_GRID = 201  # steps of 0.01, so that every point lies on it


def moved_points(height: float) -> Points:
    """Six points, the fourth of them at `height`."""
    x = torch.tensor([[-1.0, -0.7, -0.3, 0.3, 0.7, 1.0]], dtype=torch.float64)
    y = torch.tensor([[0.2, 0.35, -0.45, height, 0.3, 0.9]], dtype=torch.float64)
    return Points(x, y)


def band(data: Points, grid: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and highest value (k,) that interpolants of least cost take on `grid`
    (k,), for V > |D|, (1, n).
    """
    x, y = data.x[0], data.y[0]
    slopes = y.diff() / x.diff()
    gap = torch.searchsorted(x, grid, right=True).clamp(1, len(x) - 1) - 1
    line = y[gap] + slopes[gap] * (grid - x[gap])
    before, after = (gap - 1).clamp(min=0), (gap + 1).clamp(max=len(slopes) - 1)
    left = y[gap] + slopes[before] * (grid - x[gap])
    right = y[gap + 1] + slopes[after] * (grid - x[gap + 1])
    free = alike_gaps(data)[0][gap]
    low = torch.where(free, torch.minimum(line, torch.maximum(left, right)), line)
    high = torch.where(free, torch.maximum(line, torch.minimum(left, right)), line)
    return low, high


def member(data: Points, share: float, grid: Tensor) -> Tensor:
    """An interpolant of least cost on `grid` (k,): the polygon at share 0, one corner
    less at share 1.
    """
    x, y = data.x[0], data.y[0]
    polygon = torch.from_numpy(np.interp(grid.numpy(), x.numpy(), y.numpy()))
    if not bool(alike_gaps(data).any()):
        return polygon
    other = values_at(two_interpolants(x, y)[1][None], grid[None])[0]
    return torch.lerp(polygon, other, share)


def explore_family(height: float, share: float) -> tuple[Figure, str]:
    """The points with one of the interpolants of least cost in the band of all, and its
    slope.
    """
    data = moved_points(height)
    least = least_path_norm(data.x, data.y)
    grid = torch.linspace(-1, 1, _GRID, dtype=torch.float64)
    curve = member(data, share, grid)
    low, high = band(data, grid)
    fig, (left, right) = figure(2, height=3.4)
    plot_band(left, grid.numpy(), low.numpy(), high.numpy())
    plot_curves(left, grid.numpy(), [curve.numpy()])
    plot_points(left, data.x[0].numpy(), data.y[0].numpy())
    left.set(ylim=(-2.2, 1.6))
    plot_slopes(
        right,
        grid.numpy(),
        curve.numpy(),
        data.x[0].numpy(),
        least.slopes[0].numpy(),
    )
    right.set(ylim=(-7, 7))
    return fig, f"Least cost {float(least.value[0]):.2f}. {_words(data, share)}"


def _words(data: Points, share: float) -> str:
    bends = least_path_norm(data.x, data.y).slopes.diff()[0]
    signs = " ".join("+" if bend > 0 else "-" for bend in bends)
    gaps = int(alike_gaps(data).sum())
    if gaps == 0:
        return f"The polygon bends {signs}: no neighbors agree, and it is the only interpolant that costs so little."
    where = "one gap" if gaps == 1 else f"{gaps} gaps"
    place = {
        0.0: "the polygon",
        1.0: "the one with a corner less",
    }.get(share, "between the polygon and the one with a corner less")
    return (
        f"The polygon bends {signs}: neighbors agree across {where}, where many curves "
        f"cost the same. The curve is {place}."
    )
