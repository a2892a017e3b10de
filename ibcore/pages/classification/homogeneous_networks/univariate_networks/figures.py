"""Figures of the page on univariate networks."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]


def plot_line_network(ax: Axes, grid: Array, values: Array, x: Array, y: Array) -> None:
    """f over the line, scaled and cut at 3, with the points at their labels."""
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    ax.plot(grid, values, color=PALETTE["blue"], linestyle="-", linewidth=2)
    for sign, marker, color in ((1, "o", "orange"), (-1, "s", "purple")):
        points = x[y == sign]
        heights = np.full(len(points), float(sign))
        ax.plot(points, heights, marker, color=PALETTE[color], markersize=5)
    ax.set(ylim=(-3, 3), ylabel="$f(x)$, scaled", title="The network and the points")


def plot_kink_bars(ax: Axes, positions: Array, jumps: Array) -> None:
    """Jumps of the slope, relative to the largest, as stems over their positions."""
    sizes = jumps / max(float(np.abs(jumps).max(initial=0.0)), 1e-300)
    ax.vlines(positions, 0, sizes, color=PALETTE["red"], linewidth=2)
    ax.plot(positions, sizes, "D", color=PALETTE["red"], markersize=4)
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    ax.set(ylim=(-1.2, 1.2), xlabel="$x$", ylabel="jumps")


def plot_region_counts(
    ax: Axes, changes: Array, fine: Array, coarse: Array, frozen: Array
) -> None:
    """Regions over sign changes, at both resolutions and with a frozen hidden layer."""
    (circles,) = ax.plot(changes + 0.06, fine, "o", color=PALETTE["gray"], markersize=6)
    circles.set_markerfacecolor("none")
    ax.plot(changes - 0.06, frozen, "s", color=PALETTE["red"], markersize=6)
    ax.plot(changes, coarse, "D", color=PALETTE["blue"], markersize=6)
    ends = np.array([2.5, 5.5])
    ax.plot(ends, ends, color=PALETTE["blue"], linestyle="--", linewidth=1)
    ax.plot(ends, 2 * ends, color=PALETTE["gray"], linestyle=":", linewidth=1)
    labels = (
        ("$r$ (diamonds: within 0.5 gaps merged)", 3.45, 1.9, "blue"),
        ("$2r$", 5.3, 11.6, "gray"),
        ("circles: within 0.02 gaps", 3.45, 5.4, "gray"),
        ("hidden layer frozen", 3.1, float(frozen[0]), "red"),
    )
    for text, x, y, color in labels:
        ax.annotate(text, (x, y), va="center", color=PALETTE[color])
    ax.set(xlabel="sign changes $r$", ylabel="linear regions")
    ax.set(xticks=[3, 4, 5], ylim=(0, None))
