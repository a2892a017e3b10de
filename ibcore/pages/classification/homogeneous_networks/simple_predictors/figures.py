"""Figures of the page on simple predictors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]


def plot_levels(ax: Axes, circle: Array, values: Array, X: Array, y: Array) -> None:
    """Level lines of f with f(cx) = c f(x) for c > 0, and the points.

    values: f (k,) on the unit circle (k, 2). The lines are those of five equally spaced
    levels of either sign.
    """
    reach = 1.1 * float(np.abs(X).max())
    for sign, color, line in ((1, "orange", "-"), (-1, "purple", "--")):
        there = np.where(sign * values > 0, sign * values, np.nan)
        for level in reach * float(np.abs(values).max()) * np.arange(0.15, 1, 0.2):
            distance = np.minimum(level / there, 10 * reach)
            curve = distance[:, None] * circle
            ax.plot(*curve.T, color=PALETTE[color], linestyle=line, linewidth=1)
    for sign, marker, color in ((1, "o", "orange"), (-1, "s", "purple")):
        ax.plot(*X[y == sign].T, marker, color=PALETTE[color], markersize=6)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title="Level lines and points")


def plot_around(ax: Axes, values: Array) -> None:
    """f around the unit circle (k,), the last point being the first, and -f(-x)."""
    angles = np.linspace(0, 360, len(values))
    scaled = values / max(float(np.abs(values).max()), 1e-300)
    opposite = -np.roll(scaled[:-1], (len(values) - 1) // 2)
    ax.plot(angles, scaled, color=PALETTE["blue"], linestyle="-", label="$f(x)$")
    ax.plot(angles[:-1], opposite, color=PALETTE["red"], linestyle="--")
    ax.lines[-1].set_label("$-f(-x)$")
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    ax.set(xlabel="angle of $x$ in degrees", ylabel="relative")
    ax.set(xticks=range(0, 361, 90), ylim=(-1.1, 1.5), title="Around the unit circle")
    ax.legend(loc="upper center", ncols=2)


def plot_alignment(ax: Axes, stops: Array, sines: Array, uneven: Array) -> None:
    """Largest sine of a neuron to +-w_hat (K, B) over log(1/L), stops: log L (K,).

    Squares at the first stop for neurons with mirror images of another length.
    """
    x = -stops
    ax.plot(x, sines, color=PALETTE["blue"], linestyle="-", linewidth=1)
    ax.plot(x, 0.6 * x**-0.5, color=PALETTE["gray"], linestyle="--")
    found = uneven[uneven > 0]
    (squares,) = ax.plot(np.full(len(found), x[0]), found, "s", color=PALETTE["red"])
    squares.set(markersize=4, alpha=0.5)
    labels = (
        (r"slope $-1/2$", (x[2], 0.6 * x[2] ** -0.5), (4, 6), "gray"),
        ("mirrored data", (x[2], float(sines[2].min())), (-10, -26), "blue"),
        ("neurons, longer mirror images", (x[0], 1.0), (8, 0), "red"),
    )
    for text, place, shift, color in labels:
        note = ax.annotate(text, place, shift, textcoords="offset points")
        note.set_color(PALETTE[color])
    ax.set(xscale="log", yscale="log", xlabel=r"$\log(1/L)$")
    ax.set(ylabel=r"sin of the angle to $\pm\hat w$", ylim=(1e-7, 4))


def plot_boundaries(
    ax: Axes, angles: Array, curves: Sequence[Array], names: Sequence[str]
) -> None:
    """f of several networks over the angle on a circle, over its largest value."""
    looks = (("blue", "-"), ("red", "--"))
    for curve, name, (color, line) in zip(curves, names, looks, strict=True):
        (drawn,) = ax.plot(angles, curve / np.abs(curve).max(), label=name)
        drawn.set(color=PALETTE[color], linestyle=line)
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    ax.set(xlabel="angle of $x$ in degrees", ylabel="$f(x)$, relative")
    ax.set_xticks(range(0, 361, 60))
    ax.legend(loc="upper center")
