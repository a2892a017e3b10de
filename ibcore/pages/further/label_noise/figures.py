"""Figures of the page on label noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
KINDS = ("no noise", "labels, 1", "labels, 2", "isotropic")
_COLORS = ("gray", "green", "blue", "orange")
_MARKERS = ("s", "^", "o", "D")


def plot_coefficients(ax: Axes, found: Array, best: Array) -> None:
    """Coefficients (d,) as bars, and those of the linear program as open diamonds."""
    places = np.arange(len(found))
    ax.vlines(places, 0, found, color=PALETTE["blue"], linewidth=3.5)
    on = np.abs(best) > 1e-6
    ax.plot(
        places[on],
        best[on],
        "D",
        color=PALETTE["orange"],
        markersize=8,
        markerfacecolor="none",
        markeredgewidth=1.8,
    )
    reach = 1.25 * max(1.0, float(np.abs(best).max()))
    ax.set(
        ylim=(-reach, reach),
        xlabel="coefficient $j$",
        ylabel=r"$\beta_j$",
        title="Coefficients at zero loss",
    )


def plot_strengths(
    ax: Axes, steps: Array, errors: Array, strengths: Sequence[float], shown: int
) -> None:
    """Errors (K, S) over the number of steps with noise, one line a strength, that of
    place `shown` marked.
    """
    for place, strength in enumerate(strengths):
        marked = place == shown
        ax.plot(
            steps,
            errors[:, place],
            "o-" if marked else "-",
            color=PALETTE["blue" if marked else "gray"],
            linewidth=2.4 if marked else 1,
            markersize=4,
            zorder=3 if marked else 2,
        )
        row = -1 if 3 * place < 2 * len(strengths) else len(steps) // 2
        ax.annotate(
            f"{strength:g}",
            (steps[row], errors[row, place]),
            (5, 3),
            textcoords="offset points",
            color=PALETTE["blue" if marked else "gray"],
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(steps[0] * 0.8, steps[-1] * 1.9),
        xlabel="steps with noise",
        ylabel="distance to the diamonds",
        title="One line a strength",
    )
    ax.minorticks_off()


def plot_errors(ax: Axes, steps: Sequence[int], errors: Array, title: str) -> None:
    """Median errors over problems of (K, T, B) over the steps, while the noise is on, a
    line for each of K kinds.
    """
    for kind, color, marker, rows in zip(KINDS, _COLORS, _MARKERS, errors, strict=True):
        middle = np.median(rows, axis=-1)
        ax.plot(
            steps, middle, marker + "-", color=PALETTE[color], markersize=4, label=kind
        )
    ax.set(yscale="log", ylim=(0.08, 8), xlabel="steps with noise", title=title)
    ax.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    ax.minorticks_off()


def plot_excess(ax: Axes, traces: Array, title: str) -> None:
    """Excess over the least trace, traces (K, B) - 1, of K kinds: a dot for every
    problem.
    """
    for place, (color, marker, row) in enumerate(
        zip(_COLORS, _MARKERS, traces, strict=True)
    ):
        spread = place + np.linspace(-0.18, 0.18, len(row))
        ax.plot(
            spread, row - 1, marker, color=PALETTE[color], markersize=5, linestyle=""
        )
    ax.axhline(0.02, color=PALETTE["red"], linestyle=":", linewidth=1.6)
    ax.annotate(
        "2 %",
        (-0.4, 0.02),
        (0, 4),
        textcoords="offset points",
        color=PALETTE["red"],
    )
    ax.set_xticks(range(len(KINDS)), KINDS)
    ax.set(yscale="log", xlim=(-0.5, len(KINDS) - 0.5), title=title)


def plot_networks(ax: Axes, falls: Array) -> None:
    """Traces over those at the start (3, N): without noise, with label noise, with
    isotropic noise.
    """
    names = ("no noise", "label noise", "isotropic noise")
    for place, (color, marker, row) in enumerate(
        zip(("gray", "blue", "orange"), ("s", "o", "D"), falls, strict=True)
    ):
        spread = place + np.linspace(-0.2, 0.2, len(row))
        ax.plot(
            spread,
            np.sort(row),
            marker,
            color=PALETTE[color],
            markersize=6,
            linestyle="",
        )
    ax.axhline(0.5, color=PALETTE["red"], linestyle=":", linewidth=1.6)
    ax.annotate(
        "half", (-0.4, 0.5), (0, 4), textcoords="offset points", color=PALETTE["red"]
    )
    ax.set_xticks(range(3), names)
    ax.set(yscale="log", xlim=(-0.5, 2.5), ylabel="trace over that at the start")
    ax.minorticks_off()
    ax.set_yticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
