"""From lazy to rich: the scale of the output and the width."""

from __future__ import annotations

import functools

from matplotlib.figure import Figure

from ibcore.figures import figure
from ibcore.pages.further.lazy_training.figures import plot_function, plot_neurons
from ibcore.pages.further.lazy_training.plane import Line, on_a_line

SCALES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
WIDTHS = (40, 320)
POINTS_X = (-1.5, -1.0, -0.4, 0.1, 0.7, 1.4)
POINTS_Y = (0.2, 1.0, -0.8, 0.4, 1.1, -0.3)


@functools.cache
def explored(scale: float, width: int) -> Line:
    """Six points, and a network of this scale and width."""
    return on_a_line(POINTS_X, POINTS_Y, scale, width)


def explore_scale(scale: float, width: int) -> tuple[Figure, str]:
    """The function found at a scale and width beside kernel regression, and where the
    neurons went.
    """
    line = explored(scale, width)
    fig, (left, right) = figure(
        2, height=3.3, gridspec_kw={"width_ratios": [1.25, 1.0]}
    )
    plot_function(left, line)
    plot_neurons(right, line)
    return fig, (
        f"Width {width}, scale {scale:g}: the hidden weights moved by "
        f"{_share(line.moved)} their length, and the function is at most "
        f"{line.gap:.2f} away from kernel regression."
    )


def _share(moved: float) -> str:
    return f"{100 * moved:.2g} % of" if moved < 1 else f"{moved:.1f} times"
