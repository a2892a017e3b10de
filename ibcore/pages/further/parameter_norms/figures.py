"""Figures of the page on parameter norms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]


def plot_points(ax: Axes, x: Array, y: Array) -> None:
    """The data, (n,) each."""
    ax.plot(x, y, "o", color=PALETTE["orange"], markersize=7, zorder=5)
    ax.set(xlabel="$x$", ylabel="$f(x)$")


def plot_band(ax: Axes, grid: Array, low: Array, high: Array) -> None:
    """Where interpolants of least cost can be: between `low` and `high` (k,) on `grid`
    (k,).
    """
    ax.fill_between(grid, low, high, color=PALETTE["green"], alpha=0.35, linewidth=0)


def plot_curves(ax: Axes, grid: Array, curves: Sequence[Array]) -> None:
    """Up to three functions (k,) on `grid` (k,)."""
    styles = (("blue", "-"), ("red", "--"), ("gray", ":"))
    for curve, (color, style) in zip(curves, styles, strict=False):
        ax.plot(grid, curve, color=PALETTE[color], linestyle=style, linewidth=1.8)


def plot_slopes(ax: Axes, grid: Array, curve: Array, x: Array, slopes: Array) -> None:
    """The slope of a piecewise linear function (k,) on `grid` (k,), and its mean (n -
    1,) in each gap of x (n,).
    """
    middle = (grid[1:] + grid[:-1]) / 2
    slope = np.diff(curve) / np.diff(grid)
    ax.plot(middle, slope, color=PALETTE["blue"], linestyle="-", linewidth=1.8)
    for left, right, mean in zip(x[:-1], x[1:], slopes, strict=True):
        ax.plot([left, right], [mean, mean], color=PALETTE["orange"], linestyle=":")
    ax.set(xlabel="$x$", ylabel="$f'(x)$")


def plot_costs(
    ax: Axes, strengths: Array, trained: Array, predicted: Array, zero: Array
) -> None:
    """Cost over the least one, trained (S, D) at `strengths` (S,), on lines through the
    predicted (S, D).

    zero: (D,), what the trained ones are extrapolated to at strength 0.
    """
    lines = np.concatenate([np.ones_like(zero)[None], predicted[::-1]])
    ax.plot(
        [0, *strengths[::-1]],
        lines,
        color=PALETTE["gray"],
        linestyle="-",
        linewidth=0.9,
    )
    ax.plot(strengths, trained, "o", color=PALETTE["blue"], markersize=4.5)
    ax.plot(
        np.zeros_like(zero),
        zero,
        "D",
        color=PALETTE["red"],
        markersize=5,
        markerfacecolor="none",
        clip_on=False,
        zorder=5,
    )
    ax.set(
        xlim=(0, strengths.max() * 1.08),
        xlabel=r"strength $\lambda$",
        ylabel="cost over the least",
    )
    ax.set_xticks([0, *strengths], ["0", *(f"{value:g}" for value in strengths)])


def plot_balls(ax: Axes, depths: Sequence[int]) -> None:
    """Predictors in the plane that cost as much as (1, 0): of connected layers, and of
    up to three diagonal depths.
    """
    angles = np.linspace(0, 2 * np.pi, 721)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    gray = PALETTE["gray"]
    ax.plot(*circle, color=gray, linestyle="--", linewidth=1.4, label="connected")
    styles = (("blue", "-"), ("green", "-."), ("red", ":"))
    for depth, (color, style) in zip(depths, styles, strict=False):
        power = 2 / depth
        ball = circle / (np.abs(circle) ** power).sum(0) ** (1 / power)
        name = f"diagonal, $k = {depth}$"
        ax.plot(*ball, color=PALETTE[color], linestyle=style, label=name)
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    ax.set(
        aspect="equal",
        xlim=(-1.15, 1.15),
        ylim=(-1.15, 1.15),
        xlabel=r"$\beta_1$",
        ylabel=r"$\beta_2$",
    )


def plot_scales(
    ax: Axes, scales: Array, excess: Array, powers: Array | None = None
) -> None:
    """Cost over the least one, less 1, (S, B) at falling scales (S,) of the start.

    powers: (B,), predicted; a line of this slope is drawn from the third scale on.
    """
    if powers is not None:
        ratios = scales[2:, None] / scales[2]
        ax.plot(
            scales[2:],
            np.maximum(excess[2] * ratios**powers, 1e-7),
            color=PALETTE["gray"],
            linestyle="--",
            linewidth=0.9,
        )
    ax.plot(
        scales,
        np.maximum(excess, 1e-7),
        color=PALETTE["blue"],
        linestyle="-",
        marker="o",
        markersize=4,
        linewidth=0.9,
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="scale of the start",
        ylabel="cost over the least, less 1",
    )
