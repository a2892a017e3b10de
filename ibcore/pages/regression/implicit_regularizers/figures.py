"""Figures of the page on implicit regularizers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
_ORDERS = (("blue", "-", "first $w_1$"), ("orange", "--", "first $w_2$"))


def plot_paths(ax: Axes, paths: Sequence[Array], fits: Array, chosen: int) -> None:
    """Paths (K, 2) from the cross to the line through `fits` (2, 2), one marked."""
    ax.plot(*fits.T, color=PALETTE["green"], linestyle="-", label="all fits")
    for place, path in enumerate(paths):
        if place != chosen:
            ax.plot(*path.T, color=PALETTE["gray"], linestyle="-", linewidth=1)
            ax.plot(*path[-1], "o", color=PALETTE["gray"], markersize=4)
    path = paths[chosen]
    ax.plot(*path.T, color=PALETTE["blue"], linestyle="-", label="training")
    ax.plot(*path[-1], "o", color=PALETTE["blue"], markersize=8)
    ax.plot(*path[0], "x", color=PALETTE["gray"], markersize=9)
    ax.set(xlabel="$w_1$", ylabel="$w_2$", title="The way")
    ax.set_xticks([-0.5, 0, 0.5, 1, 1.5])
    ax.set_yticks([-0.5, 0, 0.5, 1, 1.5])
    ax.legend(loc="upper right", fontsize=9)


def plot_ends(
    ax: Axes, ratios: Array, places: Array, chosen: int, reach: float
) -> None:
    """Places (K,) of the ends along the line of fits, over the ratios (K,) of the
    weights.
    """
    ax.plot(ratios, places, color=PALETTE["gray"], linestyle="-", linewidth=1)
    ax.plot(ratios, places, "o", color=PALETTE["gray"], markersize=5)
    ax.plot(ratios[chosen], places[chosen], "o", color=PALETTE["blue"], markersize=9)
    ax.set(
        xscale="log",
        ylim=(-reach, reach),
        xlabel="weight of example 1 over 2",
        ylabel="place on the line of fits",
        title="Where it ends",
    )
    ax.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])
    ax.set_xticks([], minor=True)
    ax.set_yticks([-1, -0.5, 0, 0.5, 1])


def plot_square(ax: Axes, walks: Sequence[Array], title: str) -> None:
    """Two walks (K, 2) from one point, each along both fields, in both orders."""
    for (color, style, label), walk in zip(_ORDERS, walks, strict=True):
        ax.plot(*walk.T, color=PALETTE[color], linestyle=style, label=label)
        ax.plot(*walk[-1], "o", color=PALETTE[color], markersize=7, fillstyle="none")
    ax.plot(*walks[0][0], "x", color=PALETTE["gray"], markersize=9)
    ax.set(xlabel="$w_1$", title=title)


def plot_loss(ax: Axes, times: Array, loss: Array, least: float) -> None:
    """The loss (K,), and the bound Q / (2 t)."""
    ax.plot(times, loss, color=PALETTE["blue"], linestyle="-", label="loss")
    (bound,) = ax.plot(times, least / (2 * times))
    bound.set(color=PALETTE["gray"], linestyle="--", label=r"$Q(w_\infty)\,/\,(2t)$")
    ax.set(xscale="log", yscale="log", xlabel="time $t$", title="Loss")
    ax.set(ylim=(max(loss.min(), 1e-6), None))
    ax.legend(loc="lower left", fontsize=9)


def plot_dual(
    ax: Axes, times: Array, dual: Array, areas: Array, values: Array, least: float
) -> None:
    """The dual objective (K,), twice the area under the loss, Q along the way, and its
    value at the end.
    """
    ax.plot(times, values, color=PALETTE["green"], linestyle="-.", label="$Q(w(t))$")
    ax.plot(
        times,
        dual,
        color=PALETTE["blue"],
        linestyle="-",
        label=r"$\mathcal{D}(\nu(t))$",
    )
    every = slice(None, None, 4)
    (marks,) = ax.plot(times[every], areas[every], "o", color=PALETTE["orange"])
    marks.set(markersize=5, fillstyle="none", label=r"$2 \int_0^t L$")
    ax.axhline(least, color=PALETTE["gray"], linestyle=":", linewidth=1)
    ax.set(xscale="log", xlabel="time $t$", title="Dual objective")
    ax.legend(loc="upper left", fontsize=9)


def plot_regimes(
    ax: Axes,
    scales: Array,
    lines: Sequence[Array],
    trained: Array,
    dots: Sequence[Array],
) -> None:
    """Distances to least l2 and least l1 over the scale of the start: predicted lines,
    trained dots.
    """
    names = (
        ("blue", "-", "o", r"from least $\ell_2$"),
        ("orange", "--", "s", r"from least $\ell_1$"),
    )
    for (color, style, marker, label), line, row in zip(
        names, lines, dots, strict=True
    ):
        ax.plot(scales, line, color=PALETTE[color], linestyle=style, label=label)
        ax.plot(trained, row, marker, color=PALETTE[color], markersize=6)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"scale $\alpha$ of the start",
        ylabel="relative distance of the limit",
    )
    ax.text(0.02, 0.6, "rich regime", transform=ax.transAxes)
    ax.text(0.98, 0.6, "kernel regime", transform=ax.transAxes, ha="right")
    ax.legend(loc="lower center", fontsize=9)
