"""Figures of the page on modified losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]
_FLOWS = {
    "flow": ("gray", "--", "s"),
    "modified": ("orange", "-.", "^"),
    "wrong": ("red", ":", "D"),
    "other": ("purple", (0, (5, 1)), "v"),
}
_VALLEY = (-1.4, 2.75)
_HEIGHT = (-1.9, 2.4)


def plot_orders(
    ax: Axes, etas: Array, series: Mapping[str, tuple[Array, str]], unit: str
) -> None:
    """Distances (E, B) over the step sizes (E,), every network and their median.

    series: by kind, a key of `_FLOWS`, the distances and what they are called.
    """
    for kind, (rows, label) in series.items():
        color, style, marker = _FLOWS[kind]
        ax.plot(
            etas, rows, color=PALETTE[color], linestyle="-", linewidth=0.6, alpha=0.35
        )
        ax.plot(
            etas,
            np.median(rows, -1),
            color=PALETTE[color],
            linestyle=style,
            marker=marker,
            markersize=9 if kind == "flow" else 5,
            markerfacecolor="none" if kind == "flow" else PALETTE[color],
            label=label,
        )
    ax.set(xscale="log", yscale="log", xlabel=unit, ylabel="distance")
    ax.legend(fontsize=8.5)


def plot_coefficients(
    ax: Axes, coefficients: Array, ratios: Sequence[Array], etas: Sequence[str]
) -> None:
    """Distance (C, B) to the flow with coefficient c over that at c = 0, for two steps,
    beside the derived |1 - 4c|.
    """
    fine = np.linspace(coefficients[0], coefficients[-1], 401)
    ax.plot(
        fine,
        np.abs(1 - 4 * fine),
        color=PALETTE["gray"],
        linestyle="-",
        linewidth=1,
        label="derived, $|1 - 4c|$",
    )
    styles = (("orange", "^"), ("blue", "o"))
    for rows, eta, (color, marker) in zip(ratios, etas, styles, strict=True):
        shown = np.broadcast_to(coefficients[:, None], rows.shape)
        ax.plot(
            shown.ravel(),
            rows.ravel(),
            marker,
            color=PALETTE[color],
            markersize=3.5,
            alpha=0.6,
            label=eta,
        )
    ax.axvline(0.25, color=PALETTE["gray"], linestyle=":", linewidth=1)
    ax.set(
        xlabel=r"coefficient $c$ of $\eta\,\|\nabla L\|^2$",
        ylabel="distance, relative to $c = 0$",
        ylim=(0, None),
    )
    ax.legend(fontsize=8.5)


def plot_valley(ax: Axes, descent: Array, flow: Array, modified: Array) -> None:
    """Paths (K, 2) in the plane of the product model: level lines, and the minima as a
    thick hyperbola.
    """
    for product in (-2.0, 1.0, 2.5):
        side = np.geomspace(abs(product) / _HEIGHT[1], _VALLEY[1], 14)
        minimum = product == 1
        for sign in (1, -1):
            ax.plot(
                sign * side,
                sign * product / side,
                color=PALETTE["green" if minimum else "gray"],
                linestyle="-",
                linewidth=4 if minimum else 0.6,
                alpha=0.35 if minimum else 0.6,
            )
    ax.plot(*flow.T, color=PALETTE["gray"], linestyle="--", label="flow on $L$")
    ax.plot(
        *modified.T,
        color=PALETTE["orange"],
        linestyle="-.",
        linewidth=2.2,
        label="flow on the modified loss",
    )
    ax.plot(
        *descent.T,
        "o-",
        color=PALETTE["blue"],
        linewidth=0.9,
        markersize=3.5,
        label="gradient descent",
    )
    ax.set(
        xlim=_VALLEY,
        ylim=_HEIGHT,
        aspect="equal",
        xlabel="$a$",
        ylabel="$b$",
        title="Paths into the valley $ab = 1$",
    )


def plot_imbalance(
    ax: Axes, times: Array, curves: tuple[Array, Array], steps: Array, descent: Array
) -> None:
    """a^2 - b^2 over time: of the flow and the modified flow (K,) at `times`, and of
    gradient descent at `steps`.
    """
    flow, modified = curves
    ax.plot(times, flow, color=PALETTE["gray"], linestyle="--", label="flow on $L$")
    ax.plot(
        times,
        modified,
        color=PALETTE["orange"],
        linestyle="-.",
        linewidth=2.2,
        label="flow on modified loss",
    )
    ax.plot(
        steps,
        descent,
        "o-",
        color=PALETTE["blue"],
        linewidth=0.9,
        markersize=3.5,
        label="gradient descent",
    )
    ax.set(
        xlim=(0, 2),
        ylim=(-2.5 * flow[0], 1.25 * flow[0]),
        xlabel=r"time, $\eta$ times steps",
        ylabel="$a^2 - b^2$",
        title="Imbalance: flattest at 0",
    )
    ax.legend(fontsize=8.5, loc="lower left")


def plot_ends(
    ax: Axes, etas: Array, descent: Array, flow: float, modified: Array
) -> None:
    """Sharpness (E,) of the minimum that gradient descent and the flow on its modified
    loss reach from one start.
    """
    fine = np.linspace(etas[0], etas[-1], 200)
    ax.plot(fine, 2 / fine, color=PALETTE["red"], linestyle=":", label=r"$2/\eta$")
    ax.axhline(flow, color=PALETTE["gray"], linestyle="--", label="flow on $L$")
    ax.plot(
        etas,
        modified,
        color=PALETTE["orange"],
        linestyle="-.",
        label="flow on the modified loss",
    )
    ax.plot(
        etas,
        descent,
        "o",
        color=PALETTE["blue"],
        markersize=4,
        label="gradient descent",
    )
    ax.set(
        ylim=(3, 14),
        xlabel=r"step size $\eta$",
        ylabel="sharpness where it ends",
    )
    ax.legend(fontsize=8.5, loc="lower left")


def plot_shares(ax: Axes, loss: Array, term: Array) -> None:
    """Shares (n,) of the loss and of the extra term in the eigenvectors of the tangent
    kernel, largest first.
    """
    place = np.arange(1, len(loss) + 1)
    for shift, shares, color, hatch, label in (
        (-0.2, loss, "gray", "", r"loss, $(u_j \cdot \varepsilon)^2$"),
        (
            0.2,
            term,
            "blue",
            "//",
            r"extra term, $\mu_j (u_j \cdot \varepsilon)^2$",
        ),
    ):
        ax.bar(
            place + shift,
            shares,
            0.38,
            color=PALETTE[color],
            edgecolor="white",
            hatch=hatch,
            label=label,
        )
    ax.set(
        yscale="log",
        ylim=(1e-6, 2),
        xticks=place,
        xlabel="eigenvector $u_j$ of the tangent kernel",
        ylabel="share",
    )
    ax.grid(visible=False, axis="x")
    ax.legend(fontsize=8.5)
