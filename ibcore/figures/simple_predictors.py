"""Figures of the page on networks that become simple."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures.style import PALETTE

Array = NDArray[np.float64]


def draw_line_network(ax: Axes, grid: Array, values: Array, x: Array, y: Array) -> None:
    """f over the line, scaled to mean absolute value 1 at the points and cut at 3, with
    the points at their labels.
    """
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    ax.plot(grid, values, color=PALETTE["blue"], linestyle="-", linewidth=2)
    ax.plot(
        x[y > 0],
        np.full(int((y > 0).sum()), 1.0),
        "o",
        color=PALETTE["orange"],
        markersize=5,
    )
    ax.plot(
        x[y < 0],
        np.full(int((y < 0).sum()), -1.0),
        "s",
        color=PALETTE["purple"],
        markersize=5,
    )
    ax.set(ylim=(-3, 3), ylabel="$f(x)$, scaled", title="The network and the points")


def draw_kink_bars(ax: Axes, positions: Array, jumps: Array) -> None:
    """Jumps of the slope, relative to the largest, as stems over their positions."""
    sizes = jumps / max(float(np.abs(jumps).max(initial=0.0)), 1e-300)
    ax.vlines(positions, 0, sizes, color=PALETTE["red"], linewidth=2)
    ax.plot(positions, sizes, "D", color=PALETTE["red"], markersize=4)
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    ax.set(ylim=(-1.2, 1.2), xlabel="$x$", ylabel="jumps")


def draw_alignment(ax: Axes, log_losses: Array, sines: Array, uneven: Array) -> None:
    """Largest sine of a neuron to +-w_hat (K, B) over log(1/L) with mirror images;
    squares at the first stop for neurons with mirror images of another length.
    """
    x = -log_losses
    ax.plot(x, sines, color=PALETTE["blue"], linestyle="-", linewidth=1)
    ax.plot(x, 0.6 * x**-0.5, color=PALETTE["gray"], linestyle="--")
    ax.annotate(
        r"slope $-1/2$",
        (x[2], 0.6 * x[2] ** -0.5),
        (4, 6),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.annotate(
        "mirrored data",
        (x[2], float(sines[2].min())),
        (-10, -26),
        textcoords="offset points",
        color=PALETTE["blue"],
    )
    found = uneven[uneven > 0]
    ax.plot(
        np.full(len(found), x[0]),
        found,
        "s",
        color=PALETTE["red"],
        markersize=4,
        alpha=0.5,
    )
    ax.annotate(
        "neurons, longer mirror images",
        (x[0], 1.0),
        (8, 0),
        textcoords="offset points",
        color=PALETTE["red"],
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"$\log(1/L)$",
        ylabel=r"sin of the angle to $\pm\hat w$",
        ylim=(1e-7, 4),
    )


def draw_boundaries(
    ax: Axes, angles: Array, curves: Sequence[Array], names: Sequence[str]
) -> None:
    """f on the unit circle over the angle in degrees, relative to its largest absolute
    value, for several networks.
    """
    looks = (("blue", "-"), ("red", "--"))
    for curve, name, (color, line) in zip(curves, names, looks, strict=True):
        ax.plot(
            angles,
            curve / np.abs(curve).max(),
            color=PALETTE[color],
            linestyle=line,
            label=name,
        )
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    ax.set(
        xlabel="angle of $x$ in degrees",
        ylabel="$f(x)$, relative",
        xticks=range(0, 361, 60),
    )
    ax.legend(loc="upper left")


def draw_region_counts(
    ax: Axes, changes: Array, fine: Array, coarse: Array, frozen: Array
) -> None:
    """Regions over the number of sign changes: before and after merging, and with the
    hidden layer frozen.
    """
    ax.plot(changes - 0.06, frozen, "s", color=PALETTE["red"], markersize=6)
    ax.plot(
        changes + 0.06,
        fine,
        "o",
        color=PALETTE["gray"],
        markersize=6,
        markerfacecolor="none",
    )
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
    ax.set(
        xlabel="sign changes $r$",
        ylabel="linear regions",
        xticks=[3, 4, 5],
        ylim=(0, None),
    )
