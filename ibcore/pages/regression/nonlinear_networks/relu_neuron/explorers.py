"""One ReLU neuron trained from zero: the path that winds half around."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ibcore.figures import figure
from ibcore.pages.regression.nonlinear_networks.relu_neuron.figures import (
    plot_ratios,
    plot_winding,
)
from ibcore.pages.regression.nonlinear_networks.relu_neuron.runs import walked
from ibcore.problems.relu_turns import even_turns, turning_data

Array = NDArray[np.float64]

COUNTS = (2, 3, 4, 6, 8, 12, 16, 24, 40)
REACH = 20.0


@functools.cache
def wound(count: int) -> Array:
    """The path of the neuron on the family with `count` even turns."""
    return walked(turning_data(even_turns(count), reach=REACH))


def explore_turns(count: int) -> tuple[Figure, str]:
    """The path of (w_2, w_3) beside the ratios of all members of the family."""
    angles = np.pi / 2 - np.cumsum(even_turns(count))
    fig, (left, right) = figure(2, height=3.0, width_ratios=(1.65, 1))
    plot_winding(left, wound(count)[:, 1:], angles, REACH)
    plot_ratios(right, COUNTS, [_ratio(each) for each in COUNTS], count)
    return fig, (
        f"{count} points of label 0: the path turns {count} times and ends at "
        f"{_ratio(count):.2f} times the length of the shortest weights that fit."
    )


def _ratio(count: int) -> float:
    return float(np.linalg.norm(wound(count)[-1]) / np.hypot(1, REACH))
