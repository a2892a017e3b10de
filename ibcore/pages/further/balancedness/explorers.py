"""Descent on a product of two numbers, by step size and by the imbalance at the start."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from ibcore.figures import figure
from ibcore.oracles.balancedness import product_limit
from ibcore.pages.further.balancedness.figures import plot_imbalances, plot_plane
from ibcore.pages.further.balancedness.rational import product_descent

PRODUCT_STEPS = (0.01, 0.03, 0.06, 0.1, 0.15)
PRODUCT_GAPS = (0.5, 1.5, 3.0)
_HORIZON, _SHOWN, _DOTS = 6.0, 1.5, 25  # of short steps only some are drawn


def explore_product(step: float, gap: float) -> tuple[Figure, str]:
    """Descent on (u v - 1)^2 from v = -1 and u^2 = 1 + gap, in the plane, and its
    imbalance over time.
    """
    count = round(_HORIZON / step)
    iterates = product_descent((math.sqrt(1 + gap), -1.0), step, count).numpy()
    gaps = iterates[:, 0] ** 2 - iterates[:, 1] ** 2
    limit = product_limit(gap)
    fig, (left, right) = figure(2, height=3.6)
    last = round(_SHOWN / step)
    dots = np.unique(np.linspace(0, last, min(last, _DOTS) + 1).round().astype(int))
    plot_plane(left, iterates[dots], gap, limit)
    plot_imbalances(right, dots * step, gaps[dots], gap)
    sharp, flow = (2 * (u**2 + v**2) for u, v in (iterates[-1], limit))
    return fig, (
        f"Step size {step:g}: the imbalance goes from {gap:g} to {gaps[-1]:.2f}, and "
        f"descent ends at ({iterates[-1, 0]:.2f}, {iterates[-1, 1]:.2f}) with "
        f"sharpness {sharp:.2f}. Gradient flow keeps the imbalance {gap:g} and ends at "
        f"({limit[0]:.2f}, {limit[1]:.2f}) with sharpness {flow:.2f}."
    )
