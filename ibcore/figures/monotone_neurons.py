"""Figures of the page on monotone neurons."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures.style import PALETTE

Array = NDArray[np.float64]
_MARKS = (("blue", "o"), ("orange", "s"), ("green", "^"))


def draw_path(
    ax: Axes,
    path: Array,
    best: Array,
    shortest: Array,
    normal: Array,
    offset: float,
    grid: tuple[Array, Array, Array],
) -> None:
    """A path (K, 2) of u = a w over level lines of Q, to the line normal.u = offset of zero loss.

    grid: coordinates (G, G) of both axes and Q there.
    """
    least = float(
        grid[2][
            np.unravel_index(
                np.argmin(np.hypot(grid[0] - best[0], grid[1] - best[1])), grid[0].shape
            )
        ]
    )
    spread = float(np.quantile(grid[2], 0.9) - grid[2].min())
    levels = least + spread * np.array([-0.3, -0.15, 0, 0.15, 0.3, 0.5])
    ax.contour(
        *grid,
        levels=np.sort(levels),
        colors=PALETTE["gray"],
        linewidths=0.7,
        linestyles="-",
        alpha=0.8,
    )
    along = np.array([-normal[1], normal[0]]) / np.linalg.norm(normal)
    foot = offset * normal / (normal @ normal)
    ax.plot(
        *np.transpose([foot - 9 * along, foot + 9 * along]),
        color=PALETTE["orange"],
        linewidth=1.6,
        linestyle="--",
    )
    ax.plot(*path.T, color=PALETTE["blue"], linewidth=2.4)
    ax.plot(*path[0], "o", color=PALETTE["blue"], markersize=6)
    ax.plot(*shortest, "x", color=PALETTE["gray"], markersize=9, markeredgewidth=2)
    ax.plot(
        *best,
        "D",
        color=PALETTE["red"],
        markersize=8,
        fillstyle="none",
        markeredgewidth=1.8,
    )
    ax.annotate(
        "start",
        (path[0, 0], path[0, 1]),
        (7, -11),
        textcoords="offset points",
        color=PALETTE["blue"],
    )
    ax.annotate(
        "least Q",
        (best[0], best[1]),
        (9, 4),
        textcoords="offset points",
        color=PALETTE["red"],
    )
    ax.annotate(
        "shortest",
        (shortest[0], shortest[1]),
        (9, -12),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.set(
        xlim=(-2.2, 3.8),
        ylim=(-2.2, 2.8),
        aspect="equal",
        xlabel="$u_1$",
        ylabel="$u_2$",
    )


def draw_errors(
    ax: Axes, runs: Mapping[str, Mapping[str, Array]], criterion: float
) -> None:
    """Distance to the nearest solution over the loss at the end, a mark a run; the criterion is a vertical line."""
    for (name, run), (color, mark) in zip(runs.items(), _MARKS, strict=True):
        loss, error = (
            np.maximum(np.asarray(run[key]), floor)
            for key, floor in (("loss", 1e-33), ("error", 1e-17))
        )
        ax.plot(
            loss,
            error,
            mark,
            color=PALETTE[color],
            markersize=4.5,
            label=name,
            fillstyle="none",
            linestyle="none",
        )
    ax.axvline(criterion, color=PALETTE["gray"], linestyle="--", linewidth=1.3)
    ax.annotate(
        "converged",
        (criterion, 3e-2),
        (-6, 0),
        textcoords="offset points",
        ha="right",
        color=PALETTE["gray"],
    )
    ax.annotate(
        "still on the way",
        (criterion, 3e-2),
        (6, 0),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.axhline(1e-10, color=PALETTE["red"], linestyle=":", linewidth=1.3)
    ax.annotate(
        "bar", (1e-33, 1e-10), (2, 4), textcoords="offset points", color=PALETTE["red"]
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="loss at the end",
        ylabel="distance to the nearest solution / way",
        xlim=(3e-34, 10),
    )
    ax.legend(loc="lower right")


def draw_hidden(ax: Axes, distance: Array, error: Array) -> None:
    """For each run the distance from the shortest solution and from the minimizer of Q, two marks in one column."""
    order = np.argsort(distance)
    rank = np.arange(1, len(order) + 1)
    ax.plot(rank, np.asarray(distance)[order], "x", color=PALETTE["gray"], markersize=4)
    ax.plot(
        rank,
        np.maximum(np.asarray(error)[order], 1e-17),
        "D",
        color=PALETTE["red"],
        markersize=3.5,
        fillstyle="none",
    )
    middle = len(rank) / 2
    ax.annotate(
        "from the shortest solution", (middle, 1e-2), ha="center", color=PALETTE["gray"]
    )
    ax.annotate(
        "from the minimizer of Q", (middle, 1e-11), ha="center", color=PALETTE["red"]
    )
    ax.set(
        yscale="log",
        ylim=(1e-17, 30),
        xlabel="run",
        ylabel="relative distance",
        title="Two candidates",
    )


def draw_shrinking(ax: Axes, scales: Array, distance: Array) -> None:
    """Distances (3, B) from the shortest solution over the scale of the start, with a line of slope 1."""
    ax.plot(scales, distance, "o-", color=PALETTE["blue"], markersize=4, linewidth=0.9)
    middle = np.exp(np.log(distance[0]).mean())
    ax.plot(
        scales,
        4 * middle * scales / scales[0],
        color=PALETTE["gray"],
        linestyle="--",
        linewidth=1.3,
    )
    ax.annotate(
        "slope 1",
        (scales[1], 4 * middle * scales[1] / scales[0]),
        (-8, 6),
        textcoords="offset points",
        ha="right",
        color=PALETTE["gray"],
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="scale of the start",
        ylabel="distance from the shortest",
        title="Small starts",
    )
