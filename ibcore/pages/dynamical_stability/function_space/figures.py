"""Figures of the page on what stability says of the function."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]


def plot_spline(
    ax: Axes, x: Array, y: Array, grid: Array, start: Array, now: Array | None = None
) -> None:
    """Points x, y (n,), the function of the start and, where given, another one on the
    grid.
    """
    color = PALETTE["blue"] if now is None else PALETTE["gray"]
    ax.plot(
        grid, start, color=color, linestyle="-" if now is None else "--", linewidth=1.4
    )
    if now is not None:
        ax.plot(grid, now, color=PALETTE["blue"], linestyle="-", linewidth=2.2)
    ax.plot(x, y, "o", color=PALETTE["orange"], markersize=6)
    ax.set(xlabel="$x$", ylabel="$f(x)$", ylim=(-1.9, 1.9), title="The function")


def plot_bends(
    ax: Axes, steps: Array, bends: Array, at: int | None = None, title: str = ""
) -> None:
    """Integrals of settled minima over their steps, (k,) each, below the bound; the one
    `at` is marked.
    """
    line = np.geomspace(steps.min() / 1.5, steps.max() * 1.6, 200)
    bound = 1 / (2 * line) - 0.5
    ax.plot(line, bound, color=PALETTE["red"], linestyle="-")
    ax.fill_between(line, bound, 1e4, color=PALETTE["red"], alpha=0.12)
    ax.plot(
        steps, bends, color=PALETTE["gray"], linestyle=":", marker="o", markersize=4.5
    )
    if at is not None:
        ax.plot(steps[at], bends[at], "o", color=PALETTE["blue"], markersize=9)
    middle = len(line) // 3
    ax.annotate(
        r"bound $\frac{1}{2\eta} - \frac{1}{2}$",
        (line[middle], bound[middle]),
        (8, 6),
        textcoords="offset points",
        color=PALETTE["red"],
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(line[0], line[-1]),
        ylim=(bends.min() / 2, 3 * bound[0]),
        xlabel=r"step $\eta$",
        ylabel=r"$\int |f''|\, g$",
        title=title,
    )


def plot_pairs(
    ax: Axes,
    before: Array,
    after: Sequence[Array],
    labels: Sequence[str],
    ylabel: str,
) -> None:
    """One line a run from `before` (B,) to each of `after` (B,), in as many columns."""
    for k, (values, label) in enumerate(zip(after, labels, strict=True)):
        color = list(PALETTE.values())[k]
        left = 1.6 * k
        for first, last in zip(before, values, strict=True):
            ax.plot(
                [left, left + 1],
                [first, last],
                color=color,
                linestyle="-",
                marker="o",
                linewidth=1,
                markersize=4,
            )
        ax.annotate(
            label,
            (left + 0.5, 1.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            color=color,
        )
    ticks = [place for k in range(len(after)) for place in (1.6 * k, 1.6 * k + 1)]
    ax.set_xticks(ticks, ["start", "end"] * len(after))
    ax.set(ylabel=ylabel, ylim=(0, None))


def plot_slopes(
    ax: Axes, bounds: Sequence[Array], slopes: Sequence[Array], labels: Sequence[str]
) -> None:
    """Gradients in the input over their bounds, (N,) each, and the line where the two
    are equal.

    Examples at which no neuron is active have both zero and are left out.
    """
    alive = [bound > 0 for bound in bounds]
    bounds = [bound[kept] for bound, kept in zip(bounds, alive, strict=True)]
    slopes = [slope[kept] for slope, kept in zip(slopes, alive, strict=True)]
    for k, (bound, slope, label) in enumerate(zip(bounds, slopes, labels, strict=True)):
        ax.plot(
            bound,
            slope,
            marker="os"[k],
            color=list(PALETTE.values())[k],
            markersize=3.5,
            alpha=0.55,
            label=label,
            linestyle="none",
        )
    ends = np.array([min(b.min() for b in bounds), max(b.max() for b in bounds)])
    ax.plot(ends, ends, color=PALETTE["gray"], linestyle="-", linewidth=1.2)
    ax.annotate(
        "equal",
        (ends.prod() ** 0.5, ends.prod() ** 0.5),
        (-12, 14),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"bound $|W_1|_2\, |\nabla_{W_1} f| / |x_i|$",
        ylabel=r"$|\nabla_x f(x_i)|$",
    )
    ax.legend(loc="lower right")


def plot_coefficients(
    ax: Axes, truth: Array, rows: Sequence[Array], labels: Sequence[str]
) -> None:
    """Coefficients (d,) of predictors, those where the truth is not zero first, and the
    truth as open squares.
    """
    order = np.argsort(-np.abs(truth), kind="stable")
    places = np.arange(len(truth))
    for k, (row, label) in enumerate(zip(rows, labels, strict=True)):
        color = list(PALETTE.values())[1 - k]
        ax.vlines(places + 0.25 * k, 0, row[order], color=color, linewidth=1.6)
        ax.plot(
            places + 0.25 * k,
            row[order],
            marker="o",
            linestyle="none",
            color=color,
            markersize=3.5,
            label=label,
        )
    count = int((truth != 0).sum())
    ax.plot(
        places[:count] + 0.12,
        truth[order][:count],
        "s",
        color=PALETTE["gray"],
        markersize=9,
        markerfacecolor="none",
        markeredgewidth=1.3,
        label="truth",
        zorder=0,
    )
    ax.set(xlabel="coordinate, those of the truth first", ylabel=r"$\beta_j$")
    ax.legend(loc="upper right")


def plot_norms(ax: Axes, flow: Array, ends: Array, least: Array, title: str) -> None:
    """|beta|_1 over its least value where vanishing steps and where large steps lead, a
    line a data set, (B,) each.
    """
    for first, last in zip(flow / least, ends / least, strict=True):
        falls = last < first
        ax.plot(
            [0, 1],
            [first, last],
            marker="o",
            color=PALETTE["blue" if falls else "red"],
            linestyle="-" if falls else "--",
            linewidth=1.1,
            markersize=4,
        )
    ax.axhline(1, color=PALETTE["gray"], linestyle="-", linewidth=1.2)
    ax.set_xticks([0, 1], ["vanishing\nsteps", "large\nsteps"])
    ax.set(xlim=(-0.25, 1.25), ylim=(0.9, None), title=title)
