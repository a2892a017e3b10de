"""Figures of the page on large steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
COLORS = ("red", "orange", "green", "blue")
BURST = 100  # steps, about the time from one burst of jumps to the next
STYLES = ("-", "--", "-.", (0, (4, 1)))


def plot_plane(
    ax: Axes, path: Array, orbit: tuple[float, float], target: float
) -> None:
    """Iterates (K, 2) of (x, y) with y along the axis, the orbit of the program and the
    minimum.
    """
    ax.plot(
        path[:, 1],
        path[:, 0],
        color=PALETTE["blue"],
        linestyle="",
        marker="o",
        markersize=2.2,
        label="descent",
    )
    ax.plot(target, 0, "*", color=PALETTE["orange"], markersize=12, label="minimum")
    x, y = orbit
    ax.plot(
        [y, y],
        [-x, x],
        "s",
        color=PALETTE["green"],
        markersize=9,
        fillstyle="none",
        label="program",
    )
    ax.set(xlabel="along the valley, $y$", title="across, $x$")
    ax.legend(loc="lower left", fontsize=8)


def plot_heights(
    ax: Axes, curves: dict[str, tuple[Array, Array]], limit: float
) -> None:
    """Times and y for gradient descent, its running mean, gradient flow and the central
    flow, by these names; gray, the largest y that the constraint allows.
    """
    styles = (
        ("blue", "-", 1.0),
        ("red", ":", 2.6),
        ("orange", "--", 1.6),
        ("green", "-.", 1.8),
    )
    for (name, (times, values)), (color, line, width) in zip(
        curves.items(), styles, strict=True
    ):
        ax.plot(
            times,
            values,
            color=PALETTE[color],
            linestyle=line,
            linewidth=width,
            label=name,
        )
    ax.axhline(limit, color=PALETTE["gray"], linewidth=0.8, linestyle="-")
    ax.set(xlabel=r"time $\eta k$", title="$y$ over time")
    ax.legend(loc="lower right", fontsize=8)


def plot_losses(
    ax: Axes, losses: Array, step_sizes: Sequence[float], gamma: float
) -> None:
    """Losses (T + 1, E) of one data set over the steps, and 1 / (gamma^2 eta k) in
    gray.
    """
    steps = np.arange(1, len(losses))
    shown = np.unique(np.geomspace(1, len(losses) - 1, 160).round().astype(int))
    shown = np.union1d(shown, np.arange(1, min(40, len(losses))))
    for column, (size, color, line) in enumerate(
        zip(step_sizes, COLORS, STYLES, strict=False)
    ):
        ax.plot(
            steps,
            1 / (gamma**2 * size * steps),
            color=PALETTE["gray"],
            linewidth=0.8,
            linestyle="-",
        )
        ax.plot(
            shown,
            losses[shown, column],
            color=PALETTE[color],
            linestyle=line,
            label=rf"$\eta = {size:g}$",
        )
    ax.set(xscale="log", yscale="log", xlabel="step $k$", title="loss")


def plot_margins(
    ax: Axes, at: Array, margins: Array, step_sizes: Sequence[float]
) -> None:
    """Margins over the largest possible, (K, E), of one data set at the steps `at`."""
    for column, (size, color, line) in enumerate(
        zip(step_sizes, COLORS, STYLES, strict=False)
    ):
        ax.plot(
            at,
            margins[:, column],
            color=PALETTE[color],
            linestyle=line,
            label=rf"$\eta = {size:g}$",
        )
    ax.axhline(1, color=PALETTE["gray"], linewidth=0.8, linestyle="-")
    ax.set(xscale="log", ylim=(-0.1, 1.05), xlabel="step $k$", title="margin / largest")
    ax.legend(loc="lower right", fontsize=8)


def plot_threshold(ax: Axes, shares: Array, off: Array) -> None:
    """Distances (F, B) of the mean of y from the program over the share of the way to
    the critical step, (F,).
    """
    ax.axvline(1, color=PALETTE["gray"], linewidth=0.9, linestyle="-")
    for member in off.T:
        ax.plot(
            shares,
            np.maximum(member, 1e-13),
            color=PALETTE["blue"],
            linestyle="-",
            linewidth=0.7,
            marker="o",
            markersize=3.5,
        )
    ax.set(
        yscale="log",
        xlabel="way from the stable step to the critical one",
        ylabel="distance of the mean of $y$",
    )


def plot_mean_losses(ax: Axes, losses: Array, predicted: Array, without: Array) -> None:
    """The loss of one run (K,), that of the central flow with and without the term of
    the jumps.
    """
    ax.plot(
        losses, color=PALETTE["blue"], linestyle="-", linewidth=0.6, label="descent"
    )
    for values, color, line, name in (
        (running(losses), "red", ":", "its running mean"),
        (predicted, "green", "-", r"$L + \frac{1}{2}\sigma^2 S$"),
        (without, "orange", "--", "$L$ alone"),
    ):
        ax.plot(values, color=PALETTE[color], linestyle=line, label=name)
    ax.set(xlabel="step $k$ after arrival", title="loss")
    ax.legend(loc="upper right", fontsize=8)


def running(values: Array, width: int = BURST) -> Array:
    """The mean of `width` neighbors along the first dimension, NaN at the ends."""
    out = np.full(values.shape, np.nan)
    sums = np.cumsum(np.concatenate([np.zeros_like(values[:1]), values]), 0)
    half = width // 2
    out[half : half + len(values) - width + 1] = (sums[width:] - sums[:-width]) / width
    return out


def plot_distances(ax: Axes, free: Array, descent: Array, mean: Array) -> None:
    """Distances (K,) from the central flow: of gradient flow, of descent, and of the
    running mean of descent from that of the flow.
    """
    for values, color, line, width, name in (
        (free, "orange", "--", 1.8, "gradient flow"),
        (descent, "blue", "-", 0.7, "descent"),
        (mean, "red", ":", 2.6, "its running mean"),
    ):
        ax.plot(
            values, color=PALETTE[color], linestyle=line, linewidth=width, label=name
        )
    ax.set(xlabel="step $k$ after arrival", title="distance from the central flow")
    ax.legend(loc="upper left", fontsize=8)


def plot_drifts(
    ax: Axes,
    times: Array,
    measured: dict[str, Array],
    predicted: dict[str, Array],
) -> None:
    """y over tau with all examples and with one, (K,) each by name, and the predicted
    curves by the same names.
    """
    looks = (("blue", "o"), ("orange", "s"))
    for (name, values), (color, mark) in zip(measured.items(), looks, strict=True):
        ax.plot(times, predicted[name], color=PALETTE["gray"], linestyle="-", zorder=1)
        ax.plot(
            times,
            values,
            color=PALETTE[color],
            marker=mark,
            linestyle="",
            markersize=4.5,
            label=name,
        )
    ax.set(xlabel=r"$\tau = \eta \rho^2 k$", title="$y$")
    ax.legend(loc="upper right", fontsize=9)


def plot_widths(ax: Axes, y: Array, widths: Array, ends: Sequence[float]) -> None:
    """The largest of the curvatures (K, n) along the line, their sum, and where each is
    least.
    """
    for values, color, line, mark, end, name in (
        (widths[:, 0], "blue", "-", "o", ends[0], r"largest eigenvalue $\lambda_1$"),
        (widths.sum(1), "orange", "--", "s", ends[1], r"trace of $H$"),
    ):
        ax.plot(y, values, color=PALETTE[color], linestyle=line, label=name)
        height = np.interp(end, y, values)
        ax.plot(end, height, mark, color=PALETTE[color], markersize=8)
    ax.set(xlabel="$y$", ylim=(0, None), title="two sharpnesses")
    ax.legend(loc="lower right", fontsize=9)
