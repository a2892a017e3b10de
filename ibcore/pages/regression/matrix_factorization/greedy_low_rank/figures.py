"""Figures of the page on rank as the bias of matrix factorization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE
from ibcore.pages.regression.matrix_factorization.greedy_low_rank.claims.deep_mf_singular_dynamics import (
    Dynamics,
)

Array = NDArray[np.float64]
_LINES = (
    ("blue", "-"),
    ("orange", "--"),
    ("green", "-."),
    ("purple", ":"),
    ("gray", (0, (5, 1))),
)
_METHODS = {
    "nuclear norm": ("gray", "-", "o"),
    "depth 2": ("blue", "--", "s"),
    "depth 3": ("orange", "-.", "D"),
    "depth 4": ("red", ":", "^"),
}


def plot_growth(ax: Axes, steps: Sequence[int], values: Array, truth: Array) -> None:
    """The five largest singular values (K, d), and those of the truth as thin lines."""
    for value in truth:
        ax.axhline(value, color=PALETTE["gray"], linewidth=1.0, linestyle=":")
    for j, (color, style) in enumerate(_LINES):
        ax.plot(steps, values[:, j], color=PALETTE[color], linestyle=style)
    ax.set(
        xscale="log",
        xlabel="step of descent",
        ylabel="singular values of $W$",
        ylim=(-0.05, 1.6),
        title="While it is trained",
    )
    ax.annotate(
        "truth",
        (steps[0], float(truth[0])),
        (2, 3),
        textcoords="offset points",
        color=PALETTE["gray"],
        fontsize=9,
    )


def plot_spectra(ax: Axes, spectra: Mapping[str, Array]) -> None:
    """Singular values of the truth, of the least nuclear norm and of descent."""
    looks = {
        "truth": ("gray", "_", 16),
        "nuclear": ("orange", "s", 5),
        "descent": ("blue", "o", 6),
    }
    for name, values in spectra.items():
        color, mark, size = looks[name]
        shift = {"truth": 0.0, "nuclear": -0.12, "descent": 0.12}[name]
        ax.plot(
            np.arange(1, len(values) + 1) + shift,
            np.maximum(values, 1e-8),
            mark,
            color=PALETTE[color],
            markersize=size,
            markeredgewidth=2 if mark == "_" else 1,
            linestyle="none",
        )
    labels = {"truth": "truth", "nuclear": "least nuclear norm", "descent": "descent"}
    for row, (name, text) in enumerate(labels.items()):
        ax.annotate(
            text,
            (0.97, 0.95 - 0.085 * row),
            xycoords="axes fraction",
            ha="right",
            va="top",
            color=PALETTE[looks[name][0]],
        )
    ax.set(yscale="log", ylim=(1e-7, 60), xlabel="index", title="In the end")
    ax.set_xticks([1, 2, 4, 6, 8, 10])


def plot_dynamics(axes: Sequence[Axes], measured: Dynamics) -> None:
    """One panel a depth, for the first flow: singular values of the layers as lines, of
    the flow of W alone as dots.
    """
    times = measured.times.numpy()
    for ax, (depth, flows) in zip(axes, measured.flows.items(), strict=True):
        values, alone = flows.values[0].numpy(), flows.alone[0].numpy()
        for j, (color, style) in enumerate(_LINES):
            ax.plot(times, values[:, j], color=PALETTE[color], linestyle=style)
            ax.plot(
                times[::5], alone[::5, j], "o", color=PALETTE[color], markersize=3.6
            )
        ax.set(xscale="log", xlabel="time", title=f"depth {depth}", ylim=(-0.03, 1.12))
    axes[0].set_ylabel("singular values")


def plot_approach(ax: Axes, scales: Array, far: Array) -> None:
    """Distances (B, S) of the flow from the path over the scale of the start."""
    ax.plot(scales, far.T, "o-", color=PALETTE["blue"], linewidth=1.3)
    ax.axhline(1e-3, color=PALETTE["gray"], linestyle="--", linewidth=1.2)
    ax.annotate(
        "bar",
        (scales[-1], 1e-3),
        (4, 4),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=r"scale $\varepsilon$ of the start",
        ylabel="farthest from the path",
        title="Closer from smaller starts",
    )


def plot_stages(ax: Axes, path: Array, flows: Mapping[str, Array]) -> None:
    """Eigenvalues (K, d) over tr W along the path of the algorithm and along flows."""

    def plot(values: Array, **style: object) -> None:
        ax.plot(values.sum(1), values[:, :4], **style)  # type: ignore[arg-type]

    plot(
        path[:: max(1, len(path) // 300)],
        color=PALETTE["gray"],
        linewidth=5,
        alpha=0.45,
        linestyle="-",
    )
    for (name, values), (color, style) in zip(
        flows.items(), (("orange", "--"), ("blue", "-")), strict=False
    ):
        plot(values, color=PALETTE[color], linestyle=style, linewidth=1.4)
        ax.annotate(
            name,
            (0.03, 0.93 - 0.09 * (color == "blue")),
            xycoords="axes fraction",
            color=PALETTE[color],
        )
    ax.annotate(
        "algorithm (wide)",
        (0.03, 0.75),
        xycoords="axes fraction",
        color=PALETTE["gray"],
    )
    ax.set(xlabel="tr $W$", ylabel="eigenvalues of $W$", title="One at a time")


def plot_errors(ax: Axes, nuclear: Array, errors: Mapping[int, Array]) -> None:
    """Error of descent over that of the least nuclear norm, one mark a matrix."""
    ends = np.array([8e-3, 1.0])
    ax.fill_between(
        ends, ends / 10, 1e-6, color=PALETTE["green"], alpha=0.12, linewidth=0
    )
    ax.plot(ends, ends, color=PALETTE["gray"], linestyle="-", linewidth=1.0)
    for depth, values in errors.items():
        color, _, mark = _METHODS[f"depth {depth}"]
        ax.plot(
            nuclear,
            values,
            mark,
            color=PALETTE[color],
            linestyle="none",
            fillstyle="full" if depth == 3 else "none",
        )
    ax.annotate("no better", (9e-3, 0.25), color=PALETTE["gray"])
    ax.annotate("ten times better", (9e-3, 2e-5), color=PALETTE["green"])
    for row, depth in enumerate(errors):
        ax.annotate(
            f"depth {depth}",
            (0.03, 0.33 - 0.09 * row),
            xycoords="axes fraction",
            color=PALETTE[_METHODS[f"depth {depth}"][0]],
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="error, least nuclear norm",
        ylabel="error, descent",
        ylim=(1e-5, 1.5),
        xlim=(8e-3, 1.0),
    )


def plot_recovery(
    ax: Axes,
    shares: Sequence[float],
    recovered: Mapping[str, Sequence[float]],
    freedom: float,
) -> None:
    """The fraction of matrices recovered over the share of entries observed; `freedom`:
    unknowns over entries.
    """
    for name, values in recovered.items():
        color, style, mark = _METHODS[name]
        ax.plot(shares, values, marker=mark, color=PALETTE[color], linestyle=style)
        half = int(np.argmin(np.abs(np.asarray(values) - 0.6)))
        ax.annotate(
            name,
            (shares[half], values[half]),
            (7, -10),
            textcoords="offset points",
            color=PALETTE[color],
        )
    ax.axvline(freedom, color=PALETTE["gray"], linewidth=1.0, linestyle=":")
    ax.annotate(
        "as many entries\nas unknowns",
        (freedom, 0.8),
        (4, 0),
        textcoords="offset points",
        color=PALETTE["gray"],
        fontsize=9,
    )
    ax.set(
        xlabel="share of the entries observed",
        ylabel="matrices recovered",
        ylim=(-0.05, 1.08),
    )
