"""Figures of the page on fully connected linear networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]

_DEPTHS = {
    1: ("gray", "-", "o"),
    2: ("blue", "--", "s"),
    3: ("orange", "-.", "D"),
    4: ("red", ":", "^"),
}


def plot_spectra(ax: Axes, spectra: Sequence[Array]) -> None:
    """Singular values of each hidden layer relative to its largest, one column of marks
    a layer.
    """
    for j, values in enumerate(spectra, start=1):
        relative = values / values[0]
        ax.plot(
            np.full(len(values), j), relative, "o", color=PALETTE["gray"], markersize=5
        )
        ax.plot(j, 1.0, "D", color=PALETTE["blue"], markersize=8)
    ax.set(
        yscale="log",
        ylim=(1e-5, 3),
        xlim=(0.5, 3.5),
        xlabel="hidden layer",
        ylabel=r"$\sigma_i / \sigma_1$",
        title="Its singular values",
    )
    ax.set_xticks([1, 2, 3])
    if not spectra:
        ax.annotate("no hidden layer", (2, 3e-3), ha="center", color=PALETTE["gray"])


def plot_laws(
    ax: Axes,
    log_losses: Mapping[int, Array],
    values: Mapping[int, Array],
    exponents: Mapping[int, float],
    ylabel: str,
) -> None:
    """Runs (K, B) of several depths over log(1/L), with a thin line of the predicted
    exponent through the last mark.
    """
    for k, y in values.items():
        color, style, mark = _DEPTHS[k]
        x = -log_losses[k]
        ax.plot(x, y, mark, color=PALETTE[color], markersize=4.5)
        middle = np.exp(np.log(y[-1]).mean())
        ends = np.array([1e2, 1e10])
        ax.plot(
            ends,
            middle * (ends / 1e10) ** exponents[k],
            color=PALETTE[color],
            linestyle=style,
            linewidth=1.3,
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"$\log(1/L)$",
        ylabel=ylabel,
        xlim=(50, 2e11),
    )
    ax.set_xticks([1e2, 1e4, 1e6, 1e8, 1e10])


def label_depths(ax: Axes, values: Mapping[int, Array]) -> None:
    """The depth beside the last marks of each depth, in its color."""
    for k, y in values.items():
        ax.annotate(
            f"{k}",
            (1e10, float(np.exp(np.log(y[-1]).mean()))),
            (9, -4),
            textcoords="offset points",
            color=PALETTE[_DEPTHS[k][0]],
        )


def plot_directions(
    axes: Sequence[Axes],
    spanned: Array,
    log_losses: Mapping[int, Array],
    sines: Mapping[int, Array],
) -> None:
    """Sines (K, B) of each depth where the support vectors span the space (left) and
    where not (right).
    """
    marked = np.asarray(spanned, dtype=bool)
    for ax, chosen, title in zip(
        axes, (marked, ~marked), ("support vectors span", "they do not"), strict=True
    ):
        losses, values = (
            {k: np.asarray(v)[:, chosen] for k, v in part.items()}
            for part in (log_losses, sines)
        )
        exponents = {k: -1.0 if chosen is marked else -1 / k for k in values}
        plot_laws(ax, losses, values, exponents, "")
        ax.set(title=title)
    label_depths(axes[1], values)
    axes[0].annotate("all depths", (1e7, 1e-6), color=PALETTE["gray"])
    axes[0].set_ylabel("sin of the angle")


def plot_alignment(
    axes: Sequence[Axes],
    log_losses: Mapping[int, Array],
    ratios: Mapping[int, Array],
    sines: Mapping[int, Array],
) -> None:
    """sigma_2 / sigma_1 (left) and the sine between adjacent layers (right), (K, B) for
    each depth.
    """
    losses = {k: np.asarray(v) for k, v in log_losses.items()}
    for ax, part, power, label in zip(
        axes,
        (ratios, sines),
        (1, 2),
        (r"$\sigma_2/\sigma_1$", "sin between adjacent layers"),
        strict=True,
    ):
        values = {k: np.asarray(v) for k, v in part.items()}
        plot_laws(ax, losses, values, {k: -power / k for k in values}, "")
        ax.set(title=label)
        label_depths(ax, values)
