"""Figures of the page on double descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from ibcore.figures import PALETTE
from ibcore.oracles.double_descent import weak_features_parts
from ibcore.oracles.marchenko_pastur import density, edges
from ibcore.pages.double_descent import benign
from ibcore.pages.double_descent.claims.benign_overfitting import Interpolants
from ibcore.pages.double_descent.claims.double_descent_linear import (
    WeakRisks,
    far,
    formula,
)
from ibcore.pages.double_descent.runs import CORRUPTIONS, FeatureCurves, NetworkCurves
from ibcore.pages.double_descent.weak import SAMPLES, SPECTRA, both_problems

Array = NDArray[np.float64]


def plot_fit(
    ax: Axes,
    grid: Array,
    values: Array,
    truth: Array,
    points: tuple[Array, Array],
    title: str,
) -> None:
    """A fitted function, the true one and the training points; what leaves the frame is
    cut off.
    """
    ax.plot(grid, truth, color=PALETTE["gray"], linestyle="--", linewidth=1.4)
    ax.plot(grid, np.clip(values, -9, 9), color=PALETTE["blue"])
    ax.plot(*points, "o", color=PALETTE["orange"], markersize=5)
    ax.set(xlim=(-1.03, 1.03), ylim=(-2.6, 2.6), xlabel="$x$", title=title)


def plot_risk_marker(
    ax: Axes, counts: Sequence[int], risk: Array, current: int, threshold: int
) -> None:
    """A risk curve over the number of features, both logarithmic, with a mark at the
    current one.
    """
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


def plot_linear_risk(ax: Axes, measured: WeakRisks) -> None:
    """The risk formula (lines) and the measured risk (marks) for weak features and for
    the strongest first.
    """
    _mark_threshold(ax, SAMPLES)
    shown = {
        "equally weak": ("blue", "-", "o", (61, 2.5)),
        "strongest first": ("orange", "--", "s", (24, 0.55)),
    }
    counts, away = measured.counts.numpy(), far(measured.counts).numpy()
    for name, (color, line, mark, place) in shown.items():
        predicted = formula(measured.counts, name).numpy()
        risk = measured.risks[name].given.mean(-1).numpy()
        ax.plot(counts, _finite(predicted), color=PALETTE[color], linestyle=line)
        ax.plot(counts[away], risk[away], mark, color=PALETTE[color], markersize=5)
        ax.annotate(name, place, color=PALETTE[color])
    ax.set(
        yscale="log",
        xlim=(0, 102),
        ylim=(0.3, 40),
        xlabel="number of features $p$",
        ylabel="test risk",
    )
    _plain_ticks(ax, (), (0.5, 1, 2, 5, 10, 20))


def plot_parts(ax: Axes, measured: WeakRisks, name: str) -> None:
    """Squared bias and variance of one problem over the number of features: formulas
    (lines), measured (marks).
    """
    problem = both_problems()[name]
    counts = np.arange(1, problem.features + 1)
    parts = [
        weak_features_parts(SAMPLES, p, *problem.signal(p), problem.noise**2)
        for p in counts.tolist()
    ]
    bias = np.array([part.bias for part in parts])
    variance = np.array([part.inputs + part.labels for part in parts])
    _mark_threshold(ax, SAMPLES)
    ax.plot(counts, bias, color=PALETTE["orange"], linestyle="--")
    ax.plot(counts, _finite(variance), color=PALETTE["blue"], linestyle="-")
    risk, away = measured.risks[name], far(measured.counts).numpy()
    seen = measured.counts.numpy()
    missing = np.array([problem.signal(p)[1] for p in seen.tolist()])
    ax.plot(
        seen[away],
        (risk.bias.numpy() + missing)[away],
        "s",
        color=PALETTE["orange"],
        markersize=5,
    )
    ax.plot(
        seen[away],
        (risk.inputs + risk.labels).numpy()[away],
        "o",
        color=PALETTE["blue"],
        markersize=5,
    )
    for text, color, height in (
        ("variance", "blue", 0.83),
        ("squared bias", "orange", 0.75),
    ):
        ax.annotate(text, (0.6, height), xycoords="axes fraction", color=PALETTE[color])
    ax.set(
        xlim=(0, 102),
        ylim=(0, 3.2),
        xlabel="number of features $p$",
        title=name,
    )


def plot_spectra(axes: Sequence[Axes], spectra: Sequence[Tensor]) -> None:
    """Histograms of the eigenvalues (N, k) for each of `SPECTRA`, with the density of
    Marchenko and Pastur.
    """
    for ax, p, values in zip(axes, SPECTRA, spectra, strict=True):
        ratio = min(p, SAMPLES) / max(p, SAMPLES)
        low, high = edges(ratio)
        bars = np.linspace(0, 4, 41)
        heights, _ = np.histogram(values.flatten().numpy(), bars, density=True)
        ax.stairs(heights, bars, color=PALETTE["blue"], fill=True, alpha=0.45)
        grid = low + (high - low) * np.sin(np.linspace(0.02, np.pi / 2, 300)) ** 2
        ax.plot(grid, density(grid, ratio), color=PALETTE["red"], linestyle="-")
        ax.set(xlim=(0, 4.1), ylim=(0, 1.7), xlabel="eigenvalue", title=f"$p$ = {p}")


def plot_benign(ax: Axes, measured: Interpolants) -> None:
    """Excess risk over the number of samples for every kind of spectrum: predicted
    (lines), measured (marks).
    """
    styles = {
        "wide tail": ("blue", "-", "o"),
        "power 2": ("orange", "--", "s"),
        "power 3": ("red", "-.", "^"),
        "narrow tail": ("gray", ":", "v"),
    }
    sizes = measured.sizes.numpy()
    predicted = (measured.predicted_noise + measured.predicted_signal).numpy()
    texts = {
        "wide tail": "tail of $n^2/5$",
        "power 2": "$i^{-2}$",
        "power 3": "$i^{-3}$",
        "narrow tail": "tail of $2n$",
    }
    above = {"power 2": 6, "narrow tail": -7}
    for j, kind in enumerate(benign.KINDS):
        color, line, mark = styles[kind]
        risk = measured.excess(kind).mean(-1).numpy()
        ax.plot(sizes, predicted[j], color=PALETTE[color], linestyle=line)
        ax.plot(sizes, risk, mark, color=PALETTE[color], markersize=6)
        ax.annotate(
            texts[kind],
            (sizes[-1], predicted[j, -1]),
            xytext=(8, above.get(kind, 0)),
            textcoords="offset points",
            color=PALETTE[color],
            va="center",
            annotation_clip=False,
        )
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(0.03, 4),
        xlabel="number of samples $n$",
        ylabel="excess risk",
    )
    _plain_ticks(ax, sizes.tolist(), (0.05, 0.1, 0.2, 0.5, 1, 2))


def _finite(values: Array) -> Array:
    """What is infinite leaves a gap."""
    return np.where(np.isfinite(values), values, np.nan)


def plot_risk_during_descent(ax: Axes, data: Mapping[str, Any]) -> None:
    """Risk over the number of features after more and more steps of gradient descent,
    and its limit.
    """
    _mark_threshold(ax, data["samples"])
    colors, lines = ("green", "purple", "orange", "red"), (":", "-.", "--", (0, (5, 1)))
    ax.plot(
        data["counts"],
        _finite(data["limit"]),
        color=PALETTE["blue"],
        label="minimum norm",
    )
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


def plot_feature_error(ax: Axes, curves: FeatureCurves) -> None:
    """Test error of random features on digits over their number, for each share of
    redrawn labels.

    The diamond at the end of a curve is the error of infinitely many features.
    """
    counts = curves.counts.numpy()
    _mark_threshold(ax, curves.samples)
    for k, (corruption, color, line) in enumerate(
        zip(
            CORRUPTIONS,
            ("blue", "orange", "red"),
            ("-", "--", "-."),
            strict=True,
        )
    ):
        curve, limit = curves.error[k].mean(0).numpy(), float(curves.kernel[k].mean())
        ax.plot(counts, curve, color=PALETTE[color], linestyle=line)
        ax.plot(
            [1.4 * counts[-1]],
            [limit],
            "D",
            color=PALETTE[color],
            markersize=4,
            clip_on=False,
        )
        ax.annotate(
            f"{corruption:.0%} redrawn" if corruption else "clean labels",
            (1.4 * counts[-1], limit),
            xytext=(6, 0),
            textcoords="offset points",
            color=PALETTE[color],
            va="center",
            annotation_clip=False,
        )
    ridge = curves.ridge.mean(0).numpy()
    ax.plot(counts, ridge, color=PALETTE["gray"], linestyle=":")
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


def plot_feature_norm(ax: Axes, curves: FeatureCurves) -> None:
    """Norm of the minimum-norm solution over the number of features."""
    counts = curves.counts.numpy()
    _mark_threshold(ax, curves.samples)
    for k, (color, line) in enumerate((("blue", "-"), ("orange", "--"), ("red", "-."))):
        ax.plot(
            counts,
            np.median(curves.norm[k].numpy(), 0),
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


def plot_networks(ax: Axes, curves: NetworkCurves) -> None:
    """Training and test square loss of trained networks over their parameters; a thin
    line a split.
    """
    parameters = curves.parameters.numpy()
    _mark_threshold(ax, curves.samples, label="as many parameters\nas labels")
    ax.plot(
        parameters,
        curves.test.numpy(),
        color=PALETTE["blue"],
        linewidth=0.6,
        alpha=0.4,
        linestyle="-",
    )
    mean, seen = curves.test.mean(1).numpy(), curves.train.mean(1).numpy()
    ax.plot(
        parameters,
        mean,
        color=PALETTE["blue"],
        linestyle="-",
        marker="o",
        markersize=4,
    )
    ax.plot(parameters, seen, color=PALETTE["orange"], linestyle="--")
    ax.annotate(
        "test",
        (parameters[-1], mean[-1]),
        xytext=(5, 0),
        textcoords="offset points",
        color=PALETTE["blue"],
        va="center",
        annotation_clip=False,
    )
    low = int(np.argmax(seen < 0.2))
    ax.annotate(
        "training",
        (parameters[low], seen[low]),
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
