"""Figures of the page on convolutional and fully connected linear networks in
regression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]

_KINDS = {"even": ("blue", "-", "o"), "generic": ("orange", "--", "s")}


def plot_spectrum(ax: Axes, network: Array, sparse: Array, dense: Array) -> None:
    """Sizes of the spectrum of the network's predictor (stems) and of the two limits,
    each (d // 2 + 1,).
    """
    places = np.arange(len(network))
    ax.vlines(places, 0, network, color=PALETTE["blue"], linewidth=3)
    ax.plot(
        places, network, "o", color=PALETTE["blue"], markersize=6.5, label="network"
    )
    ax.plot(
        places + 0.24,
        sparse,
        "D",
        color=PALETTE["orange"],
        markersize=5,
        label=r"least $\ell_1$",
    )
    ax.plot(
        places - 0.24,
        dense,
        "^",
        color=PALETTE["gray"],
        markersize=5,
        label=r"least $\ell_2$",
    )
    ax.legend(
        loc="upper center",
        fontsize=9,
        ncols=3,
        frameon=False,
        handletextpad=0.2,
        columnspacing=1.0,
    )
    ax.set(ylim=(-0.04, 1.4), xlabel="frequency", title=r"Spectrum $|\hat\beta_k|$")


def plot_transition(
    ax: Axes, scales: Array, curves: Mapping[str, Array], kind: str, current: float
) -> None:
    """Excess of the Fourier-l1 norm over the scale alpha for each kind of inputs; the
    current run is ringed.
    """
    for name, values in curves.items():
        color, style, mark = _KINDS[name]
        ax.plot(
            scales,
            values,
            color=PALETTE[color],
            linestyle=style,
            marker=mark,
            markersize=4,
        )
        ax.annotate(
            name,
            (scales[-1], values[-1]),
            (9, -3 if name == "even" else 9),
            textcoords="offset points",
            color=PALETTE[color],
        )
    value = float(curves[kind][list(scales).index(current)])
    ax.plot(
        current,
        value,
        "o",
        markersize=13,
        fillstyle="none",
        color=PALETTE["red"],
        markeredgewidth=2,
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"scale $\alpha$ of the start",
        title=r"Excess of the $\ell_1$ norm",
    )


def plot_excess(
    axes: Sequence[Axes],
    scales: Array,
    excess: Array,
    grid: Array,
    predicted: Array,
    generic_scales: Array,
    generic_excess: Array,
) -> None:
    """Excess of the Fourier-l1 norm: left runs (B, K) over predicted curves (B, G) for
    even inputs, right generic.
    """
    left, right = axes
    for points, curve in zip(excess, predicted, strict=True):
        left.plot(grid, curve, color=PALETTE["gray"], linestyle="-", linewidth=1.2)
        left.plot(scales, points, "o", color=PALETTE["blue"], markersize=5)
    for points in generic_excess:
        right.plot(
            generic_scales,
            points,
            color=PALETTE["orange"],
            linestyle="--",
            marker="s",
            markersize=5,
        )
    left.set(title="even inputs", ylabel=r"excess of the $\ell_1$ norm")
    right.set(title="inputs without symmetry")
    for ax in axes:
        ax.set(xscale="log", yscale="log", xlabel=r"scale $\alpha$ of the start")


def plot_small_start(
    axes: Sequence[Axes],
    scales: Array,
    distances: Array,
    ratios: Array,
    constants: Array,
) -> None:
    """Distance to the least-norm interpolant and sigma_2/sigma_1, (B, K), with the
    predicted lines constants (B, 2).
    """
    titles = (r"distance to $X^{+}y$", r"$\sigma_2 / \sigma_1$ of the first layer")
    ends = np.array([scales.min() / 2, 2 * scales.max()])
    for ax, values, slope, title in zip(
        axes, (distances, ratios), np.asarray(constants).T, titles, strict=True
    ):
        for points, constant, (color, mark) in zip(
            values, slope, _marks(len(values)), strict=True
        ):
            ax.plot(
                ends,
                constant * ends,
                color=PALETTE[color],
                linewidth=1.2,
                linestyle="-",
            )
            ax.plot(scales, points, mark, color=PALETTE[color], markersize=5.5)
        ax.set(xscale="log", yscale="log", xlabel="scale of the start", title=title)


def _marks(count: int) -> list[tuple[str, str]]:
    marks = (
        ("blue", "o"),
        ("orange", "s"),
        ("green", "D"),
        ("red", "^"),
        ("purple", "v"),
    )
    return [marks[i % len(marks)] for i in range(count)]
