"""Figures of the introduction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE
from ibcore.pages.introduction.claims.intro_poly_overfit import Polynomials
from ibcore.pages.introduction.claims.intro_random_labels import Labels
from ibcore.pages.introduction.claims.smooth_or_wiggly import Curves
from ibcore.pages.introduction.runs import GRID
from ibcore.problems.curves import cubic

Array = NDArray[np.float64]
SHOWN_SCALE = 100.0  # of the starts whose roughness is shown


@dataclass(frozen=True)
class CurvePicture:
    """Points x, y (n,), a network on a grid, and references: name -> (x, values)."""

    x: Array
    y: Array
    grid: Array
    network: Array
    references: Mapping[str, tuple[Array, Array]]
    fits: bool = True


REFERENCE_STYLE = {
    "wiggly, fits too": {
        "color": PALETTE["gray"],
        "linestyle": "-",
        "linewidth": 0.9,
        "alpha": 0.75,
    },
    "least rough fit": {
        "color": PALETTE["orange"],
        "linestyle": "--",
        "linewidth": 1.5,
    },
    "kernel interpolant": {
        "color": PALETTE["green"],
        "linestyle": (0, (1, 1.2)),
        "linewidth": 2.2,
    },
}


def plot_curves(
    ax: Axes, picture: CurvePicture, *, label: str = "trained network"
) -> None:
    """The network over references and points; one without a fit is dashed and red."""
    for name, (x, values) in picture.references.items():
        ax.plot(x, values, label=name, **REFERENCE_STYLE[name])  # type: ignore[arg-type]
    color, line = (
        (PALETTE["blue"], "-") if picture.fits else (PALETTE["red"], (0, (5, 1.5)))
    )
    ax.plot(
        picture.grid,
        picture.network,
        color=color,
        linestyle=line,
        linewidth=2.4,
        label=label if picture.fits else f"{label}: does not fit",
    )
    ax.plot(
        picture.x,
        picture.y,
        "o",
        color="black",
        markersize=6,
        markeredgecolor="white",
        zorder=5,
    )
    every = [picture.y, *(values for _, values in picture.references.values())]
    low, high = min(v.min() for v in every), max(v.max() for v in every)
    height = high - low
    ax.set(
        xlim=(-1.02, 1.02),
        ylim=(low - 0.1 * height, high + 0.35 * height),
        xlabel="$x$",
        ylabel="$f(x)$",
    )
    ax.legend(
        loc="upper center",
        ncols=2,
        columnspacing=1.4,
        handlelength=2.4,
        frameon=False,
        borderaxespad=0.1,
    )


def plot_roughness(
    ax: Axes, trained: Mapping[int, Array], wiggly: Mapping[int, Array]
) -> None:
    """Roughness over the least, a dot a data set, by width and by start."""
    widths = list(trained)
    spread = np.random.default_rng(0)
    for values, name, mark in ((trained, "blue", "o"), (wiggly, "orange", "^")):
        for place, width in enumerate(widths):
            at = place + spread.uniform(-0.22, 0.22, len(values[width]))
            ax.plot(
                at, values[width], mark, color=PALETTE[name], markersize=4, alpha=0.65
            )
    ax.axhline(1, color=PALETTE["gray"], linewidth=1)
    ax.axhline(2, color=PALETTE["gray"], linewidth=1, linestyle=":")
    wiggly_height = float(np.median(np.concatenate(list(wiggly.values()))))
    for y, text, color, side in (
        (1.0, "least rough", "gray", "top"),
        (2.0, "twice that", "gray", "bottom"),
        (1.4, "random start", "blue", "center"),
        (wiggly_height, "wiggly start", "orange", "center"),
    ):
        ax.annotate(text, (len(widths) - 0.6, y), va=side, color=PALETTE[color])
    ax.set(
        yscale="log",
        xticks=range(len(widths)),
        xticklabels=[f"{w}" for w in widths],
        xlabel="width $m$",
        xlim=(-0.5, len(widths) + 0.1),
        ylim=(0.7, None),
        ylabel="roughness / least roughness",
    )
    ax.set_yticks(
        [1, 2, 5, 10, 20, 50, 100, 200], ["1", "2", "5", "10", "20", "50", "100", "200"]
    )
    ax.minorticks_off()


def plot_kernel_end(ax: Axes, widths: Sequence[int], distances: Array) -> None:
    """Distance to the kernel interpolant over width, with the line of slope -1/2."""
    m, typical = np.array(widths, float), np.exp(np.log(distances).mean(-1))
    for column in distances.T:
        ax.plot(
            m, column, color=PALETTE["blue"], linewidth=0.6, linestyle="-", alpha=0.35
        )
    ax.plot(m, typical, "o-", color=PALETTE["blue"])
    guide = typical[0] * 1.9 * (m / m[0]) ** -0.5
    ax.plot(m, guide, color=PALETTE["gray"], linestyle="--", linewidth=1.2)
    ax.annotate(
        "slope $-1/2$",
        (m[-2], guide[-2]),
        xytext=(0, 6),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="width $m$",
        ylabel="largest distance to the\nkernel interpolant",
    )
    ax.set_xticks(m, [f"{w}" for w in widths])
    ax.minorticks_off()


def plot_fit(
    ax: Axes, x: Array, y: Array, grid: Array, fit: Array, truth: Array
) -> None:
    """A fit, the truth and the training points; what leaves the frame is cut off."""
    reach = 1.6 * float(np.abs(y).max())
    ax.plot(
        grid, truth, color=PALETTE["gray"], linestyle="--", linewidth=1.3, label="truth"
    )
    ax.plot(
        grid,
        np.clip(fit, -2 * reach, 2 * reach),
        color=PALETTE["blue"],
        linewidth=2.2,
        label="fit",
    )
    ax.plot(x, y, "o", color="black", markersize=6, markeredgecolor="white", zorder=5)
    ax.set(xlim=(-1.02, 1.02), ylim=(-reach, 1.2 * reach), xlabel="$x$", ylabel="$y$")
    ax.legend(loc="upper center", ncols=2, frameon=False)


def plot_polynomial_fits(axes: Sequence[Axes], measured: Polynomials) -> None:
    """The first data set with its polynomials, and the test errors of all."""
    data, fits = measured.data, measured.fits
    grid = torch.linspace(-1, 1, GRID, dtype=torch.float64)
    plot_polynomials(
        axes[0],
        data.x[0].numpy(),
        data.y[0].numpy(),
        grid.numpy(),
        {degree: fit(grid)[0].numpy() for degree, fit in fits.items()},
        cubic(grid).numpy(),
    )
    errors = {degree: fit.test.numpy() for degree, fit in fits.items()}
    plot_test_errors(axes[1], errors)


def plot_random_labels(axes: Sequence[Axes], measured: Labels) -> None:
    """Accuracies and steps over the share of random labels."""
    levels, runs = list(measured.runs), list(measured.runs.values())
    train, test, ran = (
        np.stack([getattr(run, name).numpy() for run in runs])
        for name in ("train", "test", "ran")
    )
    plot_corruption(axes[0], levels, train, test)
    plot_steps(axes[1], levels, ran)


def plot_starts(ax: Axes, measured: Curves) -> None:
    """Roughness over width from random and from wiggly starts, scattered labels."""
    chosen = [
        one
        for one in (*measured.narrow, *measured.wide)
        if one.kind == "scattered" and one.scale == SHOWN_SCALE
    ]
    plot_roughness(
        ax,
        {one.width: one.random.ratio.numpy() for one in chosen},
        {one.width: one.wiggly.refit.ratio.numpy() for one in chosen},
    )


def plot_polynomials(
    ax: Axes, x: Array, y: Array, grid: Array, curves: Mapping[int, Array], truth: Array
) -> None:
    """Noisy points, the cubic behind them and least-squares polynomials."""
    styles = {3: ("green", "-"), 8: ("red", "--"), 60: ("purple", "-.")}
    ax.plot(grid, truth, color=PALETTE["gray"], linewidth=1, label="truth")
    for degree, values in curves.items():
        color, line = styles[degree]
        ax.plot(
            grid, values, color=PALETTE[color], linestyle=line, label=f"degree {degree}"
        )
    ax.plot(x, y, "o", color="black", markersize=6, markeredgecolor="white", zorder=5)
    reach = 1.15 * float(np.abs(y).max())
    ax.set(
        xlim=(-1.02, 1.02), ylim=(-1.3 * reach, 2.1 * reach), xlabel="$x$", ylabel="$y$"
    )
    ax.legend(
        loc="upper center", ncols=2, columnspacing=1.2, handlelength=2.2, frameon=False
    )


def plot_test_errors(ax: Axes, errors: Mapping[int, Array]) -> None:
    """Test errors of all data sets by degree, sorted: a higher curve is worse."""
    styles = {3: ("green", "-"), 8: ("red", "--"), 60: ("purple", "-.")}
    for degree, values in errors.items():
        share = (np.arange(len(values)) + 0.5) / len(values)
        ax.plot(
            share,
            np.sort(values),
            color=PALETTE[styles[degree][0]],
            linestyle=styles[degree][1],
        )
        side, shift = ("top", -5) if degree == min(errors) else ("bottom", 4)
        ax.annotate(
            f"degree {degree}",
            (0.55, np.quantile(values, 0.6)),
            ha="right",
            va=side,
            color=PALETTE[styles[degree][0]],
            xytext=(0, shift),
            textcoords="offset points",
        )
    low = min(values.min() for values in errors.values())
    ax.set(
        yscale="log",
        xlim=(0, 1),
        ylim=(0.6 * low, None),
        xlabel="share of data sets",
        ylabel="test error",
    )


def plot_corruption(
    ax: Axes, levels: Sequence[float], train: Array, test: Array
) -> None:
    """Accuracies of networks (levels, seeds) over the share of redrawn labels."""
    for values, color, line, mark in (
        (train, "orange", "--", "s"),
        (test, "blue", "-", "o"),
    ):
        ax.plot(levels, values.mean(-1), mark, color=PALETTE[color], linestyle=line)
        ax.plot(levels, values, ".", color=PALETTE[color], markersize=3, alpha=0.6)
    ax.axhline(0.1, color=PALETTE["gray"], linewidth=1, linestyle=":")
    ax.annotate(
        "guessing",
        (0.0, 0.1),
        xytext=(2, 4),
        textcoords="offset points",
        color=PALETTE["gray"],
    )
    ax.annotate(
        "training labels",
        (0.35, 1.0),
        xytext=(0, -14),
        textcoords="offset points",
        color=PALETTE["orange"],
    )
    ax.annotate(
        "new digits",
        (levels[len(levels) // 2], test[len(levels) // 2].mean()),
        xytext=(8, 4),
        textcoords="offset points",
        color=PALETTE["blue"],
    )
    ax.set(
        xlabel="share of labels redrawn at random", ylabel="accuracy", ylim=(0, 1.05)
    )


def plot_steps(ax: Axes, levels: Sequence[float], steps: Array) -> None:
    """Steps of SGD until every training label is fitted, (levels, seeds)."""
    ax.plot(levels, steps, ".", color=PALETTE["blue"], markersize=4, alpha=0.6)
    ax.plot(levels, np.median(steps, -1), "o-", color=PALETTE["blue"])
    ax.set(
        xlabel="share of labels redrawn at random",
        ylabel="steps to fit",
        ylim=(0, 1.1 * steps.max()),
    )
