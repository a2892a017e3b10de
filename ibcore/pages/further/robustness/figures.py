"""Figures of the page on adversarial robustness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]


def plot_digit(ax: Axes, pixels: Array, title: str, reach: float = 0.0) -> None:
    """An image (64,) in gray, or with `reach` a change of it in two colors from -reach
    to reach.
    """
    colors = {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach} if reach else {
        "cmap": "gray_r", "vmin": 0, "vmax": 16
    }  # fmt: skip
    ax.imshow(pixels.reshape(8, 8), **colors)  # type: ignore[arg-type]
    ax.set(xticks=[], yticks=[], title=title)
    ax.grid(visible=False)


def plot_outputs(
    ax: Axes, before: Array, after: Array, first: int, names: Sequence[str]
) -> None:
    """y_i f(x_i) of all points (n,) before and after a move; the `first` points are of
    the class +1.
    """
    places = np.arange(len(before))
    gap = np.full(len(before), np.nan)
    ax.plot(
        np.repeat(places, 3),
        np.stack([before, after, gap], 1).ravel(),
        color=PALETTE["gray"],
        linestyle="-",
        linewidth=0.8,
        alpha=0.6,
    )
    flipped = after <= 0
    for chosen, color, marker in ((~flipped, "blue", "o"), (flipped, "red", "X")):
        ax.plot(
            places[chosen],
            after[chosen],
            marker,
            color=PALETTE[color],
            markersize=5,
            linestyle="",
        )
    ax.axhline(0, color=PALETTE["gray"], linestyle="-", linewidth=1)
    ax.axvline(first - 0.5, color=PALETTE["gray"], linestyle=":", linewidth=1)
    ax.set(
        ylim=(-2.5, 2.5),
        title="margins $y_i f$",
    )
    ax.set_xticks([first / 2, first + (len(before) - first) / 2], names)
    ax.tick_params(axis="x", length=0)


def plot_profiles(
    ax: Axes, lengths: Array, margins: Array, title: str, color: str
) -> None:
    """y_i f along the universal direction, (T, n), over the length of the move in units
    of sqrt(d).
    """
    ax.plot(lengths, margins, color=PALETTE[color], linestyle="-", linewidth=1)
    ax.axhline(0, color=PALETTE["red"], linestyle=":", linewidth=1.4)
    ax.set(
        xlim=(0, lengths[-1]),
        ylim=(-1.05, 1.15),
        xlabel=r"length of the move, over $\sqrt{d}$",
        title=title,
    )


def plot_norms(ax: Axes, norms: Array, bound: float, title: str) -> None:
    """Norms that flip the points, (B, n) in units of sqrt(d/n), a column of dots for
    every network.
    """
    for place, row in enumerate(norms):
        ax.plot(
            np.full(len(row), place),
            row,
            "o",
            color=PALETTE["blue"],
            markersize=3.2,
            linestyle="",
            alpha=0.7,
        )
        ax.plot(
            [place - 0.3, place + 0.3],
            [np.median(row)] * 2,
            color=PALETTE["orange"],
            linestyle="-",
            linewidth=2.2,
        )
    for level in (1.0, bound):
        ax.axhline(level, color=PALETTE["gray"], linestyle=":", linewidth=1.3)
    ax.set(
        ylim=(0, 2.1),
        xticks=[],
        xlabel="networks",
        title=title,
    )


def plot_scaling(
    ax: Axes, points: Sequence[int], norms: Sequence[Array], radii: Array
) -> None:
    """Norms over sqrt(d) that flip points (B, n) for every n, 1/sqrt(n), and radii (N,
    B) of constructed networks.
    """
    n = np.array(points, dtype=float)
    median = np.array([np.median(row) for row in norms])
    ends = np.array([[row.min(), row.max()] for row in norms])
    ax.fill_between(n, *ends.T, color=PALETTE["blue"], alpha=0.2, linewidth=0)
    ax.plot(
        n,
        median,
        "o-",
        color=PALETTE["blue"],
        label="trained: flipped by one direction",
    )
    ax.plot(
        n,
        1 / np.sqrt(n),
        color=PALETTE["gray"],
        linestyle="--",
        linewidth=1.2,
        label=r"$1/\sqrt{n}$",
    )
    ax.plot(
        n,
        np.median(radii, axis=1),
        "s-",
        color=PALETTE["green"],
        label="constructed: flipped by nothing shorter",
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="number of points $n$",
        ylabel=r"length over $\sqrt{d}$",
        ylim=(0.07, 1.2),
    )
    ax.minorticks_off()
    ax.set_xticks(n, [f"{value:g}" for value in n])
    ax.set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])


def plot_shares(ax: Axes, derived: Array, measured: Array) -> None:
    """Shares (S, B) flipped by random directions over what is derived for them."""
    for row, color, marker, label in zip(
        range(len(derived)),
        ("blue", "orange"),
        ("o", "D"),
        ("default start", "a tenth of it"),
        strict=True,
    ):
        ax.plot(
            derived[row],
            measured[row],
            marker,
            color=PALETTE[color],
            linestyle="",
            label=label,
        )
    top = 1.25 * max(float(derived.max()), float(measured.max()))
    line = np.array([0, top])
    ax.plot(line, line, color=PALETTE["gray"], linestyle="--", linewidth=1.2)
    ax.set(
        xlim=(0, top),
        ylim=(0, top),
        xlabel="derived share",
        ylabel="share of points flipped",
    )
