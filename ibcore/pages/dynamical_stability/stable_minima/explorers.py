"""A ball on a loss with a sharp and a flat minimum, and a run on a double well, by step
size.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ibcore.figures import figure
from ibcore.pages.dynamical_stability.stable_minima.figures import (
    plot_iterates,
    plot_valleys,
    plot_well,
)
from ibcore.pages.dynamical_stability.stable_minima.objectives import (
    FLAT,
    SHARP,
    double_well,
    two_valleys,
)
from ibcore.pages.dynamical_stability.stable_minima.runs import curve_path

VALLEY_STEPS = (0.02, 0.06, 0.11, 0.14, 0.2, 0.25, 0.4, 0.8, 1.03, 1.2)
WELL_STEPS = (0.3, 0.7, 0.95, 1.05, 1.15, 1.22, 1.27, 1.5, 1.8, 2.05)
_CLOSE = 1e-3


def explore_valleys(step: float) -> tuple[Figure, str]:
    """A run that begins beside the sharp minimum."""
    path = curve_path(two_valleys, SHARP[0] + 0.05, step, 400).numpy()
    fig, ax = figure(height=3.3)
    plot_valleys(ax, path)
    return fig, f"Step {step:g}: {_valley_words(path)}"


def _valley_words(path: np.ndarray) -> str:
    last = path[-2:]
    if not np.isfinite(last).all():
        return (
            "the ball leaves the sharp minimum, and then the picture: the run diverges."
        )
    for (place, _), name in ((SHARP, "sharp"), (FLAT, "flat")):
        if (np.abs(last - place) < _CLOSE).all():
            verb = "comes to rest in" if name == "sharp" else "leaves for and rests in"
            return f"the ball {verb} the {name} minimum."
    tail = path[-40:]
    if (tail < 0).all() or (tail > 0).all():
        side = "sharp" if tail[0] < 0 else "flat"
        return f"the ball finds no rest and jumps about the {side} minimum."
    return "the ball finds no rest and jumps from valley to valley."


def explore_well(step: float) -> tuple[Figure, str]:
    """A run on the double well from x = 0.3: on the curve, and by step number."""
    path = curve_path(double_well, 0.3, step, 400).numpy()
    fig, (left, right) = figure(2, height=3.1)
    plot_well(left, path)
    plot_iterates(right, path[:60])
    return fig, f"Step {step:g}: {_well_words(path)}"


def _well_words(path: np.ndarray) -> str:
    last = path[-64:]
    if not np.isfinite(last).all():
        return "the run diverges."
    for period, words in (
        (1, "the run converges to a minimum."),
        (2, "the run settles into two places, which it visits in turn."),
        (4, "the run settles into four places, which it visits in turn."),
    ):
        if np.abs(last[period:] - last[:-period]).max() < _CLOSE:
            return words
    return "the run stays bounded and does not settle into a few places."
