"""Figures of the page on the ReLU neuron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]


def plot_winding(ax: Axes, path: Array, angles: Array, reach: float) -> None:
    """The path of (w_2, w_3), (K, 2), in units of `reach`, and the set of zero loss.

    angles: (N,) of the inner normals a_k of the half-planes that the points of label 0
    ask for.
    """
    for k, angle in enumerate(angles):
        along = np.array([-np.sin(angle), np.cos(angle)])
        ax.plot(
            *(np.array([[1.0], [0.0]]) + np.outer(along, [-3, 3])),
            color=PALETTE["gray"],
            linewidth=0.7,
            linestyle="-",
            alpha=0.6,
            zorder=1,
            label="_line" if k else "bounds",
        )
    edges = angles[-1] + np.pi / 2, angles[0] - np.pi / 2
    rays = np.array([[np.cos(e), np.sin(e)] for e in edges]) * 3
    ax.fill(
        *np.array([[1, 0], [1, 0] + rays[0], [1, 0] + rays[1]]).T,
        color=PALETTE["green"],
        alpha=0.3,
        linewidth=0,
    )
    ax.plot(*(path / reach).T, color=PALETTE["blue"], linewidth=2.2, zorder=3)
    ax.plot(0, 0, "o", color=PALETTE["gray"], zorder=4)
    ax.plot(1, 0, "s", color=PALETTE["orange"], markersize=7, zorder=4)
    ax.plot(*(path[-1] / reach), "D", color=PALETTE["blue"], markersize=7, zorder=4)
    for text, spot, shift in (
        ("start", (0, 0), (-4, -14)),
        ("$w_*$", (1, 0), (-2, -16)),
        (r"$w_\infty$", path[-1] / reach, (-2, 9)),
    ):
        ax.annotate(text, spot, shift, textcoords="offset points")
    ax.set(
        xlim=(-0.25, 2.25),
        ylim=(-0.35, 1.2),
        aspect="equal",
        xlabel=r"$w_2 / r$",
        ylabel=r"$w_3 / r$",
        title="The path from 0",
    )
    ax.grid(visible=False)


def plot_ratios(
    ax: Axes, counts: Sequence[int], ratios: Sequence[float], chosen: int | None = None
) -> None:
    """|w_inf| / |w*| over the number of points of label 0, with the bound 2."""
    ax.axhline(2, color=PALETTE["red"], linestyle="--", linewidth=1.4)
    ax.annotate(
        "the bound",
        (counts[0], 2),
        (0, 4),
        textcoords="offset points",
        color=PALETTE["red"],
    )
    ax.plot(counts, ratios, "o-", color=PALETTE["blue"], markersize=4.5, linewidth=1.2)
    if chosen is not None:
        ax.plot(
            chosen,
            ratios[list(counts).index(chosen)],
            "D",
            color=PALETTE["blue"],
            markersize=9,
        )
    ax.set(
        xscale="log",
        ylim=(1, 2.1),
        xlabel="points of label 0",
        title=r"$|w_\infty| \, / \, |w_*|$",
    )
    ticks = [count for count in counts if count in (2, 4, 8, 16, 40)]
    ax.set_xticks(ticks, [str(count) for count in ticks])
    ax.minorticks_off()


def plot_pair(
    axes: Sequence[Axes], paths: Sequence[Array], height: float, bound: float
) -> None:
    """Both flows of a pair, (K, 3) each: w_2 over w_1 (left) and w_3 over w_2 (right).

    Their common set of zero loss is (1, height, s) with s <= `bound`, a point on the
    left and a ray on the right.
    """
    left, right = axes
    right.plot(
        [height, height],
        [-1.6, bound],
        "-",
        color=PALETTE["green"],
        linewidth=7,
        alpha=0.35,
    )
    left.plot(1, height, "s", color=PALETTE["green"], markersize=14, alpha=0.35)
    for path, color, style, mark in zip(
        paths, ("orange", "blue"), ("--", "-"), ("s", "D"), strict=True
    ):
        for ax, pick in ((left, (0, 1)), (right, (1, 2))):
            ax.plot(*path[:, pick].T, color=PALETTE[color], linestyle=style)
            ax.plot(*path[-1, pick], mark, color=PALETTE[color], markersize=6)
    left.set(
        xlabel="$w_1$",
        ylabel="$w_2$",
        title="both fit $w_1$ first, then $w_2$",
        xlim=(-0.08, 1.25),
    )
    right.set(
        xlabel="$w_2$",
        ylabel="$w_3$",
        title="only one is pushed down",
        ylim=(-1.3, 0.3),
        xlim=(-0.15, height + 0.45),
    )
    right.annotate(
        "$D_1$",
        (0.3 * height, 0),
        (0, 5),
        textcoords="offset points",
        color=PALETTE["orange"],
    )
    right.annotate(
        "$D_2$",
        (0.5 * height, paths[1][-1, 2]),
        (0, 6),
        textcoords="offset points",
        color=PALETTE["blue"],
    )
    right.annotate(
        "zero\nloss",
        (height, -1.2),
        (10, 2),
        textcoords="offset points",
        color=PALETTE["green"],
    )


def plot_chain(ax: Axes, points: Array, start: Array, end: Array) -> None:
    """The vectors (K + 1, d) of a chain in the plane of `start` and `end`, over
    |start|.
    """
    size = np.linalg.norm(start)
    along = start / size
    across = end - (end @ along) * along
    across = across / np.linalg.norm(across)
    flat = np.stack([points @ along, points @ across], 1) / size
    ax.plot(*flat.T, "o-", color=PALETTE["blue"], markersize=4.5, linewidth=1.3)
    for index, name, color in ((0, "from", "orange"), (-1, "to", "red")):
        ax.annotate(
            "",
            flat[index],
            (0, 0),
            arrowprops={"arrowstyle": "->", "color": PALETTE[color], "linewidth": 1.6},
        )
        ax.annotate(
            name, flat[index], (7, 3), textcoords="offset points", color=PALETTE[color]
        )
    low, high = np.minimum(flat.min(0), 0) - 0.25, np.maximum(flat.max(0), 0) + 0.35
    ax.set(aspect="equal", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.plot(0, 0, "o", color=PALETTE["gray"])
    ax.annotate("0", (0, 0), (4, -13), textcoords="offset points")


def plot_bound(
    axes: Sequence[Axes], ratios: Array, turns: Mapping[int, tuple[Array, Array]]
) -> None:
    """Left, the ratios of random data, sorted; right, those of the family.

    turns: by numbers of points, measured (marks) and predicted (line).
    """
    left, right = axes
    ordered = np.sort(np.asarray(ratios))[::-1]
    rank = np.arange(1, len(ordered) + 1) / len(ordered)
    kept = np.unique(np.geomspace(1, len(ordered), 200).astype(int)) - 1
    left.plot(rank[kept], ordered[kept], color=PALETTE["blue"])
    left.set(
        xscale="log",
        ylim=(0.98, 2.05),
        xlabel="share of the problems",
        title="random data",
        ylabel=r"$|w_\infty| \, / \, |w_*|$",
    )
    counts = sorted(turns)
    right.plot(
        counts,
        [np.median(turns[n][1]) for n in counts],
        color=PALETTE["gray"],
        linestyle="-",
        linewidth=1.2,
    )
    marks = [(n, ratio) for n in counts for ratio in np.atleast_1d(turns[n][0])]
    right.plot(*zip(*marks, strict=True), "D", color=PALETTE["blue"])
    right.set(
        xscale="log", ylim=(0.98, 2.05), xlabel="points of label 0", title="the family"
    )
    right.set_xticks(counts, [str(n) for n in counts])
    right.minorticks_off()
    for ax in axes:
        ax.axhline(2, color=PALETTE["red"], linestyle="--", linewidth=1.4)
