"""Figures of the page on the edge of stability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE
from ibcore.pages.dynamical_stability.edge_of_stability.runs import Course

Array = NDArray[np.float64]
COLORS = ("red", "orange", "green", "blue")


def plot_sharpness(
    ax: Axes,
    courses: Sequence[Course],
    member: int,
    *,
    chosen: int | None = None,
    until: float,
) -> None:
    """The sharpness of one start over the time eta k for every step size, with the
    bounds; all but `chosen` in gray.
    """
    for k, course in enumerate(courses):
        on = chosen is None or k == chosen
        color = PALETTE[COLORS[k % len(COLORS)]] if on else PALETTE["gray"]
        time = course.at.numpy() * course.step_size
        values = course.sharpness[:, member].numpy()
        seen = time <= until
        ax.plot(
            time[seen],
            values[seen],
            color=color,
            linestyle="-",
            linewidth=1.9 if on else 0.9,
            zorder=3 if on else 2,
        )
        if on:
            ax.axhline(course.bound, color=color, linestyle="--", linewidth=1.2)
            ax.annotate(
                rf"$2/\eta = {course.bound:.3g}$",
                (0.999, course.bound),
                (4, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                color=color,
                annotation_clip=True,
            )
    ax.set(xlim=(0, until), xlabel=r"time $\eta k$", title="Sharpness", ylim=(0, None))


def plot_loss(
    ax: Axes,
    courses: Sequence[Course],
    member: int,
    *,
    chosen: int | None = None,
    until: float,
) -> None:
    """The loss of one start over the time eta k for every step size; all but `chosen`
    in gray.
    """
    for k, course in enumerate(courses):
        on = chosen is None or k == chosen
        steps = min(len(course.log_loss), round(until / course.step_size))
        every = -(-steps // 800)
        values = course.log_loss[:steps:every, member].exp().numpy()
        ax.plot(
            np.arange(0, steps, every) * course.step_size,
            values,
            color=PALETTE[COLORS[k % len(COLORS)]] if on else PALETTE["gray"],
            linestyle="-",
            linewidth=1.1 if on else 0.9,
            zorder=3 if on else 2,
        )
    ax.set(yscale="log", xlim=(0, until), xlabel=r"time $\eta k$", title="Loss")


def plot_settled(ax: Axes, courses: Sequence[Course], claimed: int) -> None:
    """The ratio of sharpness and bound in the last quarter, a row a course; those after
    the first `claimed` hollow.
    """
    ax.axvspan(0.985, 1.015, color=PALETTE["green"], alpha=0.25, linewidth=0)
    for row, course in enumerate(courses):
        values = course.settled.numpy()
        ax.plot(
            values,
            np.full(len(values), row),
            "o",
            color=PALETTE["blue" if row < claimed else "orange"],
            markerfacecolor="none" if row >= claimed else None,
            markersize=5.5,
            alpha=0.8,
        )
    ax.set_yticks(range(len(courses)), [course.name for course in courses])
    ax.invert_yaxis()
    ax.set(xlabel=r"sharpness over $2/\eta$, last quarter")


def plot_ratios(ax: Axes, course: Course, title: str) -> None:
    """The ratio of sharpness and bound of all runs of a course over the step."""
    ax.axhline(1, color=PALETTE["green"], linestyle="--", linewidth=1.5, zorder=3)
    for values in course.ratio.numpy().T:
        ax.plot(
            course.at.numpy(),
            values,
            color=PALETTE["blue"],
            linestyle="-",
            linewidth=0.9,
            alpha=0.75,
        )
    ax.set(xlabel="step $k$", title=title, ylim=(0, None), xlim=(0, int(course.at[-1])))


def plot_steps(ax: Axes, course: Course, member: int, first: int, count: int) -> None:
    """The loss at `count` neighboring steps of one run."""
    steps = np.arange(first, first + count)
    ax.plot(
        steps,
        course.log_loss[first : first + count, member].exp().numpy(),
        color=PALETTE["red"],
        linestyle="-",
        marker="o" if count <= 100 else "",
        markersize=2.5,
        linewidth=1,
    )
    ax.set(yscale="log", xlabel="step $k$")


def plot_drift(
    ax: Axes, tau: Array, heights: Array, curve: tuple[Array, Array], title: str
) -> None:
    """Measured y (K, B) at the times tau as points, and the predicted curves (times
    (T,), values (T, B)) as lines.
    """
    for k in range(heights.shape[1]):
        ax.plot(
            curve[0], curve[1][:, k], color=PALETTE["gray"], linestyle="-", linewidth=1
        )
        ax.plot(tau, heights[:, k], "o", color=PALETTE["blue"], markersize=3.5)
    ax.set(xlabel=r"$\tau = \eta^2 k$", title=title)


def plot_zigzag(ax: Axes, path: Array, step_size: float) -> None:
    """A path (K, 2) of (x, y) that jumps across the valley, x in units of the step."""
    ax.axvline(0, color=PALETTE["gray"], linestyle="--", linewidth=1)
    ax.plot(
        path[:, 0] / step_size,
        path[:, 1],
        color=PALETTE["purple"],
        linestyle="-",
        marker="o",
        markersize=3,
        linewidth=0.8,
    )
    ax.set(xlabel=r"$x / \eta$", ylabel="$y$", title="Across and along")
