"""Curves of a training that is watched, one of them and one moment of it in focus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures.style import PALETTE

Array = NDArray[np.float64]
Style = tuple[str, str]


def plot_watched(
    ax: Axes,
    times: Array,
    values: Array,
    names: Sequence[str],
    styles: Sequence[Style],
    current: tuple[int, int],
) -> None:
    """`values` (K, S) of S runs over `times` (K,), that of `current` (time, run) drawn
    thick and marked at its time.

    styles: color and line of each run.
    """
    row, column = current
    for j, (name, (color, line)) in enumerate(zip(names, styles, strict=True)):
        ax.plot(
            times,
            values[:, j],
            color=PALETTE[color],
            linestyle=line,
            linewidth=2.6 if j == column else 1.2,
            label=name,
        )
    ax.plot(times[row], values[row, column], "o", color=PALETTE["red"], markersize=9)
