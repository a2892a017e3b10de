"""The runaway completion at one moment."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ibcore.dynamics.complex_step import complex_jacobian
from ibcore.dynamics.stiff_flow import integrate
from ibcore.figures import figure
from ibcore.models.runaway_completion import Reduced
from ibcore.oracles import runaway_completion as law
from ibcore.pages.regression.matrix_factorization.norm_to_infinity.figures import (
    plot_matrix,
    plot_runaway,
)
from ibcore.pages.regression.matrix_factorization.norm_to_infinity.runs import START

Array = NDArray[np.float64]
DEPTHS = (2, 3, 4)
MOMENTS = (0, 2, 4, 8, 16, 24, 32)
TIMES = np.geomspace(1e-2, 1e32, 103)


@functools.cache
def followed(depth: int) -> tuple[Array, Array]:
    """States (103, 4) in reduced coordinates at `TIMES`, and the loss, (103,)."""
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


def explore_moment(depth: int, moment: int) -> tuple[Figure, str]:
    """W beside the history of its free entry and of the loss, at t = 10^`moment`."""
    states, losses = followed(depth)
    reduced, now = Reduced(depth), int(np.abs(np.log10(TIMES) - moment).argmin())
    entries = reduced.entries(states)
    w11, miss, w22 = (part[now] for part in entries)
    fig, (left, right) = figure(2, height=3.2, gridspec_kw={"width_ratios": [1, 1.5]})
    plot_matrix(left, np.array([[w11, 1 + miss], [1 + miss, w22]]))
    entry, loss = (
        np.array([part(depth, float(t)) for t in TIMES])
        for part in (law.entry, law.loss)
    )
    plot_runaway(right, TIMES, (entries[0], losses), (entry, loss), now)
    ratio = _written(float(reduced.log_ratio(states)[now]))
    return fig, (
        f"Depth {depth} at t = 1e{moment}: the free entry is {w11:.2g}, the loss "
        f"{losses[now]:.1g}, and the second singular value of W is {ratio} of the "
        "first."
    )


def _written(log_ratio: float) -> str:
    """A ratio by its logarithm: two digits, or a power of ten."""
    if log_ratio > np.log(1e-4):
        return f"{np.exp(log_ratio):.2g}"
    exponent = log_ratio / np.log(10)
    return f"1e{exponent:.0f}" if exponent > -1e4 else f"10^({exponent:.0e})"
