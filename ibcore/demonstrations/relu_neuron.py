"""One ReLU neuron trained from zero: flows, the chain of pairs, and the path that winds half around."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ibcore.figures.relu_neuron import draw_ratios, draw_winding
from ibcore.figures.style import figure
from ibcore.pages.regression.nonlinear_networks.relu_neuron.runs import train
from ibcore.problems.relu_pairs import NeuronData
from ibcore.problems.relu_turns import even_turns, turning_data
from ibcore.threads import threads

Array = NDArray[np.float64]

COUNTS = (2, 3, 4, 6, 8, 12, 16, 24, 40)
REACH = 20.0


@threads()
def walked(data: NeuronData, *, tolerance: float = 1e-6, misfit: float = 1e-8) -> Array:
    """The path (K, d) of `train` at times that rise by constant factors, its end included."""
    whole = train(data, tolerance=tolerance, misfit=misfit)
    first = 1e-3 / float(np.square(data.X).sum(1).max())
    stops = np.geomspace(first, whole.time, 240)[:-1]
    path = train(
        data, tolerance=tolerance, misfit=misfit, times=stops.tolist()
    ).path.numpy()
    return np.vstack(
        [np.zeros(data.X.shape[1]), path[np.isfinite(path).all(1)], whole.state.numpy()]
    )


@functools.cache
def wound(count: int) -> Array:
    """The path of the neuron on the family with `count` even turns."""
    return walked(turning_data(even_turns(count), reach=REACH))


def draw_wound(count: int) -> tuple[Figure, str]:
    """The path of (w_2, w_3) beside the ratios of all members of the family."""
    angles = np.pi / 2 - np.cumsum(even_turns(count))
    fig, (left, right) = figure(2, height=3.0, width_ratios=(1.65, 1))
    draw_winding(left, wound(count)[:, 1:], angles, REACH)
    draw_ratios(right, COUNTS, [_ratio(each) for each in COUNTS], count)
    return fig, (
        f"{count} points of label 0: the path turns {count} times and ends at {_ratio(count):.2f} times "
        f"the length of the shortest weights that fit."
    )


def _ratio(count: int) -> float:
    return float(np.linalg.norm(wound(count)[-1]) / np.hypot(1, REACH))
