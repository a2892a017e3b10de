"""Figures of the page on margins of two-layer networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
_STYLES = (
    ("blue", "-", "o"),
    ("orange", "--", "s"),
    ("green", "-.", "^"),
    ("purple", ":", "D"),
    ("red", "-", "v"),
)


def plot_landscape(ax: Axes, first: Array, second: Array, heights: Array) -> None:
    """Best normalized margin over the angles of the two neurons in degrees: heights
    (second, first).
    """
    ax.imshow(
        heights,
        origin="lower",
        extent=(first[0], first[-1], second[0], second[-1]),
        aspect="auto",
        interpolation="nearest",
        vmin=0,
        vmax=0.52,
        cmap="cividis",
    )
    ax.set(
        xlabel="angle of the first neuron",
        ylabel="angle of the second",
        title="Margin over directions",
    )
    ax.set_xticks([0, 90, 180], ["0°", "90°", "180°"])
    ax.set_yticks([-90, 0, 90, 180, 270], ["-90°", "0°", "90°", "180°", "270°"])
    ax.grid(visible=False)


def plot_walk(
    ax: Axes, first: Array, second: Array, ends: Sequence[tuple[float, float]]
) -> None:
    """The walk of the two angles from a ring to a diamond, and crosses where the margin
    is largest.
    """
    ax.plot(*np.array(ends).T, "x", color="white", markersize=9, markeredgewidth=2.5)
    ax.plot(first, second, color=PALETTE["red"], linestyle="-", linewidth=2.2)
    ax.plot(
        first[0],
        second[0],
        "o",
        color=PALETTE["red"],
        markersize=8,
        markerfacecolor="white",
    )
    ax.plot(first[-1], second[-1], "D", color=PALETTE["red"], markersize=8)


def plot_rise(
    ax: Axes, depths: Array, margins: Array, trap: float, best: float
) -> None:
    """Normalized margin over log(1/L) with lines at the two possible ends."""
    for level, name in ((trap, "KKT point, 1/4"), (best, "optimum, 0.515")):
        ax.axhline(level, color=PALETTE["gray"], linestyle="--", linewidth=1.3)
        ax.annotate(
            name,
            (depths[0], level),
            (2, 4),
            textcoords="offset points",
            color=PALETTE["gray"],
        )
    ax.plot(depths, margins, color=PALETTE["red"], linestyle="-")
    ax.plot(depths[-1], margins[-1], "D", color=PALETTE["red"], markersize=8)
    ax.set(
        xscale="log", ylim=(0, 0.6), xlabel=r"$\log(1/L)$", title="Normalized margin"
    )


def plot_trap_gaps(ax: Axes, depths: Array, caught: Array, escaped: Array) -> None:
    """Relative distances (K, B) to 1/4 and to the optimum over log(1/L), with a line of
    slope -1.
    """
    names = ("in the trap, to 1/4", r"one neuron a point, to $\sqrt{17}/8$")
    for gaps, (color, line, _), name in zip(
        (caught, escaped), _STYLES, names, strict=False
    ):
        ax.plot(
            depths, gaps, color=PALETTE[color], linestyle=line, linewidth=0.9, alpha=0.6
        )
        ax.annotate(
            name,
            (0.97, 0.9 if color == "blue" else 0.8),
            xycoords="axes fraction",
            ha="right",
            color=PALETTE[color],
        )
    ax.set(
        xscale="log", yscale="log", xlabel=r"$\log(1/L)$", ylabel="relative distance"
    )


def plot_potential(
    ax: Axes, X: Array, y: Array, dual: Array, directions: Array, masses: Array
) -> None:
    """The dual potential sum_i l_i y_i relu(u.x_i) over the angle of u, the optimal
    neurons on it, the data below.
    """
    angles = np.linspace(0, 2 * np.pi, 721)
    circle = np.stack([np.cos(angles), np.sin(angles)], -1)
    ax.plot(
        np.degrees(angles),
        np.maximum(circle @ X.T, 0) @ (dual * y),
        color=PALETTE["blue"],
    )
    for level in (-1, 1):
        ax.axhline(level, color=PALETTE["gray"], linestyle="--", linewidth=1.2)
    at = np.degrees(np.arctan2(directions[:, 1], directions[:, 0])) % 360
    ax.plot(at, np.sign(masses), "D", color=PALETTE["red"], markersize=8)
    places = np.degrees(np.arctan2(X[:, 1], X[:, 0])) % 360
    ax.plot(
        places[y > 0],
        np.full((y > 0).sum(), -1.45),
        "o",
        color=PALETTE["orange"],
        markersize=7,
    )
    ax.plot(
        places[y < 0],
        np.full((y < 0).sum(), -1.45),
        "s",
        color=PALETTE["purple"],
        markersize=6.5,
    )
    ax.set(
        xlim=(-5, 365),
        ylim=(-1.7, 1.35),
        xticks=range(0, 361, 90),
        xlabel="angle of the direction u in degrees",
        ylabel="dual potential",
    )


def plot_width_gaps(
    ax: Axes, widths: Sequence[int], gaps: Array, stops: Sequence[float]
) -> None:
    """Gaps to the variation-norm margin (stops, widths, runs) over the width: runs as
    marks, line of their medians.

    A run without a gap (NaN) has no mark, and the median is that of the others.
    """
    for row, stop, (color, line, mark) in zip(gaps, stops, _STYLES, strict=False):
        values = np.maximum(row, 1e-12)
        medians = np.ma.median(np.ma.masked_invalid(values), -1).filled(np.nan)
        ax.plot(widths, medians, color=PALETTE[color], linestyle=line)
        places = np.repeat(widths, values.shape[1])
        ax.plot(
            places,
            values.ravel(),
            mark,
            color=PALETTE[color],
            markersize=3.5,
            alpha=0.6,
        )
        ax.annotate(
            f"log L = {stop:.0e}".replace("e+0", "e").replace("e+", "e"),
            (widths[-1], medians[-1]),
            (6, -3),
            textcoords="offset points",
            color=PALETTE[color],
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="width",
        ylabel="relative gap",
        xlim=(widths[0] * 0.8, widths[-1] * 8),
    )
    ax.set_xticks(list(widths), [str(width) for width in widths])
