"""Figures of the page on lazy and rich training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import NullFormatter, NullLocator
from numpy.typing import NDArray

from ibcore.figures import PALETTE
from ibcore.pages.further.lazy_training.plane import Line

Array = NDArray[np.float64]
_SHOWN = 40  # neurons


def plot_function(ax: Axes, line: Line) -> None:
    """What the network found, the regression with the kernel at its start, and the
    polygon through the points.
    """
    (kernel,) = ax.plot(line.grid, line.kernel)
    kernel.set(color=PALETTE["orange"], linestyle="--", label="kernel")
    (polygon,) = ax.plot(line.x, line.y)
    polygon.set(color=PALETTE["gray"], linestyle="-", linewidth=1, label="polygon")
    (found,) = ax.plot(line.grid, line.found)
    found.set(color=PALETTE["blue"], linestyle="-", linewidth=2.2, label="network")
    (points,) = ax.plot(line.x, line.y, "o")
    points.set(color=PALETTE["red"], markersize=6, zorder=5)
    top = 1.75 * float(line.y.abs().max())
    ax.set(xlabel="$x$", ylabel="function", ylim=(-top, top))
    ax.legend(fontsize=8, ncols=3, loc="lower center", columnspacing=0.9)


def plot_neurons(ax: Axes, line: Line) -> None:
    """Neurons in the plane of (w, b): where they were (gray), where they are, and the
    rays of a bend at an example.
    """
    step = max(1, len(line.before) // _SHOWN)
    before, after = line.before[::step].numpy(), line.after[::step].numpy()
    reach = 1.15 * max(2.0, float(np.abs(after).max()))
    for x in line.x.tolist():
        size = reach / max(1.0, abs(x))
        ax.plot([-size, size], [x * size, -x * size], color="0.6", lw=0.6, ls="-")
    paths = np.stack([before, after], 1)
    ax.add_collection(LineCollection(list(paths), colors=PALETTE["blue"], lw=0.6))
    ax.plot(*before.T, "o", color=PALETTE["gray"], markersize=2.5)
    ax.plot(*after.T, "o", color=PALETTE["blue"], markersize=3)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="$w_j$", ylabel="$b_j$")
    ax.set_aspect("equal")
    ax.grid(visible=False)


def plot_law(
    ax: Axes, sizes: Array, values: Array, slope: float, color: str, marker: str = "o"
) -> None:
    """Values (M, B) of B tasks over sizes (M,), their geometric mean, and a gray line
    of the slope predicted.
    """
    ax.plot(sizes, values, marker, color=PALETTE[color], alpha=0.35, markersize=4)
    mean = np.exp(np.log(values).mean(1))
    (line,) = ax.plot(sizes, mean, marker)
    line.set(color=PALETTE[color], linestyle="-", markersize=6)
    (guide,) = ax.plot(sizes, 1.35 * mean[0] * (sizes / sizes[0]) ** slope)
    guide.set(color=PALETTE["gray"], linestyle=":", linewidth=1.4)
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    _few_ticks(ax)


def _few_ticks(ax: Axes) -> None:
    """No labels between powers of ten, and none on the first axis but those that are
    there.
    """
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_minor_locator(NullLocator())


def plot_factor(ax: Axes, limit: Array, spread: Array, measured: Array) -> None:
    """sqrt(m) times the movement (B,) over its limit (B,), with four standard
    deviations of the start.
    """
    order = np.argsort(limit)
    ax.errorbar(
        limit[order],
        measured[order],
        yerr=4 * spread[order] * limit[order],
        fmt="o",
        color=PALETTE["blue"],
        capsize=3,
    )
    ends = np.array([0.9 * limit.min(), 1.1 * limit.max()])
    (line,) = ax.plot(ends, ends)
    line.set(color=PALETTE["gray"], linestyle=":")
    ax.set(
        xlabel="predicted by the kernel", ylabel=r"measured: $\sqrt{m} \times$ movement"
    )


def plot_errors(ax: Axes, moved: Array, errors: Array, color: str, label: str) -> None:
    """Errors on new inputs (S, B) over the movement (S, B), with a line through the
    means.
    """
    ax.plot(moved, errors, "o", color=PALETTE[color], alpha=0.35, markersize=4)
    (line,) = ax.plot(moved.mean(1), errors.mean(1), "o")
    line.set(color=PALETTE[color], linestyle="-", markersize=6, label=label)
    ax.set(
        xscale="log",
        ylim=(0, 1.05),
        xlabel="relative movement of the first layer",
        ylabel="error on new inputs",
    )
    ax.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5], ["2 %", "5 %", "10 %", "20 %", "50 %"])
    _few_ticks(ax)
