"""Figures of the page on balancedness."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
_NEURONS = tuple(PALETTE.values())


def plot_plane(
    ax: Axes, iterates: Array, imbalance: float, limit: tuple[float, float]
) -> None:
    """Iterates (K, 2) in the plane of (u, v), the hyperbola of the flow with its end,
    and the zero-loss set.
    """
    rise = np.linspace(-1.3, 2.2, 50)
    (flow,) = ax.plot(np.sqrt(imbalance + rise**2), rise)
    flow.set(color=PALETTE["orange"], linestyle="--", label="conserved")
    across = np.linspace(0.45, 2.6, 40)
    (fits,) = ax.plot(across, 1 / across)
    fits.set(color=PALETTE["green"], linestyle="-", label="$uv = 1$")
    (path,) = ax.plot(*iterates.T)
    path.set(
        color=PALETTE["blue"], linestyle="-", linewidth=1, marker="o", markersize=4
    )
    path.set_label("descent")
    ax.plot(*limit, "s", color=PALETTE["orange"], markersize=8, fillstyle="none")
    ax.plot(*iterates[0], "x", color=PALETTE["gray"], markersize=13)
    ax.set(xlim=(-0.9, 2.6), ylim=(-1.3, 2.2), xlabel="$u$", ylabel="$v$")
    ax.legend(loc="lower left", fontsize=9)


def plot_imbalances(ax: Axes, times: Array, gaps: Array, conserved: float) -> None:
    """u^2 - v^2 of the iterates over time, and that of the flow."""
    (line,) = ax.plot(times, gaps)
    line.set(
        color=PALETTE["blue"], linestyle="-", linewidth=1, marker="o", markersize=4
    )
    ax.axhline(conserved, color=PALETTE["orange"], linestyle="--")
    ax.set(ylim=(-0.1, 3.4), xlabel=r"time $\eta k$", title="imbalance $u^2 - v^2$")


def plot_norms(
    ax: Axes, times: Array, sent: Array, read: Array, meetings: Array, slides: Array
) -> None:
    """a_j^2 (solid) and |w_j|^2 + b_j^2 (dashed), (K, m), and below them the times of
    kinks.
    """
    for number, color in zip(range(sent.shape[1]), _NEURONS, strict=False):
        ax.plot(times, sent[:, number], color=color, linestyle="-")
        ax.plot(times, read[:, number], color=color, linestyle="--")
    low = -0.08 * max(sent.max(), read.max())
    ax.plot(meetings, np.full(len(meetings), low), "|", color=PALETTE["gray"])
    ax.plot(slides, np.full(len(slides), low), "s", color=PALETTE["red"], markersize=4)
    ax.set(xlabel="time $t$", title=r"$a_j^2$ (solid), $\|w_j\|^2 + b_j^2$ (dashed)")


def plot_differences(ax: Axes, times: Array, relu: Array, tanh: Array) -> None:
    """The imbalances (K, m) of the neurons, for ReLU (solid) and for tanh (dotted)."""
    for number, color in zip(range(relu.shape[1]), _NEURONS, strict=False):
        ax.plot(times, relu[:, number], color=color, linestyle="-")
        ax.plot(times, tanh[:, number], color=color, linestyle=":")
    ax.set(xlabel="time $t$", title=r"$\delta_j$: ReLU (solid), tanh (dotted)")


def plot_tolerances(ax: Axes, rows: dict[str, tuple[Array, Array]]) -> None:
    """For every name the changes (Q, B) of B networks over the tolerances (Q,): their
    median, and dots.
    """
    styles = zip(("blue", "orange", "green", "red"), ("o", "s", "^", "D"), strict=True)
    for (name, (sizes, changes)), (color, marker) in zip(
        rows.items(), styles, strict=False
    ):
        tone = PALETTE[color]
        for member in changes.T:
            ax.plot(sizes, member, marker, color=tone, markersize=3, alpha=0.35)
        middle = np.median(changes, 1)
        ax.plot(sizes, middle, color=tone, linestyle="-", marker=marker, label=name)
    ax.plot([3e-14, 1e-6], [3e-14, 1e-6], color=PALETTE["gray"], linewidth=0.9)
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(1e-16, 30),
        xlabel="tolerance of the integrator",
        ylabel="change of the imbalance",
    )
    ax.legend(loc="center left", fontsize=9)


def plot_drift(
    ax: Axes, sizes: Array, changes: Array, slopes: Array | None, title: str
) -> None:
    """Total changes (K, B) over step sizes (K,), and lines eta times `slopes` (B,), by
    default through the last dot.
    """
    ends = np.array([sizes.min() / 1.3, sizes.max() * 1.3])
    for number, member in enumerate(changes.T):
        rate = member[-1] / sizes[-1] if slopes is None else slopes[number]
        ax.plot(ends, rate * ends, color=PALETTE["gray"], linestyle="-", linewidth=0.8)
        ax.plot(sizes, member, "o", color=PALETTE["blue"], markersize=4)
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.set_xticks([], minor=True)
    ax.set(
        xlabel=r"step size $\eta$",
        ylabel="total change of the imbalance",
        title=title,
    )
