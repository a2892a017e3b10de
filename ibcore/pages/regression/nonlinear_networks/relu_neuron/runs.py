"""Gradient flow of one ReLU neuron: its end and its path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ibcore.dynamics.stiff_flow import StiffRun, integrate
from ibcore.models.square_fields import OneReLU
from ibcore.problems.relu_pairs import NeuronData
from ibcore.threads import threads

Array = NDArray[np.float64]

FITTED = 1e-12  # misfit at which a flow ends


@threads()
def train(
    data: NeuronData,
    *,
    tolerance: float = 1e-10,
    misfit: float = FITTED,
    times: Sequence[float] = (),
    start: Array | None = None,
) -> StiffRun:
    """Gradient flow of one ReLU neuron from `start` (d,), else 0.

    It ends when no active point is fitted worse than `misfit`.
    On data that some weights fit, the flow is at rest exactly there. A point of
    positive label on which the neuron is silent there stays unfitted:
    `OneReLU.misfit` of the end tells. By LSODA, and where that gives up by BDF, with
    the closed-form field and Jacobian of the raw weights.
    """
    neuron = OneReLU.on(data.X, data.y)
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


def end(
    data: NeuronData,
    *,
    tolerance: float = 1e-10,
    misfit: float = FITTED,
    start: Array | None = None,
) -> Array:
    """Where the flow ends (d,); NaN where it ended at a limit of the integrator."""
    run = train(data, tolerance=tolerance, misfit=misfit, start=start)
    w = run.state.numpy()
    return w if run.complete else np.full_like(w, np.nan)


@threads()
def walked(data: NeuronData, *, tolerance: float = 1e-6, misfit: float = 1e-8) -> Array:
    """The path (K, d) of `train` at times that rise by a constant factor, with its end."""
    whole = train(data, tolerance=tolerance, misfit=misfit)
    first = 1e-3 / float(np.square(data.X).sum(1).max())
    stops = np.geomspace(first, whole.time, 240)[:-1].tolist()
    run = train(data, tolerance=tolerance, misfit=misfit, times=stops)
    path = run.path.numpy()
    reached = path[np.isfinite(path).all(1)]
    return np.vstack([np.zeros(data.X.shape[1]), reached, whole.state.numpy()])


def apart(w: Array, goal: Array) -> float:
    """|w - goal| over |goal|."""
    return float(np.linalg.norm(w - goal) / np.linalg.norm(goal))
