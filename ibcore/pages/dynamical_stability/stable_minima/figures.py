"""Figures of the page on stable minima."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE
from ibcore.pages.dynamical_stability.stable_minima.objectives import (
    Values,
    double_well,
    two_valleys,
)

Array = NDArray[np.float64]


def _curve(ax: Axes, values: Values, low: float, high: float) -> None:
    x = torch.linspace(low, high, 241, dtype=torch.float64)
    ax.plot(x, values(x)[0], color=PALETTE["gray"], linestyle="-", linewidth=2)


def _jumps(ax: Axes, values: Values, path: Array, shown: int) -> None:
    """The first `shown` steps of a path (K + 1,) as balls on the curve joined by lines,
    the start hollow.
    """
    x = torch.as_tensor(path[: shown + 1])
    y = values(x)[0]
    ax.plot(x, y, "-", color=PALETTE["blue"], linewidth=1.1, alpha=0.8)
    ax.plot(x[1:], y[1:], "o", color=PALETTE["blue"], markersize=5)
    ax.plot(
        *(x[:1], y[:1]),
        "o",
        color=PALETTE["blue"],
        markersize=10,
        markerfacecolor="none",
        markeredgewidth=2,
    )


def plot_valleys(ax: Axes, path: Array) -> None:
    """The loss with a sharp and a flat minimum, and a run (K + 1,) on it; its end is
    the orange diamond.
    """
    _curve(ax, two_valleys, -2.6, 5.2)
    _jumps(ax, two_valleys, path, 40)
    end = torch.as_tensor(path[-2:])
    ax.plot(end, two_valleys(end)[0], "D", color=PALETTE["orange"], markersize=7)
    ax.annotate("sharp", (-1, -0.55), ha="center", color=PALETTE["red"])
    ax.annotate("flat", (2, -0.55), ha="center", color=PALETTE["green"])
    ax.set(xlim=(-2.6, 5.2), ylim=(-0.9, 8), xlabel=r"$\theta$", ylabel="loss")


def plot_valley(ax: Axes, place: float, radius: float, path: Array, title: str) -> None:
    """One minimum from nearby, with the first steps of a run that begins beside it."""
    _curve(ax, two_valleys, place - radius, place + radius)
    inside = int((np.abs(path - place) <= radius).cumprod().sum())
    _jumps(ax, two_valleys, path, max(inside - 1, 0))
    top = float(two_valleys(torch.tensor(place - radius))[0])
    ax.set(
        xlim=(place - radius, place + radius),
        ylim=(-0.08 * top, 1.05 * top),
        xlabel=r"$\theta$",
        title=title,
    )


def plot_iterates(ax: Axes, path: Array) -> None:
    """Iterates over their number, (K + 1,)."""
    ax.plot(path, "-", color=PALETTE["blue"], linewidth=0.8, alpha=0.6)
    ax.plot(path, "o", color=PALETTE["blue"], markersize=3.5)
    ax.set(xlabel="step $k$", ylabel="$x_k$", ylim=(-1.75, 1.75))


def plot_well(ax: Axes, path: Array) -> None:
    """The double well (x^2 - 1)^2 / 4 with the iterates of a run on it, the last ones
    orange.
    """
    _curve(ax, double_well, -1.75, 1.75)
    _jumps(ax, double_well, path, 12)
    end = torch.as_tensor(path[-8:])
    ax.plot(end, double_well(end)[0], "D", color=PALETTE["orange"], markersize=6)
    ax.set(xlim=(-1.75, 1.75), ylim=(-0.03, 0.62), xlabel="$x$", ylabel="$f(x)$")


def plot_ends(ax: Axes, heading: Array, ends: Array) -> None:
    """eta S where runs of descent ended over that to which the flow heads from the same
    start, (N,) each.
    """
    kept = np.isfinite(ends)
    high = float(heading[kept].max()) * 1.05
    ax.plot(
        heading[kept], ends[kept], "o", color=PALETTE["blue"], markersize=2, alpha=0.5
    )
    ax.plot([0, high], [0, high], color=PALETTE["gray"], linestyle="--", linewidth=1.2)
    ax.axhline(2, color=PALETTE["red"], linestyle="-", linewidth=1.4)
    ax.annotate("gradient flow", (2.62, 2.35), color=PALETTE["gray"])
    ax.annotate(r"$\eta S = 2$", (high, 2.06), color=PALETTE["red"], ha="right")
    ax.set(
        xlim=(0.7, high),
        ylim=(0.7, 3),
        xlabel=r"$\eta S$ of the minimum of the flow",
        ylabel=r"$\eta S$ where descent ends",
    )


def plot_kicked(ax: Axes, before: Array, after: Array) -> None:
    """eta S of minima from which runs are kicked, and where these end, (K,) each."""
    ax.plot(
        [1.4, 3.1], [1.4, 3.1], color=PALETTE["gray"], linestyle="--", linewidth=1.2
    )
    stays = before < 2
    for which, color, marker in ((stays, "green", "o"), (~stays, "orange", "D")):
        ax.plot(before[which], after[which], marker, color=PALETTE[color], markersize=6)
    ax.axvline(2, color=PALETTE["red"], linestyle="-", linewidth=1.4)
    ax.annotate("comes back", (1.42, 1.98), color=PALETTE["green"])
    ax.annotate("leaves", (2.5, 1.55), color=PALETTE["orange"])
    ax.set(
        xlim=(1.4, 3.1),
        ylim=(0.7, 3),
        xlabel=r"$\eta S$ of the minimum",
        ylabel=r"$\eta S$ where the run ends",
    )


def plot_diagram(
    ax: Axes, steps: Array, tails: Array, orbit: Array, limit: float
) -> None:
    """Last iterates (E, K) over the step size, and the orbit in closed form (E, 2),
    attracting up to `limit`.
    """
    ax.plot(
        np.repeat(steps, tails.shape[1]),
        tails.ravel(),
        ".",
        color=PALETTE["blue"],
        markersize=1.2,
        rasterized=True,
    )
    for part, style in ((steps <= limit, "-"), (steps >= limit, ":")):
        ax.plot(steps[part], orbit[part], color=PALETTE["orange"], linestyle=style)
    for place, words in ((1, r"$\eta f'' = 2$"), (limit, r"$\sqrt{5} - 1$")):
        ax.axvline(place, color=PALETTE["gray"], linestyle="--", linewidth=1)
        ax.annotate(words, (place + 0.006, 0.03), color=PALETTE["gray"])
    ax.set(
        xlim=(steps[0], steps[-1]),
        ylim=(-0.05, 1.4),
        xlabel=r"step size $\eta$",
        ylabel="last iterates",
    )


def plot_leaving(ax: Axes, paths: Mapping[str, Array]) -> None:
    """Distances from the minimum over the step number, a curve a function."""
    styles = (("blue", "-"), ("green", "-."), ("gray", "--"), ("red", ":"))
    for (name, path), (color, style) in zip(paths.items(), styles, strict=False):
        ax.plot(path, color=PALETTE[color], linestyle=style, label=name, linewidth=2)
    ax.set(
        yscale="log",
        ylim=(1e-3, 10),
        xlabel="step $k$",
        ylabel="distance from the minimum",
    )
    ax.legend(loc="lower right")


def plot_plane(ax: Axes, paths: Array, orbit: Array) -> None:
    """Last iterates of pairs in the plane (K, N, 2), the minima xy = 1 and the two
    points of the orbit.
    """
    x = np.linspace(0.25, 4, 200)
    for sign in (-1, 1):
        ax.plot(sign * x, sign / x, color=PALETTE["gray"], linestyle="-")
        ax.plot(sign * orbit, sign * orbit, "D", color=PALETTE["orange"], markersize=8)
    for path in np.moveaxis(paths, 1, 0):
        ax.plot(*path.T, "-", color=PALETTE["blue"], linewidth=0.5, alpha=0.6)
        ax.plot(*path[0], "o", color=PALETTE["blue"], markersize=4)
    ax.set(xlim=(-2, 2), ylim=(-2, 2), aspect="equal", xlabel="$x$", ylabel="$y$")


def plot_apart(ax: Axes, apart: Array, multiplier: float) -> None:
    """|x - y| of runs (K + 1, N) over the step number, with a guide that falls by
    `multiplier` every two steps.
    """
    count = np.arange(len(apart))
    ax.plot(
        count, apart, color=PALETTE["blue"], linestyle="-", linewidth=0.8, alpha=0.7
    )
    guide = multiplier ** (count / 2)
    ax.plot(count, guide, color=PALETTE["orange"], linestyle="--", linewidth=2)
    ax.set(yscale="log", ylim=(1e-12, 10), xlabel="step $k$", ylabel="$|x - y|$")


def plot_critical(ax: Axes, sizes: Array, critical: Array, sufficient: Array) -> None:
    """Critical and sufficient steps (S, Q) over 2 / lambda, by batch size."""
    ax.plot(
        sizes, critical, color=PALETTE["blue"], linestyle="-", marker="o", linewidth=1
    )
    ax.plot(sizes, sufficient, color=PALETTE["orange"], linestyle=":", linewidth=1)
    ax.set(
        xscale="log",
        ylim=(0, 1.05),
        xlabel="batch size $B$",
        ylabel=r"step over $2/\lambda_{\max}$",
    )
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.minorticks_off()


def plot_mean_and_median(
    ax: Axes, steps: Array, exact: Array, mean: Array, median: Array
) -> None:
    """Squared distance over the number of steps: its exact mean, the mean of the chains
    and their median.
    """
    ax.plot(steps, exact, color=PALETTE["red"], linestyle="-", label="mean, exact")
    ax.plot(
        steps, mean, color=PALETTE["orange"], linestyle="--", label="mean of the chains"
    )
    ax.plot(
        steps,
        median,
        color=PALETTE["blue"],
        linestyle="-.",
        label="median of the chains",
    )
    ax.set(yscale="log", xlabel="step $k$", ylabel=r"$|\theta|^2$")
    ax.legend(loc="lower left", fontsize=8.5)
