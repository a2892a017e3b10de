"""Gradient flow of one ReLU neuron, and pairs of data sets by the angle between its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ibcore.dynamics.stiff_flow import StiffRun, integrate
from ibcore.models.relu_neuron import ReLUNeuron
from ibcore.oracles.relu_flow import neuron_flow
from ibcore.problems.relu_pairs import NeuronData, Shape, pair
from ibcore.threads import threads

Array = NDArray[np.float64]

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
    start: Array | None = None,
) -> StiffRun:
    """Gradient flow of one ReLU neuron from `start` (d,), else 0, until no active point is fitted worse than `misfit`.

    On data that some weights fit, the flow is at rest exactly there. A point of positive label on which the neuron
    is silent there stays unfitted: `ReLUNeuron.misfit` of the end tells.
    By LSODA, and where that gives up by BDF, with the closed-form field and Jacobian of the raw weights.
    """
    neuron = ReLUNeuron.on(data.X, data.y)
    for method in ("LSODA", "BDF"):
        run = integrate(
            neuron.descent,
            neuron.curvature,
            np.zeros(data.X.shape[1]) if start is None else start,
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
