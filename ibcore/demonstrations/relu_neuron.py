"""One ReLU neuron trained from zero: flows, the chain of pairs, and the path that winds half around."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import brentq

from ibcore.dynamics.stiff_flow import StiffRun, integrate
from ibcore.figures.relu_neuron import draw_ratios, draw_winding
from ibcore.figures.style import figure
from ibcore.models.relu_neuron import ReLUNeuron
from ibcore.oracles.relu_flow import neuron_flow
from ibcore.problems.relu_pairs import NeuronData, Shape, pair
from ibcore.problems.relu_turns import even_turns, turning_data
from ibcore.threads import threads

Array = NDArray[np.float64]

COUNTS = (2, 3, 4, 6, 8, 12, 16, 24, 40)
REACH = 20.0
FITTED = 1e-12  # misfit at which a flow ends
MAX_ANGLE = (
    0.39  # of one link, in radians; tilt = 0.5 reaches 0.399 at the default shape
)


@threads()
def train(
    data: NeuronData,
    *,
    tolerance: float = 1e-10,
    misfit: float = FITTED,
    times: Sequence[float] = (),
) -> StiffRun:
    """Gradient flow of one ReLU neuron from w = 0, until no active point is fitted worse than `misfit`.

    On data that some weights fit, the flow is at rest exactly there. A point of positive label on which the neuron
    is silent there stays unfitted: `ReLUNeuron.misfit` of the end tells.
    By LSODA, and where that gives up by BDF, with the closed-form field and Jacobian of the raw weights.
    """
    neuron = ReLUNeuron.on(data.X, data.y)
    for method in ("LSODA", "BDF"):
        run = integrate(
            neuron.descent,
            neuron.curvature,
            np.zeros(data.X.shape[1]),
            tolerance=tolerance,
            floor=tolerance,
            done=lambda w: neuron.unrest(w) <= misfit,
            method=method,
            times=times,
        )
        if run.complete:
            break
    return run


def rise(shape: Shape) -> float:
    """tan of the angle between the two limits of a pair, from the flow piece by piece."""
    second = pair(shape)[1]
    return float(-neuron_flow(second.X, second.y).limit[2] / np.hypot(1, shape.height))


def shape_for(angle: float, shape: Shape | None = None) -> Shape:
    """The `shape` with the tilt in (0, 0.5] at which the two limits are `angle` (radians) apart."""
    shape = shape or Shape()
    goal = np.tan(angle)
    tilt = brentq(
        lambda value: rise(replace(shape, tilt=value)) - goal,
        1e-6,
        0.5,
        xtol=1e-15,
        rtol=1e-14,
    )
    return replace(shape, tilt=float(tilt))


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
