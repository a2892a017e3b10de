"""Gradient descent, gradient flow and the flow on the modified loss, in the valley of
the product model.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.pages.further.modified_losses.figures import plot_imbalance, plot_valley
from ibcore.pages.further.modified_losses.runs import (
    VALLEY_TIME,
    product_descent,
    product_flows,
    product_sharpness,
)

ETAS = (0.01, 0.03, 0.06, 0.12, 0.16, 0.2, 0.25)
STARTS = ((1.8, -1.2), (2.2, -0.8), (2.6, 1.2))
_SHOWN = 2.0  # time that is drawn; what follows is rest
_SHARES = (0.0, *(float(share) for share in np.geomspace(1e-3, 1, 36)))


@functools.cache
def _flows(start: tuple[float, float]) -> Tensor:
    """The flow on L and those on the modified losses of `ETAS`, (K, 1 + E, 2)."""
    return product_flows(start, (0.0, *ETAS), VALLEY_TIME, _SHARES)


def _thinned(last: int) -> Tensor:
    """Steps from 0 to `last`, all of the first and about 25 in all."""
    steps = torch.linspace(0, 1, 25).square() * last
    return steps.round().long().unique()


def explore_valley(start: tuple[float, float], eta: float) -> tuple[Figure, str]:
    """The three paths in the plane, and beside them a^2 - b^2 over time."""
    flows = _flows(start)
    plain, modified = flows[:, 0], flows[:, 1 + ETAS.index(eta)]
    descent = product_descent(start, eta, VALLEY_TIME)
    shown = _thinned(round(_SHOWN / eta))
    fig, (left, right) = figure(2, height=3.7)
    plot_valley(left, descent[shown].numpy(), plain.numpy(), modified.numpy())
    imbalances = [
        (path[:, 0].square() - path[:, 1].square()).numpy()
        for path in (plain, modified, descent[shown])
    ]
    plot_imbalance(
        right,
        VALLEY_TIME * np.array(_SHARES),
        (imbalances[0], imbalances[1]),
        eta * shown.double().numpy(),
        imbalances[2],
    )
    ends = [float(product_sharpness(path[-1])) for path in (plain, modified, descent)]
    return fig, (
        f"Step {eta:g} from {start}: the flow ends at a minimum of sharpness "
        f"{ends[0]:.2f}, the flow on the modified loss at one of {ends[1]:.2f}, "
        f"gradient descent at one of {ends[2]:.2f}; 2/eta is {2 / eta:.3g}."
    )
