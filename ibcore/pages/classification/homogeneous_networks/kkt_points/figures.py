"""Figures of the page on KKT points of homogeneous networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
Groups = Mapping[str, Array]


def plot_neurons(
    ax: Axes, X: Array, y: Array, a: Array, w: Array, *, reach: float = 1.25
) -> None:
    """Points of two classes on a circle, the rays orthogonal to them (kinks), and each
    neuron along w, of length |a w|.

    Lengths are relative to the largest. Neurons with a > 0 are solid, the others
    dashed.
    """
    for point in X:
        normal = np.array([-point[1], point[0]]) / np.linalg.norm(point)
        ax.plot(
            *np.outer([-reach, reach], normal).T,
            color=PALETTE["gray"],
            linestyle=":",
            linewidth=1,
        )
    lengths = np.abs(a) * np.linalg.norm(w, axis=1)
    for sign, direction, length in zip(
        np.sign(a), w, lengths / lengths.max(), strict=True
    ):
        color, line = (
            (PALETTE["orange"], "-") if sign > 0 else (PALETTE["purple"], "--")
        )
        tip = 0.9 * length * direction / np.linalg.norm(direction)
        ax.plot([0, tip[0]], [0, tip[1]], color=color, linestyle=line, linewidth=2.2)
        ax.plot(*tip, ".", color=color, markersize=8)
    ax.plot(*X[y > 0].T, "o", color=PALETTE["orange"], markersize=9)
    ax.plot(*X[y < 0].T, "s", color=PALETTE["purple"], markersize=8)
    ax.set(
        xlim=(-reach, reach),
        ylim=(-reach, reach),
        aspect="equal",
        xticks=[],
        yticks=[],
        title="Points and neurons",
    )
    ax.grid(visible=False)


def plot_history(
    ax: Axes, clock: Array, margins: Array, residuals: Array, current: int
) -> None:
    """Normalized margin, relative to its last value, and KKT residual over the growth
    of log |theta|.
    """
    ax.plot(clock, margins, color=PALETTE["blue"], linestyle="-")
    ax.plot(clock, residuals, color=PALETTE["red"], linestyle="--")
    for values, color, mark in ((margins, "blue", "o"), (residuals, "red", "D")):
        ax.plot(
            clock[current], values[current], mark, color=PALETTE[color], markersize=8
        )
    ax.annotate(
        "margin",
        (clock[-1], margins[-1]),
        (-4, -14),
        textcoords="offset points",
        ha="right",
        color=PALETTE["blue"],
    )
    ax.annotate(
        "KKT residual",
        (clock[-1], residuals[-1]),
        (-4, 8),
        textcoords="offset points",
        ha="right",
        color=PALETTE["red"],
    )
    ax.set(
        xlabel=r"$\log\|\theta\|$, from the start",
        ylim=(-0.03, 1.08),
        title="How far along",
    )


def plot_residuals(ax: Axes, groups: Groups, bars: Sequence[float]) -> None:
    """Residuals of groups of networks as dots on a logarithmic axis, with a tick mark
    at each group's bar.
    """
    _plot_rows(ax, groups, ("green", "blue", "red", "gray"))
    for row, bar in enumerate(bars):
        ax.plot(
            [bar, bar],
            [-row - 0.38, -row + 0.38],
            color=PALETTE["orange"],
            linewidth=2.5,
        )
    ax.set(xlabel="residual", xlim=(1e-5, 2))


def plot_apart(ax: Axes, groups: Groups) -> None:
    """Angles in degrees for each of the named groups, as rows of dots on a logarithmic
    axis.
    """
    _plot_rows(ax, groups, ("green", "blue", "gray", "red"))
    ax.set(xlabel="angle, in degrees", xlim=(5e-3, 180))


def _plot_rows(ax: Axes, groups: Groups, colors: Sequence[str]) -> None:
    """A row of dots for each group, with its name, on a logarithmic axis."""
    rows = zip(groups.values(), colors, strict=False)
    for row, (values, color) in enumerate(rows):
        ax.plot(
            np.asarray(values),
            np.full(len(values), -row) + np.linspace(-0.18, 0.18, len(values)),
            "o",
            color=PALETTE[color],
            markersize=5,
            alpha=0.75,
        )
    ax.set(xscale="log", ylim=(0.6 - len(groups), 0.6))
    ax.set_yticks([-row for row in range(len(groups))], list(groups))


def plot_smoothed(ax: Axes, stops: Array, alone: Array, skip: Array) -> None:
    """Smoothed margins (K, B) alone and beside a linear part, relative to their last,
    over -log L = -`stops` (K,).
    """
    families = (
        (alone, "blue", "-", "alone"),
        (skip, "orange", "--", "with a linear part"),
    )
    for values, color, line, label in families:
        curves = ax.plot(
            -stops,
            values / values[-1],
            color=PALETTE[color],
            linestyle=line,
            linewidth=1.3,
        )
        curves[0].set_label(label)
    ax.legend()
    ax.set(
        xscale="log", yscale="log", xlabel=r"$\log(1/L)$", ylabel="relative to the last"
    )


def plot_products(ax: Axes, log_times: Array, products: Sequence[Array]) -> None:
    """The product that should tend to 1, (K, B) for k = 1, 2, 3, over log t."""
    for k, (values, color, line) in enumerate(
        zip(products, ("gray", "blue", "orange"), ("-", "--", "-."), strict=True), 1
    ):
        curves = ax.plot(
            log_times, values, color=PALETTE[color], linestyle=line, linewidth=1.3
        )
        curves[0].set_label(f"k = {k}")
    ax.legend()
    ax.set(xscale="log", xlabel=r"$\log t$", ylabel="product", ylim=(0.9, 1.25))


def plot_alignment(
    ax: Axes, stops: Array, gaps: Array, faster_stops: Array, faster: Array
) -> None:
    """1 - cos of theta and the negative gradient over log(1/L), along gradient flow (K,
    B) at log L = `stops` (K,), and (S, B) at `faster_stops` (S,) where the output layer
    learns faster.
    """
    ax.plot(-stops, gaps, color=PALETTE["blue"], linestyle="-", linewidth=1.2)
    ax.plot(-faster_stops, faster, color=PALETTE["red"], linestyle="--", linewidth=1.2)
    ax.annotate(
        "output layer four times as fast",
        (-faster_stops[-1], float(np.median(faster[-1]))),
        (-4, 8),
        textcoords="offset points",
        ha="right",
        color=PALETTE["red"],
    )
    ax.annotate(
        "gradient flow",
        (-stops[0], float(np.median(gaps[-1]))),
        (6, 4),
        textcoords="offset points",
        color=PALETTE["blue"],
    )
    ax.set(xscale="log", yscale="log", xlabel=r"$\log(1/L)$", ylabel=r"$1 - \cos$")


def plot_shares(ax: Axes, stops: Array, families: Groups) -> None:
    """Share of the first part in the output (K, B), for families of sums, over log(1/L)
    = -`stops` (K,).
    """
    styles = (
        ("blue", "-", (6, 8)),
        ("orange", "--", (-34, -22)),
        ("gray", ":", (0, -16)),
    )
    for (name, shares), (color, line, offset) in zip(
        families.items(), styles, strict=False
    ):
        ax.plot(-stops, shares, color=PALETTE[color], linestyle=line, linewidth=1.2)
        ax.annotate(
            name,
            (-stops[-2], float(np.median(shares[-2]))),
            offset,
            textcoords="offset points",
            color=PALETTE[color],
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"$\log(1/L)$",
        ylabel="share of the first part",
    )
