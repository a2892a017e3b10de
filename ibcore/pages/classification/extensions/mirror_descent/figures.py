"""Figures of the page on mirror descent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
_ANGLES = np.linspace(0, 2 * np.pi, 241)
_STYLES = (
    ("red", ":"),
    ("orange", "--"),
    ("green", "-."),
    ("blue", "-"),
    ("purple", (0, (5, 1))),
    ("gray", (0, (1, 1))),
)


def plot_ball(ax: Axes, signed: Array, p: float, best: Array, path: Array) -> None:
    """The half planes y_i w.x_i >= 1 in the plane of w, the least ball |w|_p that
    touches them, the scaled path.
    """
    w1, w2 = np.meshgrid(np.linspace(-0.15, 0.75, 90), np.linspace(-0.25, 0.75, 90))
    worst = (signed @ np.stack([w1.ravel(), w2.ravel()])).min(0).reshape(w1.shape)
    ax.contourf(w1, w2, worst, levels=[1, 100], colors=[PALETTE["green"]], alpha=0.2)
    ax.contour(w1, w2, worst, levels=[1], colors=[PALETTE["green"]], linewidths=1.3)
    circle = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
    ball = (
        circle
        * (np.abs(best) ** p).sum() ** (1 / p)
        / (np.abs(circle) ** p).sum(0) ** (1 / p)
    )
    ax.plot(*ball, color=PALETTE["orange"], linestyle="-", linewidth=1.6)
    ax.plot(
        *best,
        "D",
        color=PALETTE["gray"],
        markersize=8,
        markerfacecolor="none",
        markeredgewidth=1.8,
    )
    ax.plot(*path.T, color=PALETTE["blue"], linestyle="-", linewidth=1.2)
    ax.plot(*path[-1], "o", color=PALETTE["blue"], markersize=7)
    ax.annotate(
        "all margins $\\geq 1$", (0.46, 0.6), color=PALETTE["green"], ha="center"
    )
    ax.annotate("$\\|w\\|_p$ ball", (-0.12, -0.2), color=PALETTE["orange"])
    ax.set(
        xlim=(-0.15, 0.75),
        ylim=(-0.25, 0.75),
        aspect="equal",
        xlabel="$w_1$",
        ylabel="$w_2$",
        title="$w(t)$ over its margin",
    )


def plot_table(ax: Axes, gaps: Array, orders: Sequence[float]) -> None:
    """Gaps (P, Q) of the p-run in the l_q margin as a table; the smallest of every
    column is framed.
    """
    shown = np.log10(np.maximum(gaps, 1e-8))
    ax.imshow(shown, vmin=-7, vmax=0, cmap="cividis", aspect="auto")
    for i, row in enumerate(gaps):
        for j, gap in enumerate(row):
            best = i == int(gaps[:, j].argmin())
            ax.text(
                j,
                i,
                f"{gap:.0e}".replace("e-0", "e-"),
                ha="center",
                va="center",
                fontsize=9,
                color="black" if shown[i, j] > -3.5 else "white",
                weight="bold" if best else "normal",
            )
            if best:
                ax.plot(
                    j + 0.46 * np.array([-1, 1, 1, -1, -1]),
                    i + 0.44 * np.array([-1, -1, 1, 1, -1]),
                    color=PALETTE["red"],
                    linestyle="-",
                    linewidth=2,
                )
    ax.set_xticks(range(len(orders)), [f"{q:g}" for q in orders])
    ax.set_yticks(range(len(orders)), [f"{p:g}" for p in orders])
    ax.set(xlabel="margin measured in the norm $r$", ylabel="potential $p$")
    ax.grid(visible=False)


def plot_decay(
    ax: Axes,
    times: Array,
    gaps: Array,
    orders: Sequence[float],
    slopes: Sequence[float],
) -> None:
    """Gap (K, P) over log t for every potential, with a guide of the derived slope
    through its last point.
    """
    for k, (p, slope) in enumerate(zip(orders, slopes, strict=True)):
        color, style = _STYLES[k]
        ax.plot(times, gaps[:, k], color=PALETTE[color], linestyle=style)
        guide = times[len(times) // 2 :]
        ax.plot(
            guide,
            2 * gaps[-1, k] * (guide / guide[-1]) ** slope,
            color=PALETTE["gray"],
            linestyle="-",
            linewidth=0.9,
        )
        ax.annotate(
            f"$p = {p:g}$",
            (times[-1], gaps[-1, k]),
            (5, -3),
            textcoords="offset points",
            color=PALETTE[color],
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(times[0], times[-1] * 6),
        xlabel=r"$\log t$",
        ylabel="$\\ell_p$ margin gap",
    )


def plot_network_gaps(
    ax: Axes, times: Array, gaps: Array, orders: Sequence[float], title: str
) -> None:
    """Median own gaps (K, P) over log t."""
    for k, p in enumerate(orders):
        color, style = _STYLES[k]
        ax.plot(times, gaps[:, k], color=PALETTE[color], linestyle=style, marker="o")
        ax.annotate(
            f"$p = {p:g}$",
            (times[-1], gaps[-1, k]),
            (6, -3),
            textcoords="offset points",
            color=PALETTE[color],
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(times[0] * 0.8, times[-1] * 12),
        ylim=(1e-7, 2),
        xlabel=r"$\log t$",
        title=title,
    )


def plot_hidden(ax: Axes, times: Array, hidden: Array, p: float) -> None:
    """Absolute hidden weights (K, m) of one network over log t, relative to the
    largest.
    """
    for unit in (hidden / hidden.max(-1, keepdims=True)).T:
        ax.plot(
            times,
            unit,
            color=PALETTE["blue"],
            linestyle="-",
            marker="o",
            markersize=3.5,
        )
    ax.set(xscale="log", ylim=(-0.05, 1.08), xlabel=r"$\log t$", title=f"$p = {p:g}$")
