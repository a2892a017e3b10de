"""Figures of the page on wide networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
_COLORS = ("blue", "green", "red")
_MARKERS = ("o", "s", "^")


def plot_functions(
    ax: Axes,
    line: Array,
    network: Array,
    predicted: Array,
    points: tuple[Array, Array],
) -> None:
    """The network's function, the predicted one, and the examples."""
    ax.plot(line, network, color=PALETTE["blue"], linestyle="-", label="network")
    ax.plot(line, predicted, color=PALETTE["orange"], linestyle="--", label="predicted")
    ax.plot(*points, "o", color=PALETTE["gray"], markersize=7)
    ax.set(xlabel="$x$", ylim=(-2.6, 2.6), title="the function")
    ax.legend(loc="lower left", fontsize=9)


def plot_paths(
    ax: Axes, steps: Array, network: Array, predicted: Array, now: int
) -> None:
    """Outputs (K, n) at the examples over the steps, those of the network and the
    predicted ones.
    """
    ax.plot(steps + 1, network, color=PALETTE["blue"], linestyle="-")
    ax.plot(steps + 1, predicted, color=PALETTE["orange"], linestyle="--")
    ax.axvline(now + 1, color=PALETTE["gray"], linestyle=":")
    ax.set(xscale="log", xlabel="step + 1", ylim=(-2.6, 2.6))
    ax.set_title("outputs at the examples")


def plot_density(ax: Axes, outputs: Array, title: str) -> None:
    """Histogram of outputs, scaled to variance 1, and the standard normal density, on a
    logarithmic axis.
    """
    edges = np.linspace(-6, 6, 49)
    counts, _ = np.histogram(outputs, edges)
    density = counts / (len(outputs) * np.diff(edges))
    ax.stairs(
        density, edges, fill=True, color=PALETTE["blue"], alpha=0.55, baseline=1e-6
    )
    x = np.linspace(-5, 5, 101)
    ax.plot(
        x,
        np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
        color=PALETTE["orange"],
        linestyle="--",
    )
    ax.set(yscale="log", ylim=(2e-6, 1), xlim=(-6, 6), xlabel="output", title=title)


def plot_kurtosis(
    ax: Axes, widths: Sequence[int], rows: Mapping[str, tuple[Array, Array]]
) -> None:
    """For every name measured values (W, G) over the widths, and the formula (W,)."""
    for (name, (measured, exact)), color, marker in zip(
        rows.items(), _COLORS, _MARKERS, strict=False
    ):
        tone = PALETTE[color]
        ax.plot(widths, measured, marker, color=tone, markersize=4, alpha=0.5)
        ax.plot(widths, exact, color=tone, linestyle="-", label=name)
    _width_axis(ax, widths, "excess kurtosis")


def plot_errors(
    ax: Axes,
    rows: Mapping[str, tuple[Sequence[int], Array]],
    label: str,
    exponents: Sequence[float] = (-0.5,),
) -> None:
    """For every name (W, B) errors over its widths, their geometric mean, and gray
    guides through the first of it.
    """
    every: set[int] = set()
    for number, (name, (widths, errors)) in enumerate(rows.items()):
        tone, marker = PALETTE[_COLORS[number]], _MARKERS[number]
        middle = np.exp(np.log(errors).mean(1))
        ax.plot(widths, errors, marker, color=tone, markersize=3, alpha=0.3)
        ax.plot(widths, middle, color=tone, marker=marker, linestyle="-", label=name)
        if number < len(exponents):
            sizes = np.array(widths, dtype=float)
            guide = middle[0] * (sizes / sizes[0]) ** exponents[number]
            ax.plot(widths, guide, color=PALETTE["gray"], linestyle="--", linewidth=1)
        every |= set(widths)
    _width_axis(ax, sorted(every), label)


def _width_axis(ax: Axes, widths: Sequence[int], label: str) -> None:
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(widths, [f"{width:,}" for width in widths])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="width", ylabel=label)
    ax.legend(loc="lower left", fontsize=9)
