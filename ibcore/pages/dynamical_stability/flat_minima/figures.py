"""Figures of the page on flat minima."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
_DEPTHS = (("blue", "o"), ("orange", "s"), ("green", "^"), ("purple", "D"))


def plot_function(
    ax: Axes, grid: Array, values: Array, before: Array, x: Array, y: Array
) -> None:
    """The function of a rescaled network on a grid, that of the network before dashed,
    and the data.
    """
    ax.plot(grid, values, color=PALETTE["blue"], linestyle="-", linewidth=3.2)
    ax.plot(grid, before, color=PALETTE["orange"], linestyle="--", linewidth=1.4)
    ax.plot(x, y, "o", color=PALETTE["gray"], markersize=6, zorder=3)
    ax.set(xlabel="input $x$", ylabel="output", title="The function")


def plot_slice(
    ax: Axes, distance: Array, loss: Array, before: Array, most: float
) -> None:
    """Loss along a line through the parameters, and before rescaling dashed."""
    ax.plot(distance, loss, color=PALETTE["blue"], linestyle="-", linewidth=2.2)
    ax.plot(distance, before, color=PALETTE["orange"], linestyle="--", linewidth=1.4)
    ax.set(
        ylim=(-0.04 * most, most),
        xlim=(distance[0], distance[-1]),
        xlabel="distance from the network",
        ylabel="loss",
        title="The loss around it",
    )


def plot_rescaling(
    ax: Axes, c: Array, values: Array, lower: Array, upper: Array
) -> None:
    """Sharpness of a network at factors c (K,) as dots, and its bounds (K,) as lines."""
    ax.fill_between(c, lower, upper, color=PALETTE["green"], alpha=0.25, linewidth=0)
    ax.plot(c, lower, color=PALETTE["green"], linestyle="-", linewidth=1.6)
    ax.plot(c, values, "o", color=PALETTE["blue"], markersize=5.5)
    ax.annotate(
        "between the bounds",
        (c[len(c) // 2], lower.max() / 3),
        ha="center",
        color=PALETTE["green"],
    )
    ax.set(xscale="log", yscale="log", xlabel="factor $c$", ylabel="sharpness")


def plot_family(ax: Axes, c: Array, values: Array) -> None:
    """Sharpness (K, B) of B networks over their own at c = 1."""
    middle = len(c) // 2
    ax.plot(
        c, values / values[middle], color=PALETTE["blue"], linestyle="-", linewidth=1
    )
    ax.axhline(1, color=PALETTE["gray"], linestyle=":", linewidth=1.2)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="factor $c$",
        ylabel="sharpness over that at $c = 1$",
    )


def plot_minima(
    ax: Axes, far: Mapping[int, Array], ratios: Mapping[int, Array]
) -> None:
    """Sharpness over the flattest, less one, of sampled minima, over their imbalance: a
    cloud for every depth.
    """
    for (depth, imbalance), (color, marker) in zip(far.items(), _DEPTHS, strict=False):
        ax.plot(
            imbalance.ravel(),
            ratios[depth].ravel() - 1,
            marker,
            color=PALETTE[color],
            markersize=2.4,
            alpha=0.35,
            markeredgewidth=0,
            label=f"$N = {depth}$",
            rasterized=True,
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="imbalance of the layers",
        ylabel="excess sharpness",
    )
    for handle in ax.legend(loc="upper left").legend_handles:
        handle.set(alpha=1, markersize=6)  # type: ignore[union-attr]


def plot_steps(ax: Axes, begun: Sequence[float], ends: Sequence[Array]) -> None:
    """Sharpness over the flattest of starts (one a depth), and of the ends (2, B) of
    small and of large steps.
    """
    for (color, marker), start, (small, large) in zip(
        _DEPTHS, begun, ends, strict=False
    ):
        ax.plot(
            0, start, marker, color=PALETTE[color], markersize=8, markerfacecolor="none"
        )
        for place, values in ((1, small), (2, large)):
            spread = place + np.linspace(-0.12, 0.12, len(values))
            ax.plot(
                spread, values, marker, color=PALETTE[color], markersize=5, linestyle=""
            )
    ax.axhline(1, color=PALETTE["gray"], linestyle="-", linewidth=1.2)
    ax.axhline(1 / 0.95, color=PALETTE["red"], linestyle=":", linewidth=1.6)
    ax.annotate(
        "allowed by the large step",
        (-0.35, 1 / 0.95),
        (0, 4),
        textcoords="offset points",
        color=PALETTE["red"],
    )
    ax.annotate(
        "flattest",
        (-0.35, 1),
        (0, -13),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.set_xticks((0, 1, 2), ("start", "half the limit", "0.95 of it"))
    ax.set(
        xlim=(-0.4, 2.4),
        ylim=(0.94, None),
        xlabel="step size",
        ylabel="sharpness over the flattest",
    )


def plot_noise(ax: Axes, noise: Array, values: Array, label: str) -> None:
    """Values (b, E, S) of S starts over eta / B (b, E): a dot for every run, and a line
    through the medians.
    """
    flat = noise.ravel()
    rows = values.reshape(len(flat), -1)
    ax.plot(flat, rows, "o", color=PALETTE["blue"], markersize=3, alpha=0.6)
    levels = np.unique(flat)
    ax.plot(
        levels,
        [np.median(rows[flat == level]) for level in levels],
        color=PALETTE["orange"],
        linestyle="-",
        linewidth=2,
    )
    ax.set(xscale="log", xlabel=r"$\eta / B$", ylabel=label)


def plot_full(ax: Axes, step_sizes: Sequence[float], values: Array, label: str) -> None:
    """Values (E, S) over the step size of descent with all examples."""
    for column in values.T:
        ax.plot(
            step_sizes,
            column,
            "o-",
            color=PALETTE["purple"],
            markersize=3.2,
            linewidth=1,
        )
    ax.set(xscale="log", xlabel=r"$\eta$, all examples", ylabel=label)
    ax.set_xticks(step_sizes, [f"{size:g}" for size in step_sizes])
    ax.minorticks_off()
