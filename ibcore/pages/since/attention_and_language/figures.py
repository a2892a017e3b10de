"""Figures of the page on attention and language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]


def plot_query(ax: Axes, path: Array, alone: Array, both: Array) -> None:
    """The path of the query (K, 2) with its end marked, and the rays of the solutions
    of one input and of both.
    """
    reach = 1.15 * max(float(np.abs(path).max()), 9.0)
    for ray, color, style, name in (
        (alone, "orange", "--", "solution of A"),
        (both, "green", "-.", "solution of A and B"),
    ):
        end = reach * ray / np.abs(ray).max()
        ax.plot(*np.stack([0 * end, end]).T, color=PALETTE[color], linestyle=style)
        ax.plot([], [], color=PALETTE[color], linestyle=style, label=name)
    ax.plot(*path.T, color=PALETTE["blue"], linestyle="-", linewidth=1, marker=".")
    ax.annotate(
        "",
        path[-1],
        (0, 0),
        arrowprops={"arrowstyle": "-|>", "color": PALETTE["blue"], "linewidth": 2},
    )
    ax.set(
        xlim=(-0.1 * reach, reach),
        ylim=(-0.3 * reach, 1.0 * reach),
        xlabel="$p_1$",
        ylabel="$p_2$",
        title="Query $p$",
    )
    ax.legend(loc="upper left", fontsize=8.5, frameon=False)


def plot_attention(ax: Axes, attention: Array) -> None:
    """Attention (2, 3) of two inputs to their tokens, the first of which is the best."""
    names = ("best", "wrong", "third")
    for row, (color, name) in enumerate((("blue", "A"), ("red", "B"))):
        places = np.arange(3) + 4 * row
        ax.bar(places, attention[row], color=PALETTE[color], width=0.8)
        for place, value in zip(places, attention[row], strict=True):
            ax.annotate(
                f"{value:.2f}",
                (place, value),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
            )
        ax.annotate(f"input {name}", (4 * row + 1, 1.14), ha="center")
    ax.set(
        ylim=(0, 1.25),
        yticks=(0, 0.5, 1),
        title="Attention",
    )
    ax.set_xticks([0, 1, 2, 4, 5, 6], names * 2, rotation=60, fontsize=9)
    ax.grid(visible=False)


def plot_outcomes(ax: Axes, gaps: Array, hits: Array, depths: Sequence[float]) -> None:
    """Attention to the best token late in training, (D, G), over the gap at the start."""
    colors, styles = ("gray", "orange", "blue"), (":", "--", "-")
    for row, depth, color, style in zip(hits, depths, colors, styles, strict=True):
        ax.plot(
            gaps,
            row,
            color=PALETTE[color],
            linestyle=style,
            marker=".",
            label=rf"start at ${depth:g}\,\hat p_J$",
        )
    ax.axvline(1, color=PALETTE["gray"], linewidth=0.8)
    ax.set(
        xlabel="gap of the wrong token in the solution of the others",
        ylabel="attention to the best token",
        ylim=(-0.05, 1.05),
    )
    ax.legend(frameon=False)


def plot_selection_angles(ax: Axes, log_times: Array, sines: Array) -> None:
    """sin of the angles to the predicted query over log t, (4, K, N)."""
    kinds = (
        ("one input, from a wrong token", "blue", "-"),
        ("four inputs, from $p = 0$", "green", "-."),
        ("wrong token with gap 1.25, which stays", "orange", "--"),
        ("wrong token with gap 0.75, which leaves", "purple", ":"),
    )
    for rows, (name, color, style) in zip(sines, kinds, strict=True):
        ax.plot(
            log_times,
            np.median(rows, 1),
            color=PALETTE[color],
            linestyle=style,
            label=name,
        )
        ax.fill_between(
            log_times,
            rows.min(1),
            rows.max(1),
            color=PALETTE[color],
            alpha=0.15,
            linewidth=0,
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"$\log t$",
        ylabel=r"$\sin\angle$ to the prediction",
    )
    ax.legend(fontsize=8.5, frameon=False)


def plot_two_parts(
    axes: Sequence[Axes],
    log10_times: Array,
    odds: Array,
    late_times: Array,
    sines: Array,
    against: Array,
) -> None:
    """Left, the largest errors of log odds (K, N) over log10 t, and those at the end of
    contradicting data (N,); right, sin of the angles to W_mm (J, N) over log t.
    """
    left, right = axes
    left.plot(log10_times, odds, color=PALETTE["blue"], linestyle="-", linewidth=1)
    guide = np.median(odds[-1]) * 10 ** (log10_times[-1] - log10_times)
    left.plot(
        log10_times,
        guide,
        color=PALETTE["orange"],
        linestyle="--",
        linewidth=2.5,
        zorder=5,
        label="$1/t$",
    )
    left.plot(
        np.full(len(against), log10_times[-1]),
        against,
        "s",
        color=PALETTE["red"],
        markersize=4,
        label="contradicting data",
    )
    left.set(
        yscale="log",
        xlabel=r"$\log_{10} t$",
        title="Largest error of the log odds",
    )
    left.legend(fontsize=8.5, frameon=False)
    right.plot(late_times, sines, color=PALETTE["orange"], linestyle="-", linewidth=1)
    right.set(
        xscale="log",
        yscale="log",
        xlabel=r"$\log t$",
        title=r"$\sin\angle(W, W_{\mathrm{mm}})$",
    )
