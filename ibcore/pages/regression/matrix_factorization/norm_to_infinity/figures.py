"""Figures of the page on norms that go to infinity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE
from ibcore.oracles import runaway_completion as law
from ibcore.pages.regression.matrix_factorization.norm_to_infinity.claims import Runaway

Array = NDArray[np.float64]
_DEPTHS = {2: ("blue", "-", "o"), 3: ("orange", "--", "s"), 4: ("red", "-.", "^")}


def plot_matrix(ax: Axes, matrix: Array) -> None:
    """The four entries of W; the one that is not observed in color."""
    ax.set(xlim=(0, 2), ylim=(0, 2), aspect="equal", title="$W$", xticks=[], yticks=[])
    ax.grid(visible=False)
    for side in ("top", "right"):
        ax.spines[side].set_visible(True)
    ax.plot([1, 1], [0, 2], color=PALETTE["gray"], linestyle="-", linewidth=0.8)
    ax.plot([0, 2], [1, 1], color=PALETTE["gray"], linestyle="-", linewidth=0.8)
    for (row, column), value in np.ndenumerate(matrix):
        free = row == column == 0
        ax.annotate(
            _written(float(value)),
            (column + 0.5, 1.5 - row),
            ha="center",
            va="center",
            fontsize=13 if free else 11,
            color=PALETTE["orange" if free else "gray"],
        )


def plot_runaway(
    ax: Axes,
    times: Array,
    values: tuple[Array, Array],
    laws: tuple[Array, Array],
    now: int,
) -> None:
    """W_11 and the loss over time, with their laws dotted, up to position `now`."""
    looks = (("orange", "-", "$W_{11}$"), ("blue", "--", "loss"))
    for path, line, (color, style, name) in zip(values, laws, looks, strict=True):
        ax.plot(times, line, color=PALETTE["gray"], linestyle=":", linewidth=1.5)
        ax.plot(
            times[: now + 1], path[: now + 1], color=PALETTE[color], linestyle=style
        )
        ax.plot(times[now], path[now], "o", color=PALETTE[color], markersize=7)
        ax.annotate(
            name,
            (times[now], path[now]),
            (0, 11 if style == "-" else -18),
            textcoords="offset points",
            ha="center",
            color=PALETTE[color],
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="$t$",
        xlim=(times[0], 10 * times[-1]),
        ylim=(1e-29, 1e18),
        title="Entry, loss and their laws",
    )


def plot_laws(axes: Sequence[Axes], measured: Runaway) -> None:
    """W_11 (left) and the loss (right) of all flows, with lines at their laws."""
    times = measured.times.numpy()
    for ax, part, predicted, label in zip(
        axes,
        ("entry", "loss"),
        (law.entry, law.loss),
        ("$W_{11}$", "loss"),
        strict=True,
    ):
        for depth, paths in measured.reduced.items():
            color, style, mark = _DEPTHS[depth]
            runs = getattr(paths, part).numpy().T
            look: dict[str, Any] = {"color": PALETTE[color], "fillstyle": "none"}
            ax.plot(times, runs, mark, markersize=5, **look)
            ax.plot(
                times,
                [predicted(depth, float(t)) for t in times],
                linestyle=style,
                linewidth=1.2,
                marker=mark,
                markersize=5,
                markevery=len(times),
                label=f"depth {depth}",
                **look,
            )
        ax.set(xscale="log", yscale="log", xlabel="$t$", title=label)
    axes[0].legend(loc="upper left")


def plot_escape(ax: Axes, imbalances: Array, final: Array, rounded: Array) -> None:
    """W_11^2 where unbalanced starts end, over log(1/imbalance), and slope 4.

    rounded: W_11 at the end from starts that are balanced up to rounding, drawn at half
    the machine precision.
    """
    x, eps = np.log(1 / imbalances), math.log(2.0**53)
    ends = np.array([x[0], eps])
    ax.plot(
        ends,
        final[-1] ** 2 + 4 * (ends - x[-1]),
        color=PALETTE["gray"],
        linestyle="--",
        linewidth=1.3,
    )
    ax.plot(x, final**2, "o", color=PALETTE["blue"], linestyle="none")
    ax.plot(
        np.full(len(rounded), eps),
        rounded**2,
        "D",
        color=PALETTE["red"],
        fillstyle="none",
        linestyle="none",
    )
    ax.annotate(
        "slope 4",
        (x[2], final[-1] ** 2 + 4 * (x[2] - x[-1])),
        (12, -12),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.annotate(
        "balanced up to rounding",
        (eps, float(rounded.max()) ** 2),
        (-8, -4),
        textcoords="offset points",
        ha="right",
        color=PALETTE["red"],
    )
    ax.set(
        xlabel=r"$\log(1/\varepsilon)$",
        ylabel=r"$W_{11}(\infty)^2$",
        ylim=(0, 1.1 * float(rounded.max()) ** 2),
        xlim=(2, 40),
    )


def _written(value: float) -> str:
    """Three digits, or a power of ten."""
    if abs(value - 1) < 1e-4:
        return "1.0000"
    if 1e-2 <= abs(value) < 1e4:
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    power = math.floor(math.log10(abs(value)))
    return rf"${value / 10.0**power:.1f} \times 10^{{{power}}}$"
