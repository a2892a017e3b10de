"""Figures of the page on diagonal linear networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE, plot_watched
from ibcore.pages.classification.linear_networks.diagonal.claims.diag_classification_quasinorm import (
    DeepEnds,
    Limits,
)
from ibcore.pages.classification.linear_networks.diagonal.claims.diag_init_scale_vs_accuracy import (
    ScaleMaps,
)

Array = NDArray[np.float64]
_LINES = (("blue", "-"), ("orange", "--"), ("purple", "-."))


def plot_coefficients(ax: Axes, beta: Array, sparse: Array) -> None:
    """Bars of the coefficients `beta` (d,), over the outlines of the `sparse` ones,
    both in units of their l1 norm.
    """
    order = np.argsort(-np.abs(sparse), kind="stable")
    places = np.arange(len(beta))
    ax.bar(
        places,
        sparse[order] / np.abs(sparse).sum(),
        width=0.9,
        color=PALETTE["gray"],
        alpha=0.35,
    )
    ax.bar(places, beta[order] / np.abs(beta).sum(), width=0.5, color=PALETTE["blue"])
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    ax.set(
        xlabel="coefficient",
        ylabel="share of the $\\ell_1$ norm",
        xticks=[],
        ylim=(-0.6, 0.6),
        title="The classifier",
    )


def plot_ratio_paths(
    ax: Axes,
    powers: Array,
    ratios: Array,
    names: Sequence[str],
    current: tuple[int, int],
) -> None:
    """l1 margin ratios (K, S) of S scales over log10 log(1/L), with a mark at (time,
    scale) `current`.
    """
    plot_watched(ax, powers, ratios, names, _LINES, current)
    ax.axhline(1, color=PALETTE["gray"], linestyle=":", linewidth=1.2)
    ax.legend(loc="lower right", title="scale of the start")
    ticks = [0, 2, 4, 6, 8]
    ax.set_xticks(ticks, [f"$10^{tick}$" for tick in ticks])
    ax.set(
        xlabel=r"$\log(1/L)$",
        ylabel="$\\ell_1$ margin / largest",
        ylim=(0.1, 1.05),
        title="How sparse it could be",
    )


def plot_exponents(ax: Axes, limits: Limits) -> None:
    """Measured exponents over dual slacks, with the line of equality."""
    ends = np.array([0.15, 0.57])
    ax.plot(ends, ends, color=PALETTE["gray"], linestyle="--", linewidth=1.3)
    ax.annotate(
        "exponent = slack",
        (0.5, 0.5),
        (0, -22),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.plot(
        limits.planted.slacks.numpy(),
        limits.exponents.numpy(),
        "o",
        color=PALETTE["blue"],
        markersize=6,
        markerfacecolor="none",
    )
    ax.set(xlabel="dual slack of the linear program", ylabel="measured exponent")


def plot_minimizers(ax: Axes, ends: DeepEnds) -> None:
    """How many starts end at each of the best local minimizers, eight or as many as are
    reached, labeled by relative quasi-norm.
    """
    values, counts = ends.problem.listed.values.numpy(), ends.counts.numpy()
    reached = int(np.flatnonzero(counts).max(initial=0)) + 1
    shown = min(len(values), max(8, reached))
    places = np.arange(shown)
    ax.bar(places, counts[:shown], width=0.6, color=PALETTE["blue"])
    ax.plot(
        places,
        np.zeros(shown),
        "|",
        color=PALETTE["gray"],
        markersize=12,
        clip_on=False,
    )
    ax.set_xticks(places, [f"{value / values[0]:.3g}" for value in values[:shown]])
    ax.set(
        xlabel="quasi-norm, relative to the least",
        ylabel="starts",
        xlim=(-0.6, shown - 0.4),
        title=f"Depth {ends.problem.depth}: {len(values)} local minimizers",
    )


def plot_scale_map(ax: Axes, measured: ScaleMaps) -> None:
    """l1 margins of the first problem over the scale alpha and log(1/L), with the line
    log(1/L) = alpha^2.
    """
    x = np.log10(measured.scales.numpy())
    y = np.log10(measured.accuracies.numpy())
    filled = ax.contourf(
        x,
        y,
        measured.maps[0].ratios.numpy(),
        levels=np.linspace(0.7, 1, 13),
        extend="min",
        cmap="cividis",
    )
    ax.figure.colorbar(filled, ax=ax, label="$\\ell_1$ margin / largest", format="%.2f")
    line = np.linspace(max(x.min(), y.min() / 2), x.max(), 20)
    ax.plot(line, 2 * line, color="white", linestyle="--", linewidth=2)
    ax.annotate(
        "$\\log(1/L) = \\alpha^2$", (0.55, 1.1), (0.7, 0.55), color="white", rotation=0
    )
    ax.set_xticks([-1, 0, 1, 2], ["0.1", "1", "10", "100"])
    ax.set_yticks([0, 2, 4, 6], ["1", "$10^2$", "$10^4$", "$10^6$"])
    ax.set(
        xlabel="scale $\\alpha$ of the start",
        ylabel="$\\log(1/L)$",
        xlim=(x.min(), x.max()),
        ylim=(y.min(), y.max()),
    )
