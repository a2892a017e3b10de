"""Figures of the page on the geometry of optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE

Array = NDArray[np.float64]

_CLASSES = (("orange", "o"), ("purple", "s"), ("green", "^"))
_NORMS = ("spectral", "Frobenius", "largest entry")
_EPSILONS = (("blue", "-"), ("red", "--"))
_WAYS = (("blue", "-"), ("green", "-."), ("red", "--"))
_LEVELS = (0.3, 10.0, 1e6)


def tie_rays(W: Array) -> list[Array]:
    """Unit directions (2,) along which the two best scores of W (K, 2) are equal."""
    found = []
    for i in range(len(W)):
        for j in range(i):
            across = W[i] - W[j]
            along = np.array([-across[1], across[0]])
            along = along / np.linalg.norm(along)
            for ray in (along, -along):
                scores = W @ ray
                if scores[i] >= scores.max() - 1e-9:
                    found.append(ray)
    return found


def plot_fan(ax: Axes, X: Array, y: Array, found: Array, best: Array) -> None:
    """Points X (n, 2) of three classes, the borders of the rule W (3, 2) that was found
    (solid) and of the one with the largest margin (dashed).
    """
    reach = 1.15 * np.abs(X).max()
    for W, color, style, width in (
        (best, "gray", "--", 1.4),
        (found, "blue", "-", 2.4),
    ):
        for ray in tie_rays(W):
            ax.plot(
                *np.outer(ray, [0, 3 * reach]),
                color=PALETTE[color],
                linestyle=style,
                linewidth=width,
            )
    for k, (color, marker) in enumerate(_CLASSES):
        ax.plot(*X[y == k].T, marker, color=PALETTE[color], markersize=6)
    ax.set(
        xlim=(-reach, reach),
        ylim=(-reach, reach),
        aspect="equal",
        xlabel="$x_1$",
        ylabel="$x_2$",
        title="Three classes",
    )


def plot_bars(ax: Axes, early: Array, late: Array, own: int) -> None:
    """Margins (3,) in three norms over the largest possible: bars at the end, the
    optimizer's own norm in blue, and marks at a tenth of the steps.
    """
    for k, (before, after) in enumerate(zip(early, late, strict=True)):
        color = PALETTE["blue" if k == own else "gray"]
        ax.barh(k, after, height=0.55, color=color, alpha=0.85)
        ax.plot(
            before, k, "|", color=PALETTE["orange"], markersize=17, markeredgewidth=3
        )
        ax.annotate(
            f"{after:.2f}",
            (float(after), k),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
    ax.axvline(1, color=PALETTE["red"], linestyle=":", linewidth=1.6)
    ax.set_yticks(range(3), _NORMS)
    ax.set(xlim=(0, 1.25), ylim=(2.6, -0.6), title="Margin over the largest")
    ax.grid(visible=False, axis="y")


def plot_adam(
    axes: Sequence[Axes], stops: Array, ratios: Array, titles: Sequence[str]
) -> None:
    """Margins (K, 2, B, 2) over the largest, of Adam without and with epsilon, in l_2
    and l_inf: a panel for each norm, bundles over the steps.
    """
    for norm, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        for k, (color, style) in enumerate(_EPSILONS):
            curves = ratios[:, k, :, norm]
            ax.plot(
                stops,
                curves,
                color=PALETTE[color],
                linestyle=style,
                linewidth=0.7,
                alpha=0.35,
            )
            ax.plot(
                stops,
                np.median(curves, axis=1),
                color=PALETTE[color],
                linestyle=style,
                linewidth=2.6,
                label=("$\\epsilon = 0$", "$\\epsilon = 10^{-8}$")[k],
            )
        ax.axhline(1, color=PALETTE["gray"], linestyle=":", linewidth=1.2)
        ax.set(xscale="log", xlabel="steps", title=title, ylim=(0.6, 1.03))
    axes[0].set_ylabel("margin over the largest")
    axes[0].legend(loc="lower right", frameon=False)


def plot_box(
    ax: Axes, loss: tuple[Array, Array], paths: Mapping[str, Array], barrier: Array
) -> None:
    """The plane of two weights in units of the radius: level lines of a quadratic loss
    with Hessian H and minimizer, the box, paths (K, 2) and the ends (E, 2) that AdamW
    has for rising epsilon.
    """
    hessian, center = loss
    one, two = np.meshgrid(np.linspace(-0.2, 2.3, 90), np.linspace(-0.55, 1.35, 90))
    away = np.stack([one - center[0], two - center[1]])
    height = np.einsum("iab,ij,jab->ab", away, hessian, away)
    ax.contour(
        one,
        two,
        np.sqrt(height),
        levels=np.linspace(0.1, 1, 6) * float(np.sqrt(height).max()),
        colors=[PALETTE["gray"]],
        linewidths=0.7,
        alpha=0.6,
    )
    ax.plot(
        [-1, 1, 1, -1, -1],
        [-1, -1, 1, 1, -1],
        color=PALETTE["orange"],
        linestyle="-",
        linewidth=2,
    )
    for (name, path), (color, style) in zip(paths.items(), _WAYS, strict=True):
        ax.plot(*path.T, color=PALETTE[color], linestyle=style, label=name)
        ax.plot(*path[-1], "o", color=PALETTE[color], markersize=8)
    ax.plot(*barrier.T, color=PALETTE["purple"], linestyle=":", linewidth=2.2)
    ax.plot(*barrier.T, ".", color=PALETTE["purple"], markersize=7)
    ax.annotate(
        "AdamW, $\\epsilon$ rising",
        (barrier[len(barrier) // 2][0], barrier[len(barrier) // 2][1]),
        (-4, -20),
        textcoords="offset points",
        color=PALETTE["purple"],
    )
    ax.plot(*center, "x", color=PALETTE["gray"], markersize=9, markeredgewidth=2)
    ax.set(
        xlim=(-0.2, 2.3),
        ylim=(-0.55, 1.35),
        aspect="equal",
        xlabel=r"$\lambda w_1$",
        ylabel=r"$\lambda w_2$",
    )
    ax.legend(loc="lower right", frameon=False)


def level_set(phi: str, value: float) -> Array:
    """The curve phi(w_1) + phi(w_2) = value in the plane, (m, 2), over its reach along
    an axis; phi is "cosh", cosh w - 1, or "hypentropy", w arsinh w - sqrt(1 + w^2) + 1.
    """

    def one(w: Array) -> Array:
        if phi == "cosh":
            return np.asarray(2 * np.sinh(w / 2) ** 2)
        return np.asarray(w * np.arcsinh(w) - np.sqrt(1 + w * w) + 1)

    low, high = 0.0, 1.0
    while float(one(np.array(high))) < value:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if float(one(np.array(middle))) < value else (low, middle)
        )
    reach, angles = high, np.linspace(0, 2 * np.pi, 361)
    rays = np.stack([np.cos(angles), np.sin(angles)], 1)
    inner, outer = np.zeros(len(rays)), np.full(len(rays), 2 * reach)
    for _ in range(80):
        middles = (inner + outer) / 2
        below = one(middles[:, None] * rays).sum(1) < value
        inner, outer = np.where(below, middles, inner), np.where(below, outer, middles)
    return inner[:, None] * rays / reach


def plot_horizons(axes: Sequence[Axes]) -> None:
    """Level sets of two potentials in the plane, each over its own reach: small ones
    are round, large ones the ball of the norm at the horizon.
    """
    for ax, phi, title in zip(
        axes,
        ("cosh", "hypentropy"),
        ("$\\cosh$: a square", "hypentropy: a diamond"),
        strict=True,
    ):
        for value, color, style in zip(
            _LEVELS, ("gray", "orange", "blue"), (":", "--", "-"), strict=True
        ):
            ax.plot(
                *level_set(phi, value).T,
                color=PALETTE[color],
                linestyle=style,
                label=f"level {value:g}".replace("1e+06", "$10^6$"),
            )
        ax.set(
            aspect="equal",
            xlim=(-1.15, 1.15),
            ylim=(-1.15, 1.15),
            xticks=[],
            yticks=[],
            title=title,
        )
    axes[0].legend(loc="center", frameon=False)
