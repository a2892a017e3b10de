"""Figures of the page on features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibcore.figures import PALETTE
from ibcore.oracles.saddle_path import SaddlePath
from ibcore.pages.since.features.grokking import Task, Training

Array = NDArray[np.float64]
_TONES = tuple(PALETTE.values())
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
_SHOWN = 24


def plot_shares(ax: Axes, shares: Array, weights: Array, title: str) -> None:
    """A bar for each of the heaviest neurons, divided by its shares (m, q + 1) of the
    power at the frequencies 0 to q and sorted by its main one; `weights` (m,).
    """
    heavy = np.argsort(-weights)[:_SHOWN]
    chosen = shares[heavy]
    chosen = chosen[np.lexsort((-chosen.max(1), chosen[:, 1:].argmax(1)))]
    edges = np.arange(len(chosen) + 1)
    bottom = np.zeros(len(chosen))
    order = [*range(1, chosen.shape[1]), 0]
    for frequency in order:
        top = bottom + chosen[:, frequency]
        color = PALETTE["gray"] if frequency == 0 else _TONES[frequency - 1]
        ax.fill_between(
            edges,
            np.append(bottom, bottom[-1]),
            np.append(top, top[-1]),
            step="post",
            color=color,
            linewidth=0,
            label="constant" if frequency == 0 else f"frequency {frequency}",
        )
        bottom = top
    ax.grid(visible=False)
    ax.set(xlim=(0, len(chosen)), ylim=(0, 1), xticks=[])
    ax.set(xlabel="neurons", ylabel="share of the power", title=title)


def plot_neuron(ax: Axes, neuron: Array, frequency: int) -> None:
    """u, v and w of a neuron (3, p) over its places, with the cosine of one frequency
    that fits each best.
    """
    p = neuron.shape[1]
    places, fine = np.arange(p), np.linspace(0, p - 1, 73)
    for row, (name, marker) in enumerate(zip("uvw", "os^", strict=True)):
        wave = np.fft.rfft(neuron[row])[frequency] * 2 / p
        angle = 2 * np.pi * frequency * fine / p
        fit = wave.real * np.cos(angle) - wave.imag * np.sin(angle)
        tone = _TONES[(0, 1, 3)[row]]
        ax.plot(fine, fit, color=tone, linestyle="-", linewidth=1)
        ax.plot(
            places, neuron[row], marker, color=tone, markersize=7, label=f"${name}$"
        )
    ax.axhline(0, color=PALETTE["gray"], linewidth=0.8)
    reach = 1.1 * np.abs(neuron).max()
    ax.set(xticks=places, yticks=[], xlabel="place $a$, $b$, $c$")
    ax.set_ylim(-1.45 * reach, reach)
    ax.set(title=f"one neuron, and frequency {frequency}")
    ax.legend(ncols=3, loc="lower center", fontsize=9, frameon=False)


def plot_coefficients(
    ax: Axes, times: Array, beta: Array, path: SaddlePath, title: str
) -> None:
    """beta (K, d) over T (K,), dotted the saddles of the path that is predicted."""
    edges = np.concatenate([[0], path.times.numpy(), [times[-1]]])
    saddles = path.saddles.numpy()
    moved = np.flatnonzero(np.abs(saddles).max(0) > 0)
    for number, j in enumerate(moved):
        tone = _TONES[number % len(_TONES)]
        ax.plot(times, beta[:, j], color=tone, linestyle="-", linewidth=1.6)
        ax.stairs(
            saddles[:, j],
            edges,
            color=PALETTE["gray"],
            linestyle=":",
            linewidth=1.4,
            baseline=None,
        )
    ax.set(xlim=(0, times[-1]), title=title)
    ax.set(xlabel=r"$T = 2 t / \log\frac{1}{\alpha}$")


def plot_accuracies(
    ax: Axes,
    sparse: tuple[Task, Mapping[float, Training]],
    dense: tuple[Task, Mapping[float, Training]],
) -> None:
    """Test accuracy over lambda t of runs by their log alpha, on a task of a sparse and
    one of a dense teacher.
    """
    styles = zip(("blue", "orange", "gray", "green"), _LINES, strict=False)
    for (data, runs), kind in ((sparse, "sparse"), (dense, "dense")):
        for (depth, run), (color, line) in zip(runs.items(), styles, strict=False):
            ax.plot(
                (run.x + depth).numpy(),
                run.accuracy(data).numpy(),
                color=PALETTE[color],
                linestyle=line,
                label=rf"$e^{{{depth:g}}}$, {kind}",
            )
    ax.set(xlabel=r"$\lambda t$", ylabel="test accuracy", xlim=(0, 18))
    ax.legend(frameon=False, fontsize=9, title=r"$\alpha$, teacher", title_fontsize=9)


def plot_biases(ax: Axes, data: Task, runs: Mapping[float, Training]) -> None:
    """Cosines with the predictor of the kernel and with that of the penalty over tau,
    of runs by their log alpha.
    """
    styles = zip(("blue", "orange", "green", "red"), _LINES, strict=False)
    directions = (("kernel", data.separator), ("penalty", data.late.primal))
    for name, direction in directions:
        for (depth, run), (color, line) in zip(runs.items(), styles, strict=False):
            ax.plot(
                run.x.numpy(),
                run.cosines(direction).numpy(),
                color=PALETTE[color],
                linestyle=line,
                linewidth=3 if color in ("blue", "green") else 1.8,
                label=rf"{name}, $e^{{{depth:g}}}$",
            )
    ax.set(xlabel=r"$\tau = \lambda t - \log\alpha$", ylabel="cosine", xlim=(-2, 10))
    ax.legend(fontsize=9, frameon=False)


def plot_residuals(
    ax: Axes, stops: Array, plain: Array, uneven: Array, bounds: Array
) -> None:
    """KKT residuals (K, B) of gradient flow and of the control over s (K,), medians
    thick, and the median of the bounds (K, B); NaN where there is none.
    """
    for values, color, line, name in (
        (plain, "blue", "-", "gradient flow"),
        (uneven, "red", "--", "uneven rates"),
    ):
        tone = PALETTE[color]
        ax.plot(stops, values, color=tone, linestyle="-", linewidth=0.7, alpha=0.5)
        middle = _middle(values)
        ax.plot(stops, middle, color=tone, linestyle=line, linewidth=2.6, label=name)
    tone, middle = PALETTE["gray"], _middle(bounds)
    ax.plot(stops, middle, color=tone, linestyle=":", label="bound of the proof")
    ax.set(yscale="log", xlabel="$s$", ylabel="residual of the KKT conditions")
    ax.set_ylim(0.02, 2)
    ax.legend(fontsize=9, loc="lower left", frameon=False)


def _middle(values: Array) -> Array:
    """The median of what is known in each row, NaN where nothing is."""
    known = [row[~np.isnan(row)] for row in values]
    return np.array([np.median(row) if row.size else np.nan for row in known])
