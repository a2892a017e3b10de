"""Figures of the page on matrix factorization and the nuclear norm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]

_MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")


def plot_matrix(
    ax: Axes, matrix: Array, rows: Sequence[int], columns: Sequence[int]
) -> None:
    """The entries of a matrix (p, q), their size as shade, the observed ones framed."""
    size = np.abs(matrix)
    ax.imshow(
        size, cmap="Blues", vmin=0, vmax=1.6 * size.max(), interpolation="nearest"
    )
    for (i, j), value in np.ndenumerate(matrix):
        ax.text(
            j,
            i,
            f"{value:.2f}",
            ha="center",
            va="center",
            fontsize=9.5,
            color="#10243a",
        )
    for i, j in zip(rows, columns, strict=True):
        ax.add_patch(
            Rectangle(
                (j - 0.46, i - 0.46),
                0.92,
                0.92,
                fill=False,
                edgecolor=PALETTE["orange"],
                linewidth=2,
            )
        )
    ax.set(xticks=[], yticks=[], title="W, the known entries framed")
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def plot_traces(
    ax: Axes,
    scales: Array,
    traces: Array,
    least: float,
    rank_one: float,
    chosen: int | None = None,
) -> None:
    """Traces (B, K) over the scale of the start (K,), between the least nuclear norm
    and that of rank one.

    chosen: the scale whose mark is enlarged, by its position.
    """
    middle = float(np.sqrt(scales[0] * scales[-1]))
    for level, name, offset in (
        (least, "least nuclear norm", -12),
        (rank_one, "rank one", 4),
    ):
        ax.axhline(level, color=PALETTE["gray"], linestyle="--", linewidth=1.3)
        ax.annotate(
            f"{name}, {level:g}",
            (middle, level),
            (0, offset),
            textcoords="offset points",
            ha="center",
            color=PALETTE["gray"],
        )
    for row in traces:
        ax.plot(
            scales,
            row,
            "-",
            color=PALETTE["blue"],
            marker="o",
            markersize=3.5,
            linewidth=1.2,
        )
    if chosen is not None:
        ax.plot(
            scales[chosen],
            traces[0, chosen],
            "D",
            color=PALETTE["orange"],
            markersize=9,
        )
    room = 0.12 * abs(rank_one - least) + 0.02 * rank_one
    low, high = min(least, rank_one, traces.min()), max(least, rank_one, traces.max())
    ax.set(
        xscale="log",
        xlim=(scales[0] * 3, scales[-1] / 3),
        ylim=(low - 1.2 * room, high + 1.2 * room),
        xlabel=r"scale $\varepsilon$, falling",
        ylabel="trace of W",
    )


def plot_excess(ax: Axes, scales: Array, excess: Array) -> None:
    """Trace over the least nuclear norm, minus 1, (P, K) over the scale (K,)."""
    for row, mark in zip(excess, _MARKS * len(excess), strict=False):
        ax.plot(scales, row, "-", color=PALETTE["blue"], marker=mark, linewidth=1.2)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"scale $\alpha$ of the start",
        ylabel="trace / least nuclear norm - 1",
    )


def plot_errors(ax: Axes, scales: Array, errors: Array, predicted: Array) -> None:
    """Recovery errors (P, K) over the scale, with lines of their exponents (P,)."""
    order = np.argsort(predicted)
    for position, color, mark, style in (
        (0, "red", "s", "--"),
        (len(order) // 2, "gray", "o", "-"),
        (len(order) - 1, "blue", "D", "-."),
    ):
        chosen = order[position]
        law = errors[chosen, -1] * (scales / scales[-1]) ** predicted[chosen]
        ax.plot(scales, errors[chosen], mark, color=PALETTE[color])
        ax.plot(scales, law, color=PALETTE[color], linestyle=style, linewidth=1.3)
        ax.annotate(
            f"{predicted[chosen]:.2f}",
            (scales[-1], errors[chosen, -1]),
            (-10, -3),
            ha="right",
            textcoords="offset points",
            color=PALETTE[color],
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(scales[-1] / 20, scales[0] * 2),
        xlabel=r"scale $\alpha$ of the start",
        ylabel="relative error of $UU^T$",
    )


def plot_spectrum_ratio(
    ax: Axes, scales: Array, ratios: Array, exponent: float
) -> None:
    """Second over first eigenvalue (B, K) over the scale, with a line."""
    for row, mark in zip(ratios, _MARKS * len(ratios), strict=False):
        ax.plot(scales, row, mark, color=PALETTE["blue"], markersize=4.5)
    law = (
        float(np.exp(np.log(ratios[:, -1]).mean())) * (scales / scales[-1]) ** exponent
    )
    ax.plot(scales, law, color=PALETTE["orange"], linestyle="--")
    ax.annotate(
        f"exponent {exponent:.3f}",
        (scales[len(scales) // 2], law[len(scales) // 2]),
        (8, 14),
        textcoords="offset points",
        color=PALETTE["orange"],
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(scales[0] * 3, scales[-1] / 3),
        ylim=(ratios.min() / 3, 3),
        xlabel=r"scale $\varepsilon$, falling",
        ylabel="second / first eigenvalue",
    )
