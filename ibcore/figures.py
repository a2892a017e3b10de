"""One look for every figure: a color-blind-safe palette, line styles that differ, type
that stays type; classes with the lines between them;
and curves of a training that is watched.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Mid tones of Okabe and Ito's palette, with contrast of 3 or more on white and on the
# dark page alike.
PALETTE = MappingProxyType(
    {
        "blue": "#2f7fc1",
        "orange": "#d97706",
        "green": "#0f9d76",
        "red": "#d1495b",
        "purple": "#a564c9",
        "gray": "#7d8590",
    }
)

_STYLE: Any = {
    "axes.prop_cycle": cycler(color=list(PALETTE.values()))
    + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1))]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.labelsize": 10.5,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "svg.fonttype": "none",
    "svg.hashsalt": "ibcore",
    "image.cmap": "cividis",
}


# A page is about 700 points of a screen wide; twice that stays sharp on dense screens.
_PNG_DPI = 180


class PageFigure(Figure):
    """A figure that a notebook shows although pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_PNG_DPI)
        return buffer.getvalue()


def figure(
    columns: int = 1,
    *,
    rows: int = 1,
    height: float = 3.4,
    width: float = 6.6,
    **options: Any,
) -> tuple[Figure, Any]:
    """A figure of the book's width in the book's style; returns it with its Axes as
    `plt.subplots` does.

    The figure is not registered with pyplot, so nothing needs to be closed.
    """
    with mpl.rc_context(_STYLE):
        fig = PageFigure(figsize=(width, height), layout="constrained")
        axes: Axes = fig.subplots(rows, columns, **options)
    return fig, axes


Array = NDArray[np.float64]
Style = tuple[str, str]


def plot_classes(ax: Axes, X: Array, y: Array) -> None:
    """Points X (n, 2) of the classes y (n,) of -1 and +1."""
    ax.plot(*X[y > 0].T, "o", color=PALETTE["orange"], markersize=6)
    ax.plot(*X[y < 0].T, "s", color=PALETTE["purple"], markersize=5.5)


def plot_separators(
    ax: Axes,
    X: Array,
    y: Array,
    found: Array,
    predicted: Array,
    *,
    reach: tuple[float, float],
    title: str,
) -> None:
    """Two classes in the plane, the line w.x = 0 of the weights that were found (solid)
    and of those that were predicted (dashed).

    reach: how far the axes go to either side.
    """
    plot_classes(ax, X, y)
    for w, color, line, width in (
        (predicted, "gray", "--", 1.4),
        (found, "blue", "-", 2.4),
    ):
        along = np.array([-w[1], w[0]]) / np.linalg.norm(w)
        ax.plot(
            *np.outer(along, [-9.0, 9.0]),
            color=PALETTE[color],
            linestyle=line,
            linewidth=width,
        )
    ax.set(
        xlim=(-reach[0], reach[0]),
        ylim=(-reach[1], reach[1]),
        aspect="equal",
        xlabel="$x_1$",
        ylabel="$x_2$",
        title=title,
    )


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
