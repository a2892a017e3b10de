"""Figures of the page on privacy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
SIDE = 8
_LEAST = 1e-10  # where a distance is drawn that is smaller


def plot_digits(ax: Axes, rows: Mapping[str, Array]) -> None:
    """Rows of images, ink (n, 64) from 0 to 1, with their names beside them."""
    bands = [np.concatenate([_tile(x) for x in images], 1) for images in rows.values()]
    ax.imshow(np.concatenate(bands), cmap="gray_r", vmin=0, vmax=1)
    step = SIDE + 2
    ax.set_yticks([step * k + SIDE / 2 for k in range(len(rows))], list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _tile(ink: Array) -> Array:
    return np.pad(ink.clip(0, 1).reshape(SIDE, SIDE), 1, constant_values=np.nan)


def plot_distances(ax: Axes, groups: Mapping[str, tuple[Array, Array]]) -> None:
    """Distances found and to held-out points, (B, n) each, of every named group, one
    dot a training point.
    """
    rng = np.random.default_rng(0)
    for place, (found, held) in enumerate(groups.values()):
        for shift, values, color, label in (
            (-0.18, found, "blue", "attacker"),
            (0.18, held, "orange", "held-out"),
        ):
            flat = np.clip(values.ravel(), _LEAST, None)
            spread = place + shift + rng.uniform(-0.12, 0.12, len(flat))
            ax.plot(
                spread,
                flat,
                "o",
                color=PALETTE[color],
                markersize=3,
                alpha=0.6,
                label=label if place == 0 else None,
            )
    ax.axhline(1e-2, color=PALETTE["red"], linestyle=":", linewidth=1.6)
    ax.set_xticks(range(len(groups)), list(groups))
    ax.set(yscale="log", ylabel="relative distance")
    ax.legend(loc="lower right")


def plot_count(
    ax: Axes, groups: Mapping[str, tuple[Array, Array]], points: int
) -> None:
    """Distinct neurons (B,) against the distance of the worst point (B,), and the
    border 2 n - 2.
    """
    for color, marker, (name, (neurons, worst)) in zip(
        ("blue", "orange", "green"), ("o", "^", "s"), groups.items(), strict=False
    ):
        ax.plot(
            neurons,
            np.clip(worst, _LEAST, None),
            marker,
            color=PALETTE[color],
            linestyle="",
            markersize=6,
            alpha=0.7,
            label=name,
        )
    ax.axvline(2 * points - 1.5, color="0.5", linestyle="--", linewidth=1.4)
    ax.axhline(1e-2, color=PALETTE["red"], linestyle=":", linewidth=1.6)
    ax.set(
        yscale="log",
        xlabel="distinct neurons",
        ylabel="relative distance, worst point",
    )
    ax.legend(loc="upper right")


def plot_noise(ax: Axes, sizes: Sequence[float], distances: Array) -> None:
    """Distances (S, B, n): the median of every network, and a line of slope 1."""
    middle = np.median(distances, -1)
    ax.plot(sizes, middle, "o", color=PALETTE["blue"], markersize=4, alpha=0.6)
    ax.plot(sizes, np.median(middle, -1), "-", color=PALETTE["blue"])
    guide = np.array([sizes[0], 1e-2])
    start = np.median(middle[0])
    ax.plot(guide, start * guide / guide[0], "--", color="0.5", linewidth=1.4)
    ax.axhline(1e-2, color=PALETTE["red"], linestyle=":", linewidth=1.6)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"noise on $\theta$, relative",
        ylabel="relative distance",
    )
