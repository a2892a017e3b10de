"""The runaway completion at one moment, and what becomes of starts that are not quite balanced."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ibcore.dynamics.complex_step import complex_jacobian
from ibcore.dynamics.stiff_flow import integrate
from ibcore.explore import Choice, Explorer, explore
from ibcore.figures.norm_to_infinity import draw_matrix, draw_runaway
from ibcore.figures.style import figure
from ibcore.models.runaway_completion import (
    RawWeights,
    Reduced,
    balanced_layers,
    loss,
    product,
)
from ibcore.oracles import runaway_completion as law
from ibcore.threads import threads

Array = NDArray[np.float64]
START = np.array([[0.1, 0.02], [0.02, 0.05]])
DEPTHS = (2, 3, 4)
MOMENTS = (0, 2, 4, 8, 16, 24, 32)
IMBALANCES = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14)
TIMES = np.geomspace(1e-2, 1e32, 103)


@functools.cache
def followed(depth: int) -> tuple[Array, Array]:
    """States (103, 4) in reduced coordinates at `TIMES` from `START`, and the loss, (103,)."""
    reduced = Reduced(depth)
    run = integrate(
        reduced.field,
        complex_jacobian(reduced.field),
        reduced.start(START),
        times=[float(s) for s in np.log1p(TIMES)],
        tolerance=1e-8,
        floor=1e-11,
        method="BDF",
    )
    return run.path.numpy(), reduced.loss(run.path.numpy())


def draw_moment(depth: int, moment: int) -> tuple[Figure, str]:
    """W beside the history of its free entry and of the loss, at t = 10^`moment`."""
    states, losses = followed(depth)
    reduced, now = Reduced(depth), int(np.abs(np.log10(TIMES) - moment).argmin())
    w11, miss, w22 = (part[now] for part in reduced.entries(states))
    fig, (left, right) = figure(2, height=3.2, gridspec_kw={"width_ratios": [1, 1.5]})
    draw_matrix(left, np.array([[w11, 1 + miss], [1 + miss, w22]]))
    laws = tuple(
        np.array([part(depth, float(t)) for t in TIMES])
        for part in (law.entry, law.loss)
    )
    draw_runaway(
        right, TIMES, reduced.entries(states)[0], losses, (laws[0], laws[1]), now
    )
    sentence = (
        f"Depth {depth} at t = 1e{moment}: the free entry is {w11:.2g}, the loss "
        f"{losses[now]:.1g}, and the second singular value of W is "
        f"{_ratio(float(reduced.log_ratio(states)[now]))} of the first."
    )
    return fig, sentence


def _ratio(log_ratio: float) -> str:
    if log_ratio > np.log(1e-4):
        return f"{np.exp(log_ratio):.2g}"
    exponent = log_ratio / np.log(10)
    return f"1e{exponent:.0f}" if exponent > -1e4 else f"10^({exponent:.0e})"


def runaway_explorer() -> Explorer:
    """The explorer that opens the page."""
    return explore(
        draw_moment,
        title="An entry runs away",
        depth=Choice("Depth", DEPTHS, start=1),
        moment=Choice("Time", MOMENTS, start=2, format="10^{}"),
    )


@dataclass(frozen=True)
class Escape:
    """Ends of the flow at depth 2 from starts that are unbalanced by epsilon: epsilon and W_11 there, each (K,).

    losses: (K,).   flips: whether det W_1 or det W_2 changed sign, (K,).
    """

    imbalances: Array
    entries: Array
    losses: Array
    flips: Array


@threads()
def escape(imbalances: tuple[float, ...] = IMBALANCES) -> Escape:
    """Raw weights, W_1 = W(0)^(1/2) + epsilon e_2 e_2^T and W_2 = W(0)^(1/2), until the loss is below 1e-24."""
    raw, rows = RawWeights(2), []
    for size in imbalances:
        layers = balanced_layers(START, 2)
        layers[0, 1, 1] += size
        run = integrate(
            raw.field,
            complex_jacobian(raw.field),
            torch.from_numpy(layers.ravel()),
            tolerance=1e-12,
            floor=1e-16,
            done=lambda x: float(loss(product(x.reshape(2, 2, 2)))) < 1e-24,
            invariants={"sign": raw.signs},
        )
        matrix = product(run.state.numpy().reshape(2, 2, 2))
        rows.append((size, matrix[0, 0], loss(matrix), run.drift["sign"] > 0))
    return Escape(*(np.array(column) for column in zip(*rows, strict=True)))
