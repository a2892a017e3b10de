"""Figures of the page on losses and finite times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]


def plot_tail_angles(
    ax: Axes, powers: Array, degrees: Array, current: int | None
) -> None:
    """Degrees from the limit for the tail m^-a to w_hat, over a, with one marked."""
    ax.plot(powers, degrees, color=PALETTE["blue"], linestyle="-", marker=".")
    if current is not None:
        ax.plot(
            powers[current], degrees[current], "o", color=PALETTE["red"], markersize=9
        )
    else:
        ax.annotate(
            "exponential: 0",
            (powers[-1], degrees[-1]),
            (0, 16),
            textcoords="offset points",
            ha="right",
            color=PALETTE["red"],
        )
    ax.set(
        xscale="log",
        ylim=(0, None),
        xlabel="power $a$ of the tail $m^{-a}$",
        title="Degrees between them",
    )


def plot_chase(ax: Axes, log_times: Array, to_limit: Array, to_path: Array) -> None:
    """sin of the angles from the flow to its limit and its path over log t, (B, K)."""
    for angles, color, style, name, above in (
        (to_limit, "orange", "--", "to the max-margin direction", 30),
        (to_path, "blue", "-", "to the regularization path", -9),
    ):
        ax.plot(
            log_times,
            angles.T,
            color=PALETTE[color],
            linestyle=style,
            linewidth=1,
            alpha=0.7,
        )
        end = angles[:, -1].max() if above > 0 else angles[:, -1].min()
        ax.annotate(
            name,
            (log_times[-1], end),
            (0, above),
            textcoords="offset points",
            ha="right",
            color=PALETTE[color],
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"$\log t$",
        ylabel="sin of the angle",
        ylim=(1e-12, 2),
    )


def plot_class_angles(
    ax: Axes, log_losses: Sequence[float], sines: Array, elsewhere: Array
) -> None:
    """sin of the angle to W_hat (K, B) over log(1/L), and that of the power tail (B,)."""
    heights = -np.asarray(log_losses)
    ax.plot(
        heights,
        sines,
        color=PALETTE["blue"],
        linestyle="-",
        marker="o",
        markersize=4,
        linewidth=1.2,
    )
    ax.hlines(
        elsewhere,
        heights[0],
        heights[-1],
        color=PALETTE["orange"],
        linestyle="--",
        linewidth=1,
    )
    ax.annotate(
        "cross entropy",
        (heights[0], float(np.min(sines[0]))),
        (6, -18),
        textcoords="offset points",
        color=PALETTE["blue"],
    )
    ax.annotate(
        "tail 1/m on every pair",
        (heights[-1], float(np.max(elsewhere))),
        (0, 5),
        ha="right",
        textcoords="offset points",
        color=PALETTE["orange"],
    )
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(None, 2),
        xlabel=r"$\log(1/L)$",
        ylabel="sin of the angle",
    )
