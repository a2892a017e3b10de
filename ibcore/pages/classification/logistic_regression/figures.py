"""Figures of the page on logistic regression."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE, plot_classes

Array = NDArray[np.float64]


def plot_line(ax: Axes, X: Array, y: Array, w: Array, best: Array) -> None:
    """Points of two classes, the line of w and the max-margin line with its margins."""
    plot_classes(ax, X, y)
    ends = np.array([-6.0, 6.0])
    for level, style in ((0.0, "--"), (1.0, ":"), (-1.0, ":")):
        ax.plot(
            *_line(best, level, ends),
            color=PALETTE["gray"],
            linestyle=style,
            linewidth=1.3,
        )
    if np.linalg.norm(w) > 0:
        ax.plot(*_line(w, 0.0, ends), color=PALETTE["blue"], linewidth=2.4)
    ax.set(
        xlim=(-4.2, 4.2),
        ylim=(-3.2, 3.2),
        aspect="equal",
        xlabel="$x_1$",
        ylabel="$x_2$",
        title="The decision line",
    )


def _line(w: Array, level: float, ends: Array) -> tuple[Array, Array]:
    """Points x with w.x = level, as coordinates."""
    foot, along = level * w / (w @ w), np.array([-w[1], w[0]]) / np.linalg.norm(w)
    points = foot[:, None] + along[:, None] * ends
    return points[0], points[1]


def plot_angle_marker(ax: Axes, log_times: Array, degrees: Array, current: int) -> None:
    """Angle to the max-margin direction over log10 t, with a mark at the current time."""
    powers = np.maximum(log_times / np.log(10), 0.6)
    ax.plot(powers, degrees, color=PALETTE["blue"])
    ax.plot(powers[current], degrees[current], "o", color=PALETTE["red"], markersize=9)
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(1e-6, 90),
        xlim=(0.5, 2e5),
        xlabel=r"$\log_{10} t$",
        ylabel="degrees",
        title="Angle to the dashed line",
    )
    ax.set_xticks([1, 100, 1e4], ["1", "100", "10,000"])


_ROUTES = (("red", "-", "o", 12), ("orange", "--", "s", -18), ("blue", "-", "D", -18))


def plot_routes(ax: Axes, routes: Iterable[Any], against: str) -> None:
    """sin of the angle over `seconds` or `evaluations` of every route."""
    for route, (color, line, mark, above) in zip(routes, _ROUTES, strict=True):
        x, y = np.asarray(getattr(route, against)), np.asarray(route.sines)
        ax.plot(x, y, color=PALETTE[color], linestyle=line)
        ax.plot(x[-1], y[-1], mark, color=PALETTE[color], markersize=7)
        ax.annotate(
            route.name,
            (x[-1], y[-1]),
            (4, above),
            textcoords="offset points",
            ha="right",
            color=PALETTE[color],
        )
    label = {"seconds": "seconds", "evaluations": "gradient evaluations"}[against]
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(1e-7, 3),
        xlabel=label,
        ylabel="sin of the angle",
    )


def plot_constants(ax: Axes, log_times: Array, constants: Array) -> None:
    """sin(angle) * log t over log t for problems (K, B), relative to the last value."""
    relative = constants / constants[-1]
    ax.plot(
        log_times,
        relative,
        color=PALETTE["blue"],
        linestyle="-",
        linewidth=0.8,
        alpha=0.45,
    )
    ax.axhspan(0.99, 1.01, color=PALETTE["orange"], alpha=0.2)
    ax.annotate(
        "1 % band",
        (log_times[-1], 1.0104),
        ha="right",
        va="bottom",
        color=PALETTE["orange"],
    )
    ax.set(
        xscale="log",
        ylim=(0.97, 1.03),
        xlabel=r"$\log t$",
        ylabel=r"$\sin\angle \cdot \log t$, relative",
    )


def plot_weights(
    ax: Axes, weights: Sequence[Array], duals: Array, names: Sequence[str]
) -> None:
    """Softmax weights at several times as marks over the normalized duals as bars."""
    order = np.argsort(-duals)
    places = np.arange(len(duals))
    ax.bar(places, duals[order], color=PALETTE["gray"], alpha=0.35, width=0.8)
    for w, name, (color, _, mark, _), size in zip(
        weights, names, _ROUTES, (6, 6, 5), strict=True
    ):
        ax.plot(
            places,
            w[order],
            mark,
            color=PALETTE[color],
            markersize=size,
            markerfacecolor="none",
            label=name,
        )
    ax.legend(title="softmax weights at")
    ax.set(xlabel="example, ordered by its dual variable", ylabel="weight", xticks=[])


def plot_margin_cloud(
    ax: Axes, margins: Array, errors: Array, flow_errors: Array
) -> None:
    """Test errors over relative margins: separators (B, C), and the flow (B,) at 1."""
    for across, up in zip(margins, errors, strict=True):
        ax.plot(across, up, ".", color=PALETTE["blue"], markersize=3, alpha=0.25)
    ax.plot(
        np.ones(len(flow_errors)), flow_errors, "D", color=PALETTE["red"], markersize=6
    )
    ax.annotate(
        "gradient flow",
        (1.0, float(np.min(flow_errors))),
        (-4, -16),
        textcoords="offset points",
        ha="right",
        color=PALETTE["red"],
    )
    ax.set(
        xlabel="margin, relative to the largest", ylabel="test error", ylim=(0, None)
    )


def plot_split(ax: Axes, log_times: Array, distances: Array, norms: Array) -> None:
    """Norm off the span and distance to the minimizer in it over log10 t, (K, B) each."""
    powers = log_times / np.log(10)
    ax.plot(powers, distances, color=PALETTE["blue"], linestyle="-", linewidth=1)
    ax.plot(powers, norms, color=PALETTE["orange"], linestyle="--", linewidth=1)
    ax.annotate(
        "distance to the minimizer, in the span",
        (powers[-1], distances[-1].max()),
        (0, 8),
        textcoords="offset points",
        ha="right",
        color=PALETTE["blue"],
    )
    ax.annotate(
        "norm off the span",
        (powers[-1], norms[-1].max()),
        (0, 8),
        textcoords="offset points",
        ha="right",
        color=PALETTE["orange"],
    )
    ax.set(yscale="log", xlabel=r"$\log_{10} t$", ylim=(1e-10, 1e3))
