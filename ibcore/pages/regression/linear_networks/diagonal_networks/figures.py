"""Figures of the page on diagonal networks in regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
_LOOKS = (
    ("blue", "-", "o"),
    ("orange", "--", "s"),
    ("green", "-.", "D"),
    ("purple", (0, (5, 1)), "^"),
)
LEVELS = (0.1, 0.3, 0.6, 1.0, 1.5, 2.2)


def plot_vector(ax: Axes, beta: Array, truth: Array) -> None:
    """Stems of the trained `beta` (d,) over gray bars of the `truth` (d,), the truth's
    coordinates first.
    """
    order = np.argsort(-np.abs(truth), kind="stable")
    places = np.arange(len(beta))
    on = int((truth != 0).sum())
    ax.bar(places[:on], truth[order][:on], width=0.9, color=PALETTE["gray"], alpha=0.35)
    stems = np.stack([np.zeros(len(beta)), beta[order], np.full(len(beta), np.nan)], 1)
    ax.plot(
        np.repeat(places, 3), stems.ravel(), "-", color=PALETTE["blue"], linewidth=1.4
    )
    ax.plot(places, beta[order], "o", color=PALETTE["blue"], markersize=4)
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    reach = 1.25 * np.abs(truth).max()
    ax.set(
        xlabel="coefficient (gray: the truth)",
        ylabel=r"$\beta_j$",
        xticks=[],
        ylim=(-reach, reach),
        title="What training found",
    )


def plot_excess_paths(
    ax: Axes,
    alphas: Array,
    excess: Array,
    depths: Sequence[int],
    current: tuple[float, float, int] | None = None,
) -> None:
    """Relative l1 excess (D, K) over alpha (K,), a curve a depth, with a mark at
    (alpha, excess, depth) `current`.
    """
    for row, depth, (color, line, _) in zip(excess, depths, _LOOKS, strict=False):
        wide = 2.6 if current is not None and depth == current[2] else 1.4
        ax.loglog(alphas, row, color=PALETTE[color], linestyle=line, linewidth=wide)
        shown = np.flatnonzero(row > 3e-9)
        at = shown[min(2, len(shown) - 1)]
        ax.annotate(
            f"depth {depth}",
            (alphas[at], row[at]),
            (7, -5),
            textcoords="offset points",
            color=PALETTE[color],
            fontsize=9,
        )
    if current is not None:
        ax.plot(*current[:2], "o", color=PALETTE["red"], markersize=9)
    ax.set(
        xlabel=r"scale $\alpha$ of the start",
        ylabel="excess of the $\\ell_1$ norm",
        ylim=(5e-10, 5),
        xticks=[1e-4, 1e-2, 1],
        yticks=[1e-8, 1e-6, 1e-4, 1e-2, 1],
        title="How far from sparse",
    )
    ax.minorticks_off()


def plot_plane(
    ax: Axes, path: Array, levels: tuple[Array, Array, Array], x: Array, y: float
) -> None:
    """Level sets of Q over its value at the end, the line x.beta = y, and the path (K,
    2) of training.
    """
    ax.contour(*levels, levels=LEVELS, colors=[PALETTE["gray"]], linewidths=0.9)
    ax.contour(*levels, levels=[1.0], colors=[PALETTE["orange"]], linewidths=1.8)
    ends = np.array([-0.25, 1.25])
    ax.plot(ends, (y - x[0] * ends) / x[1], color=PALETTE["green"], linestyle="--")
    ax.annotate(
        "fits the data",
        (0.98, 0.35),
        (4, 4),
        textcoords="offset points",
        color=PALETTE["green"],
        ha="center",
        rotation=-34,
    )
    ax.plot(path[:, 0], path[:, 1], color=PALETTE["blue"], linewidth=2.6)
    ax.plot(*path[-1], "o", color=PALETTE["red"], markersize=9)
    ax.plot(0, 0, "o", color=PALETTE["blue"], markersize=5)
    ax.set(
        xlabel=r"$\beta_1$",
        ylabel=r"$\beta_2$",
        xlim=(-0.25, 1.25),
        ylim=(-0.25, 1.25),
        aspect="equal",
    )
    ax.grid(visible=False)


def plot_distances(
    ax: Axes, alphas: Array, depths: Array, distances: Array, bar: float
) -> None:
    """Relative distances (B, C) of networks to their minimizers over alpha (C,), a mark
    a depth (C,), and the bar.
    """
    for depth, (color, _, mark) in zip(np.unique(depths), _LOOKS, strict=False):
        on = depths == depth
        ax.loglog(
            np.broadcast_to(alphas[on], distances[:, on].shape).ravel(),
            distances[:, on].ravel(),
            mark,
            color=PALETTE[color],
            markerfacecolor="none",
            markersize=7,
            label=f"depth {depth:g}",
        )
    ax.axhline(bar, color=PALETTE["gray"], linestyle="--", linewidth=1.3)
    ax.annotate(
        "required",
        (ax.get_xlim()[0], bar),
        (6, -13),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.legend(loc="lower right")
    ax.set(
        xlabel=r"scale $\alpha$ of the start",
        ylabel="relative distance",
        ylim=(1e-13, 1e-8),
    )


def plot_transition(
    ax: Axes, alphas: Array, excess: Array, bound: Array, trained: tuple[Array, Array]
) -> None:
    """l1 excesses (B, K) over alpha (K,), their bounds (B, K), and trained networks
    (alphas, excesses) of the first.
    """
    for row in excess[1:]:
        ax.loglog(
            alphas,
            np.where(row > 1e-11, row, np.nan),
            color=PALETTE["gray"],
            linewidth=0.8,
            linestyle="-",
        )
    ax.loglog(
        alphas,
        np.where(excess[0] > 1e-11, excess[0], np.nan),
        color=PALETTE["blue"],
        linewidth=2,
    )
    ax.loglog(alphas, bound[0], color=PALETTE["orange"], linestyle="--")
    ax.loglog(
        *trained,
        "o",
        color=PALETTE["red"],
        markersize=8,
        markerfacecolor="none",
        markeredgewidth=1.8,
    )
    ax.annotate(
        r"bound $\propto 1/\log(1/\alpha)$",
        (1e-10, 0.2),
        color=PALETTE["orange"],
        va="bottom",
    )
    ax.annotate(
        "trained",
        (trained[0][1], trained[1][1]),
        (8, -10),
        textcoords="offset points",
        color=PALETTE["red"],
    )
    ax.set(
        xlabel=r"scale $\alpha$ of the start",
        ylabel="excess of the $\\ell_1$ norm",
        ylim=(1e-11, 10),
        title="At most logarithmic, in truth a power",
    )


def plot_samples(
    ax: Axes, scales: Array, needed: Array, d: int, predicted: float
) -> None:
    """Samples needed (S, B) over alpha (S,), their medians joined, with d and the
    prediction for basis pursuit.
    """
    ax.semilogx(scales, np.median(needed, 1), "o-", color=PALETTE["blue"])
    ax.fill_between(
        scales, needed.min(1), needed.max(1), color=PALETTE["blue"], alpha=0.2
    )
    for height, name in (
        (float(d), "as many as unknowns"),
        (predicted, "enough for basis pursuit"),
    ):
        ax.axhline(height, color=PALETTE["gray"], linestyle="--", linewidth=1.2)
        ax.annotate(
            name,
            (scales.min(), height),
            (0, 4),
            textcoords="offset points",
            color=PALETTE["gray"],
        )
    ax.set(
        xlabel=r"scale $\alpha$ of the start",
        ylabel="samples needed",
        ylim=(0, 1.12 * d),
        title=f"To find {max(2, d // 20)} of {d} coefficients",
    )


def plot_two_answers(ax: Axes, near: Array, far: Array) -> None:
    """Distances of trained networks to the least l1 and to the least quasi-norm
    interpolant, a pair a network.
    """
    places = np.arange(len(near))
    ax.vlines(places, near, far, color=PALETTE["gray"], linewidth=0.9)
    ax.semilogy(places, near, "o", color=PALETTE["blue"], markersize=7)
    ax.semilogy(places, far, "s", color=PALETTE["orange"], markersize=7)
    ax.annotate(
        "to least quasi-norm $\\ell_{2/D}$",
        (places[-1], far.min()),
        (0, 16),
        textcoords="offset points",
        ha="right",
        color=PALETTE["orange"],
    )
    ax.annotate(
        "to least $\\ell_1$",
        (places[-1], near.min()),
        (0, -18),
        textcoords="offset points",
        ha="right",
        color=PALETTE["blue"],
    )
    ax.set(
        xlabel="trained network",
        ylabel="relative distance",
        xticks=[],
        ylim=(near.min() / 10, 10),
    )


def plot_collapse(
    axes: Sequence[Axes],
    products: Array,
    shapes: Array,
    excess: Array,
    scales: Array,
    curve: Array,
) -> None:
    """l1 excess (C,) of networks over their scale alpha (C,), and over c (C,) with the
    predicted `curve` (2, K).
    """
    left, right = axes
    right.loglog(*curve, color=PALETTE["gray"], linewidth=1.4)
    for shape, (color, line, mark) in zip(np.unique(shapes), _LOOKS, strict=False):
        on = shapes == shape
        left.loglog(
            products[on],
            excess[on],
            linestyle=line,
            marker=mark,
            color=PALETTE[color],
            markerfacecolor="none",
        )
        right.loglog(
            scales[on],
            excess[on],
            mark,
            color=PALETTE[color],
            markerfacecolor="none",
            markersize=7,
            label=f"s = {shape:g}",
        )
    right.legend(loc="lower right")
    left.yaxis.set_minor_formatter(NullFormatter())
    left.set(
        xlabel=r"scale $\alpha = u_0 v_0$",
        ylabel="excess of the $\\ell_1$ norm",
        title="By scale: four curves",
    )
    right.set(xlabel="$c = u_0^2 + v_0^2$", title="By $c$: one")
