"""Figures of the page on linear regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE
from ibcore.pages.regression.linear_regression.claims.norm_generalization import Cloud

Array = NDArray[np.float64]
_STYLES = (
    ("blue", "-"),
    ("green", "-."),
    ("purple", (0, (5, 1))),
    ("red", ":"),
    ("orange", "--"),
    ("gray", "-"),
)


def plot_plane(
    ax: Axes,
    x: Array,
    y: float,
    path: Array,
    predicted: Array,
    ball: Array,
    limit: float,
) -> None:
    """The line x.w = y of interpolants, a run (K, 2) towards it, the prediction.

    ball: (M, M) values on a square grid over [-limit, limit] of the function that the
    prediction minimizes on the line; its level at the prediction is drawn.
    """
    along = np.array([-x[1], x[0]]) / np.linalg.norm(x)
    foot = x * y / (x @ x)
    ends = foot + np.outer([-8.0, 8.0], along)
    ax.plot(*ends.T, color=PALETTE["green"], linestyle="-", linewidth=2)
    grid = np.linspace(-limit, limit, len(ball))
    level = ax.contour(grid, grid, ball, levels=[0.0], colors=[PALETTE["orange"]])
    level.set(linewidth=1.4, linestyle="--")
    blue = PALETTE["blue"]
    ax.plot(*path.T, "-", color=blue, linewidth=2)
    ax.plot(*path[0], "s", color=blue, markersize=7)
    (mark,) = ax.plot(*predicted, "D", color=PALETTE["gray"], markersize=11)
    mark.set(markerfacecolor="none", markeredgewidth=1.8)
    ax.plot(*path[-1], "o", color=blue, markersize=7)
    ax.annotate("start", path[0], (7, -11), textcoords="offset points", color=blue)
    ax.annotate("fits the data", (-0.75 * limit, 0.8 * limit), color=PALETTE["green"])
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xlabel="$w_1$", ylabel="$w_2$")


def plot_distances(ax: Axes, paths: Mapping[str, tuple[Array, Array]]) -> None:
    """Relative distance to the closest interpolant over the steps, by method."""
    for (name, (steps, distance)), (color, style) in zip(
        paths.items(), _STYLES, strict=False
    ):
        ax.plot(
            steps, np.maximum(distance, 1e-16), color=PALETTE[color], linestyle=style
        )
        first = name == next(iter(paths))
        ax.annotate(
            name,
            (steps[-1], max(float(distance[-1]), 1e-16)),
            (-6 if first else 6, -3),
            textcoords="offset points",
            color=PALETTE[color],
            ha="right" if first else "left",
        )
    longest = max(float(steps[-1]) for steps, _ in paths.values())
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(1, longest * 12),
        ylim=(1e-16, 10),
        xlabel="step",
        ylabel="relative distance",
    )


def plot_table(ax: Axes, distances: Array, names: Sequence[str]) -> None:
    """Distances (P, P) of the run of a row to the projection of a column."""
    shown = np.log10(np.maximum(distances, 1e-15))
    ax.imshow(shown, vmin=-15, vmax=0, cmap="cividis", aspect="auto")
    for i, row in enumerate(distances):
        for j, value in enumerate(row):
            text = "$<10^{-10}$" if value < 1e-10 else f"{value:.2f}"
            ax.text(
                j,
                i,
                text,
                ha="center",
                va="center",
                fontsize=9.5,
                color="black" if shown[i, j] > -7 else "white",
            )
    ax.set_xticks(range(len(names)), [f"{name}" for name in names])
    ax.set_yticks(range(len(names)), [f"{name}" for name in names])
    ax.set(xlabel="projection with", ylabel="mirror descent with")
    ax.grid(visible=False)


def plot_risks(ax: Axes, cloud: Cloud, member: int, title: str) -> None:
    """Test error over the norm for interpolants of one problem, and the law."""
    norms, errors = cloud.norms[member].numpy(), cloud.errors[member].numpy()
    base, least = float(cloud.base[member]), float(cloud.least[member])
    ax.plot(norms, errors, ".", color=PALETTE["blue"], markersize=3, alpha=0.6)
    line = np.linspace(base, norms.max(), 60)
    (law,) = ax.plot(line, least + line**2 - base**2, color=PALETTE["orange"])
    law.set(linestyle="-", linewidth=2)
    (mark,) = ax.plot(base, least, "D", color=PALETTE["red"], markersize=8)
    mark.set(markerfacecolor="none", markeredgewidth=2)
    ax.annotate(
        "least norm",
        (base, least),
        (9, -13),
        textcoords="offset points",
        color=PALETTE["red"],
    )
    ax.set(xlabel=r"$\|w\|$", ylabel="test error", title=title)
    ax.set_ylim(bottom=0)


def plot_shares(ax: Axes, k: Array, shares: Mapping[str, Array], title: str) -> None:
    """Gap over bound (B, K) along k for kinds of problems, a line a problem."""
    ax.axhline(1, color=PALETTE["gray"], linestyle="-", linewidth=1.6)
    ax.annotate(
        "bound", (k[0], 1), (2, 4), textcoords="offset points", color=PALETTE["gray"]
    )
    for (name, values), (color, style) in zip(shares.items(), _STYLES, strict=False):
        lines = ax.plot(k, np.maximum(values, 1e-12).T, linewidth=0.9, alpha=0.8)
        lines += ax.plot([], [], label=name)
        for line in lines:
            line.set(color=PALETTE[color], linestyle=style)
    ax.legend(loc="lower right", fontsize=9)
    ax.set(xscale="log", yscale="log", ylim=(1e-4, 4), xlabel="step $k$", title=title)
