"""Figures of the page on other optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]

_NORMS = (
    ("orange", "--", "$\\ell_1$"),
    ("blue", "-", "$\\ell_2$"),
    ("green", "-.", "$\\ell_\\infty$"),
)


def plot_unit_balls(ax: Axes, found: Array, optima: Sequence[Array]) -> None:
    """The three unit balls with the max-margin point of each norm on its own, and the
    ray of the parameters found.
    """
    angle = np.linspace(0, 2 * np.pi, 201)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    for p, (color, style, name), best in zip(
        (1, 2, np.inf), _NORMS, optima, strict=True
    ):
        ax.plot(
            *(circle / np.linalg.norm(circle, p, axis=0)),
            color=PALETTE[color],
            linestyle=style,
            linewidth=1.3,
        )
        point = best / np.linalg.norm(best, p)
        ax.plot(*point, "o", color=PALETTE[color], markersize=7)
        ax.annotate(
            name,
            (point[0], point[1]),
            (7, 4),
            textcoords="offset points",
            color=PALETTE[color],
        )
    ray = 1.45 * found / np.linalg.norm(found)
    ax.annotate(
        "",
        (ray[0], ray[1]),
        (0, 0),
        arrowprops={"arrowstyle": "-|>", "color": PALETTE["red"], "linewidth": 2},
    )
    ax.set(
        xlim=(-1.25, 1.6),
        ylim=(-1.25, 1.6),
        aspect="equal",
        xlabel="$w_1$",
        ylabel="$w_2$",
        title="Unit balls",
    )


def plot_rates(ax: Axes, steps: Array, gaps: Mapping[str, Array]) -> None:
    """Relative margin gaps (K, B) over the number of steps, one bundle for each
    schedule, labeled at its end.
    """
    for (name, bundle), color, style in zip(
        gaps.items(), ("blue", "orange", "red"), ("-", "--", ":"), strict=True
    ):
        end = _plot_bundle(ax, steps, bundle, color, style)
        _label(ax, steps[-1], end, name, color)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="steps",
        ylabel="relative margin gap",
        xlim=(steps[0], steps[-1]),
    )


def plot_norm_gaps(
    axes: Sequence[Axes], steps: Array, gaps: Mapping[str, Array]
) -> None:
    """For each method a panel with its gaps (K, B, 3) in three norms over the number of
    steps; bar at 1e-3.
    """
    for ax, (method, values) in zip(axes, gaps.items(), strict=True):
        curves = np.clip(values, 1e-6, None)
        ends = [
            _plot_bundle(ax, steps, curves[..., k], color, style)
            for k, (color, style, _) in enumerate(_NORMS)
        ]
        for height, (color, _, name) in zip(apart(ends), _NORMS, strict=True):
            _label(ax, steps[-1], height, name, color)
        ax.axhline(1e-3, color=PALETTE["gray"], linewidth=1)
        ax.set(xscale="log", yscale="log", ylim=(5e-5, 2), xlabel="steps", title=method)
    axes[0].set_ylabel("relative margin gap")


def apart(heights: Sequence[float], ratio: float = 3.0) -> Array:
    """Heights for labels on a logarithmic axis: near the given ones, in their order, and
    each at least `ratio` times the one below.
    """
    logs = np.log(np.asarray(heights))
    least = np.log(ratio) * np.arange(len(logs))
    order = np.argsort(logs)
    rising = np.maximum.accumulate(logs[order] - least)
    falling = np.minimum.accumulate((logs[order] - least)[::-1])[::-1]
    moved = np.empty_like(logs)
    moved[order] = (rising + falling) / 2 + least
    return np.exp(moved)


def _plot_bundle(
    ax: Axes, steps: Array, curves: Array, color: str, style: str
) -> float:
    """Thin curves (K, B) and their median, which ends at the height that comes back."""
    shade = PALETTE[color]
    ax.plot(steps, curves, color=shade, linestyle=style, linewidth=0.7, alpha=0.35)
    middle = np.median(curves, axis=1)
    ax.plot(steps, middle, color=shade, linestyle=style, linewidth=2.4)
    return float(middle[-1])


def _label(ax: Axes, x: float, y: float, name: str, color: str) -> None:
    """A name to the right of a curve's end."""
    ax.annotate(
        name,
        (x, y),
        (6, -3),
        textcoords="offset points",
        color=PALETTE[color],
        annotation_clip=False,
    )


def plot_distances(
    ax: Axes, names: Sequence[str], early: Array, late: Array, norms: Array
) -> None:
    """Distance to the flow's parameters (M, B) at a tenth of the time and at its end,
    beside the norm (B,) at the end.

    One row for each of the M methods.
    """
    for k in range(len(names)):
        ax.plot(
            early[k],
            np.full(early.shape[1], k + 0.12),
            "o",
            color=PALETTE["orange"],
            markerfacecolor="none",
        )
        ax.plot(
            late[k],
            np.full(late.shape[1], k - 0.12),
            "D",
            color=PALETTE["blue"],
            markersize=4,
        )
    ax.plot(
        norms,
        np.full(len(norms), len(names)),
        "|",
        color=PALETTE["gray"],
        markersize=10,
    )
    ax.set(
        xscale="log",
        ylim=(-0.6, len(names) + 0.6),
        xlabel=r"$\|w_{\mathrm{method}} - w_{\mathrm{flow}}\|$",
    )
    ax.set_yticks(range(len(names) + 1), [*names, "norm of w itself"])
