"""Figures of the page on monotone neurons."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
_MARKS = (("blue", "o"), ("orange", "s"), ("green", "^"))


def plot_path(
    ax: Axes, path: Array, best: Array, shortest: Array, line: tuple[Array, float]
) -> None:
    """A path (K, 2) of u = a w to the line of zero loss, and two points on that line.

    line: normal (2,) and offset of normal.u = offset.
    """
    normal, offset = line
    along = np.array([-normal[1], normal[0]]) / np.linalg.norm(normal)
    foot = offset * normal / (normal @ normal)
    (fits,) = ax.plot(*np.transpose([foot - 9 * along, foot + 9 * along]))
    fits.set(color=PALETTE["orange"], linewidth=1.6, linestyle="--")
    ax.plot(*path.T, color=PALETTE["blue"], linestyle="-", linewidth=2.4)
    ax.plot(*path[0], "o", color=PALETTE["blue"], markersize=6)
    ax.plot(*shortest, "x", color=PALETTE["gray"], markersize=9, markeredgewidth=2)
    (least,) = ax.plot(*best, "D", color=PALETTE["red"], markersize=8)
    least.set(fillstyle="none", markeredgewidth=1.8)
    for text, spot, shift, color in (
        ("start", path[0], (7, -11), "blue"),
        ("least Q", best, (9, 4), "red"),
        ("shortest", shortest, (9, -12), "gray"),
    ):
        ax.annotate(
            text, tuple(spot), shift, textcoords="offset points", color=PALETTE[color]
        )
    ax.set(
        xlim=(-2.2, 3.8),
        ylim=(-2.2, 2.8),
        aspect="equal",
        xlabel="$u_1$",
        ylabel="$u_2$",
    )


def plot_levels(ax: Axes, grid: tuple[Array, Array, Array], best: Array) -> None:
    """Level lines of Q, among them the one through `best` (2,).

    grid: coordinates (G, G) of both axes and Q there.
    """
    across, up, values = grid
    nearest = np.argmin(np.hypot(across - best[0], up - best[1]))
    spread = float(np.quantile(values, 0.9) - values.min())
    steps = spread * np.array([-0.3, -0.15, 0, 0.15, 0.3, 0.5])
    ax.contour(
        *grid,
        levels=float(values.ravel()[nearest]) + steps,
        colors=PALETTE["gray"],
        linewidths=0.7,
        linestyles="-",
        alpha=0.8,
    )


def plot_errors(
    ax: Axes, names: Iterable[str], losses: Array, errors: Array, criterion: float
) -> None:
    """Distances to the nearest solution over losses at the end, (A, B) each.

    A row has a name, a run a mark. The criterion is a vertical line.
    """
    for name, loss, error, (color, mark) in zip(
        names, losses, errors, _MARKS, strict=True
    ):
        ax.plot(
            np.maximum(loss, 1e-33),
            np.maximum(error, 1e-17),
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


def plot_hidden(ax: Axes, distance: Array, error: Array) -> None:
    """Distances from the shortest solution and from argmin Q, two marks a run."""
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


def plot_shrinking(ax: Axes, scales: Array, distance: Array) -> None:
    """Distances (3, B) from the shortest solution over the scale, and a line of slope
    1.
    """
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
