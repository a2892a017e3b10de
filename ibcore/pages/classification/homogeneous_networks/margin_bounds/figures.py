"""Figures of the page on margin bounds of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
STYLES = {"true": ("blue", "-"), "true again": ("green", "-."), "random": ("red", "--")}


def plot_distributions(ax: Axes, margins: Mapping[str, Array], label: str) -> None:
    """Share of the examples whose margin is at most a given value, one curve a
    labeling, with its median marked.
    """
    top = max(np.quantile(values, 0.98) for values in margins.values())
    for place, (name, values) in enumerate(margins.items()):
        color, line = STYLES[name]
        grid = np.quantile(values, np.linspace(0, 1, 101))
        ax.plot(grid, np.linspace(0, 1, 101), color=PALETTE[color], linestyle=line)
        ax.plot(np.median(values), 0.5, "o", color=PALETTE[color], markersize=7)
        ax.annotate(
            name,
            (0.97, 0.05 + 0.1 * place),
            xycoords="axes fraction",
            ha="right",
            color=PALETTE[color],
        )
    ax.set(
        xlim=(min(0.0, *(float(values.min()) for values in margins.values())), top),
        ylim=(0, 1),
        xlabel=label,
        ylabel="share of examples below",
    )


def plot_ratios(ax: Axes, ratios: Sequence[tuple[str, str, Array]]) -> None:
    """Ratios of medians, true labels over another labeling: rows of (text, labeling,
    values), one mark a seed.
    """
    for row, (_, name, values) in enumerate(ratios):
        ax.plot(
            values,
            np.full(len(values), row),
            "o",
            color=PALETTE[STYLES[name][0]],
            markersize=5,
            alpha=0.6,
        )
    ax.axvline(1, color=PALETTE["gray"], linestyle="-", linewidth=1.2)
    ax.axvline(2, color=PALETTE["gray"], linestyle="--", linewidth=1.2)
    ax.set(
        xscale="log",
        ylim=(len(ratios) - 0.4, -0.6),
        xlabel="ratio of median margins, true labels over the other",
    )
    ax.set_yticks(range(len(ratios)), [text for text, _, _ in ratios])
    ax.set_xticks([0.5, 1, 2, 5, 10], ["1/2", "1", "2", "5", "10"])
    ax.minorticks_off()


def plot_growth(
    axes: Sequence[Axes], sizes: Array, complexity: Array, leading: Array, error: Array
) -> None:
    """Left: R_A over the number of examples.

    Right: leading term and test error; (K, S), thin lines a seed.
    """
    for ax, curves in (
        (axes[0], (("$R_A$", complexity, "blue", "-"),)),
        (
            axes[1],
            (
                ("leading term", leading, "blue", "-"),
                ("test error", error, "red", "--"),
            ),
        ),
    ):
        for text, values, color, line in curves:
            for row in values.T:
                ax.plot(sizes, row, "-", color=PALETTE[color], linewidth=0.6, alpha=0.4)
            mean = np.exp(np.nanmean(np.log(values), 1))
            ax.plot(sizes, mean, color=PALETTE[color], linestyle=line, marker="o")
            ax.annotate(
                text,
                (sizes[0], mean[0]),
                xytext=(4, 12),
                textcoords="offset points",
                color=PALETTE[color],
            )
        ax.set(xscale="log", yscale="log", xlabel="number of examples $n$")
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
        ax.minorticks_off()
    axes[0].set(ylim=(500, 2000))
    axes[0].set_yticks([500, 1000, 2000], ["500", "1000", "2000"])
    axes[1].set(ylim=(0.02, 300))
    axes[1].axhline(1, color=PALETTE["gray"], linewidth=1, linestyle="-")


def plot_bounds(ax: Axes, rows: Sequence[tuple[str, Array]], guessing: float) -> None:
    """Errors and bounds, (text, one value a network) a row, and the error of guessing."""
    colors = ("green", "orange", "blue", "red")
    for place, (_, values) in enumerate(rows):
        color = PALETTE[colors[place % len(colors)]]
        height = place + 0.12 * np.linspace(-1, 1, len(values))
        ax.plot(values, height, "o", color=color, markersize=5, alpha=0.7)
    ax.axvline(guessing, color=PALETTE["gray"], linestyle="--", linewidth=1.2)
    ax.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="error, or bound")
    ax.set_yticks(range(len(rows)), [text for text, _ in rows])
