"""Figures of the page on double descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures.style import PALETTE

Array = NDArray[np.float64]


def draw_fit(
    ax: Axes,
    grid: Array,
    values: Array,
    truth: Array,
    points: tuple[Array, Array],
    title: str,
) -> None:
    """A fitted function, the true one and the training points; what leaves the frame is cut off."""
    ax.plot(grid, truth, color=PALETTE["gray"], linestyle="--", linewidth=1.4)
    ax.plot(grid, np.clip(values, -9, 9), color=PALETTE["blue"])
    ax.plot(*points, "o", color=PALETTE["orange"], markersize=5)
    ax.set(xlim=(-1.03, 1.03), ylim=(-2.6, 2.6), xlabel="$x$", title=title)


def draw_risk_marker(
    ax: Axes, counts: Sequence[int], risk: Array, current: int, threshold: int
) -> None:
    """A risk curve over the number of features, both logarithmic, with a mark at the current one."""
    _mark_threshold(ax, threshold)
    ax.plot(counts, risk, color=PALETTE["blue"])
    ax.plot([counts[current]], [risk[current]], "o", color=PALETTE["red"], markersize=9)
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(1e-6, 100),
        xlabel="number of features $p$",
        title="Typical test error",
    )
    _plain_ticks(ax, (1, 10, 100, 1000))


def draw_linear_risk(ax: Axes, data: Mapping[str, Any]) -> None:
    """The risk formula (lines) and the measured risk (marks) for weak features and for the strongest first."""
    _mark_threshold(ax, data["samples"])
    shown = {
        "equally weak": ("blue", "-", "o", (61, 2.5)),
        "strongest first": ("orange", "--", "s", (24, 0.55)),
    }
    for name, (color, line, mark, place) in shown.items():
        predicted, measured = data["predicted"][name], data["measured"][name]
        finite = np.where(np.isfinite(predicted), predicted, np.nan)
        ax.plot(data["counts"], finite, color=PALETTE[color], linestyle=line)
        ax.plot(
            data["counts"][data["far"]],
            measured[data["far"]],
            mark,
            color=PALETTE[color],
            markersize=5,
        )
        ax.annotate(name, place, color=PALETTE[color])
    ax.set(
        yscale="log",
        xlim=(0, 102),
        ylim=(0.3, 40),
        xlabel="number of features $p$",
        ylabel="test risk",
    )
    _plain_ticks(ax, (), (0.5, 1, 2, 5, 10, 20))


def draw_risk_during_descent(ax: Axes, data: Mapping[str, Any]) -> None:
    """Risk over the number of features after more and more steps of gradient descent, and its limit."""
    _mark_threshold(ax, data["samples"])
    colors, lines = ("green", "purple", "orange", "red"), (":", "-.", "--", (0, (5, 1)))
    limit = np.where(np.isfinite(data["limit"]), data["limit"], np.nan)
    ax.plot(data["counts"], limit, color=PALETTE["blue"], label="minimum norm")
    shown = list(zip(data["steps"], data["risk"], colors, lines, strict=False))
    for steps, risk, color, line in reversed(shown):
        ax.plot(
            data["counts"],
            risk,
            color=PALETTE[color],
            linestyle=line,
            label=f"{steps:,} steps",
        )
    ax.legend(loc="upper right")
    ax.set(
        yscale="log",
        xlim=(0, 102),
        ylim=(0.8, 100),
        xlabel="number of features $p$",
        ylabel="test risk",
    )
    _plain_ticks(ax, (), (1, 2, 5, 10, 20, 50))


def draw_feature_error(ax: Axes, data: Mapping[str, Any]) -> None:
    """Test error of random features on digits over their number, for each share of redrawn labels.

    The diamond at the end of a curve is the error of infinitely many features.
    """
    _mark_threshold(ax, data["samples"])
    for k, (corruption, color, line) in enumerate(
        zip(
            data["corruptions"],
            ("blue", "orange", "red"),
            ("-", "--", "-."),
            strict=True,
        )
    ):
        curve, limit = data["error"][k].mean(0), data["kernel"][k].mean()
        ax.plot(data["counts"], curve, color=PALETTE[color], linestyle=line)
        ax.plot(
            [1.4 * data["counts"][-1]],
            [limit],
            "D",
            color=PALETTE[color],
            markersize=4,
            clip_on=False,
        )
        ax.annotate(
            f"{corruption:.0%} redrawn" if corruption else "clean labels",
            (1.4 * data["counts"][-1], limit),
            xytext=(6, 0),
            textcoords="offset points",
            color=PALETTE[color],
            va="center",
            annotation_clip=False,
        )
    ridge = data["ridge"].mean(0)
    ax.plot(data["counts"], ridge, color=PALETTE["gray"], linestyle=":")
    ax.annotate(
        "dotted: 10% redrawn,\nwith a ridge penalty",
        (0.03, 0.2),
        xycoords="axes fraction",
        color=PALETTE["gray"],
    )
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(0.012, 1),
        xlabel="number of random features $N$",
        ylabel="test error",
    )
    _plain_ticks(ax, (10, 100, 1000), (0.01, 0.1, 1))


def draw_feature_norm(ax: Axes, data: Mapping[str, Any]) -> None:
    """Norm of the minimum-norm solution over the number of features."""
    _mark_threshold(ax, data["samples"])
    for k, (color, line) in enumerate((("blue", "-"), ("orange", "--"), ("red", "-."))):
        ax.plot(
            data["counts"],
            np.median(data["norm"][k], 0),
            color=PALETTE[color],
            linestyle=line,
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="number of random features $N$",
        ylabel="norm of the solution",
    )
    _plain_ticks(ax, (10, 100, 1000))


def draw_networks(ax: Axes, data: Mapping[str, Any]) -> None:
    """Training and test square loss of trained networks over their parameters; a thin line a split."""
    _mark_threshold(ax, data["samples"], label="as many parameters\nas labels")
    ax.plot(
        data["parameters"],
        data["test"],
        color=PALETTE["blue"],
        linewidth=0.6,
        alpha=0.4,
        linestyle="-",
    )
    mean, seen = data["test"].mean(1), data["train"].mean(1)
    ax.plot(
        data["parameters"],
        mean,
        color=PALETTE["blue"],
        linestyle="-",
        marker="o",
        markersize=4,
    )
    ax.plot(data["parameters"], seen, color=PALETTE["orange"], linestyle="--")
    ax.annotate(
        "test",
        (data["parameters"][-1], mean[-1]),
        xytext=(5, 0),
        textcoords="offset points",
        color=PALETTE["blue"],
        va="center",
        annotation_clip=False,
    )
    low = int(np.argmax(seen < 0.2))
    ax.annotate(
        "training",
        (data["parameters"][low], seen[low]),
        xytext=(-6, -4),
        textcoords="offset points",
        color=PALETTE["orange"],
        ha="right",
        va="top",
    )
    ax.set(
        xscale="log",
        ylim=(0, None),
        xlabel="number of parameters",
        ylabel="mean square loss",
    )
    _plain_ticks(ax, (100, 1000))


def _mark_threshold(ax: Axes, threshold: int, label: str = "") -> None:
    """A thin line where the number of parameters equals the number of samples."""
    ax.axvline(threshold, color=PALETTE["gray"], linewidth=1, linestyle="-", zorder=0)
    ax.annotate(
        label or f"$n$ = {threshold}",
        (threshold, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -2),
        textcoords="offset points",
        va="top",
        color=PALETTE["gray"],
        fontsize=9,
    )


def _plain_ticks(ax: Axes, x: Sequence[float], y: Sequence[float] = ()) -> None:
    """Plain numbers in place of powers of ten."""
    if x:
        ax.set_xticks(x, [f"{value:g}" for value in x])
    if y:
        ax.set_yticks(y, [f"{value:g}" for value in y])
    ax.minorticks_off()
