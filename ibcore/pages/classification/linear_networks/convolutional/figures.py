"""Figures of the page on linear convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE, plot_watched

Array = NDArray[np.float64]
_LINES = (("orange", ":"), ("purple", "-."), ("green", "--"), ("blue", "-"))


def plot_spectrum(ax: Axes, limits: Array, best: Array, plain: Array) -> None:
    """Sizes of the Fourier coefficients, in units of their sum: networks (B, d), the
    Fourier l1 and the l2 optimum.
    """

    def sizes(beta: Array) -> Array:
        full = np.abs(np.fft.fft(beta))
        return (full / full.sum(-1, keepdims=True))[..., : beta.shape[-1] // 2 + 1]

    frequencies = np.arange(best.shape[-1] // 2 + 1)
    ax.bar(frequencies, sizes(best), width=0.8, color=PALETTE["gray"], alpha=0.35)
    ax.plot(
        frequencies,
        sizes(plain),
        "s--",
        color=PALETTE["orange"],
        markersize=5,
        linewidth=1.2,
    )
    for one in sizes(limits):
        ax.plot(
            frequencies,
            one,
            "o",
            color=PALETTE["blue"],
            markersize=6,
            markerfacecolor="none",
        )
    peak = int(np.argmin(sizes(best) - sizes(plain)))
    ax.annotate(
        "$\\ell_2$ max margin",
        (peak, sizes(plain)[peak]),
        (0, 9),
        textcoords="offset points",
        ha="center",
        color=PALETTE["orange"],
    )
    ax.set(
        xlabel="frequency",
        ylabel="share of the Fourier $\\ell_1$ norm",
        xticks=frequencies,
    )


def plot_gap_paths(
    ax: Axes, powers: Array, gaps: Array, names: Sequence[str], current: tuple[int, int]
) -> None:
    """Fourier l1 gaps (K, C) of C kernels over log10 log(1/L), with a mark at (time,
    kernel) `current`.
    """
    plot_watched(ax, powers, gaps, names, _LINES, current)
    ax.set_yscale("log")
    ax.minorticks_off()
    ax.legend(loc="upper right", title="entries of the kernel", ncols=2)
    ax.set_xticks([0, 2, 4, 6, 8], ["1", "$10^2$", "$10^4$", "$10^6$", "$10^8$"])
    ax.set(
        xlabel=r"$\log(1/L)$",
        ylabel="excess of the Fourier norm",
        title="Above the least norm",
        ylim=(5e-4, 2e4),
    )
