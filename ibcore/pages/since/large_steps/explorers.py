"""A valley that becomes too sharp: descent, its mean, and two flows, by step size and
start.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ibcore.figures import figure
from ibcore.oracles.stabilized_valley import Valley, constrained, critical_step
from ibcore.pages.since.large_steps.figures import plot_heights, plot_plane
from ibcore.pages.since.large_steps.valleys import Runs, states

VALLEY = Valley(np.array([1.0]), np.array([2.2]), 0.2)
RATIOS = (0.9, 1.1, 1.25, 1.5)  # of the step and the stable one
STARTS = (0.4, 1.5, 2.6)
STEPS, ACROSS, WINDOW = 500, 0.02, 60
_PAIRS = (np.arange(STEPS + 1) // 2) % 4 == 0  # every fourth pair of steps is drawn


@functools.cache
def critical_ratio() -> float:
    """The critical step over the stable one."""
    return critical_step(VALLEY) / VALLEY.stable_step


def explore_valley(ratio: float, start: float) -> tuple[Figure, str]:
    """Descent in the plane, and y over time with its mean, gradient flow and the
    central flow.
    """
    step = ratio * VALLEY.stable_step
    runs = Runs.of([VALLEY], [step], torch.device("cpu"))
    begin = torch.tensor([[ACROSS, start]], dtype=torch.float64)
    path = states(runs, begin, range(STEPS + 1))[:, 0].numpy()
    orbit = runs.orbit[0].tolist()
    times: NDArray[np.float64] = step * np.arange(STEPS + 1, dtype=np.float64)
    free = VALLEY.target[0] + (start - VALLEY.target[0]) * np.exp(-VALLEY.pull * times)
    edge = math.sqrt(2 / step - 1)
    curves = {
        "descent": (times[::2], path[::2, 1]),
        "running mean": (times[::4], _running(path[:, 1])[::4]),
        "gradient flow": (times[::10], free[::10]),
        "central flow": (times[::10], np.minimum(free, edge)[::10]),
    }
    fig, (left, right) = figure(2, height=3.5)
    plot_plane(left, path[_PAIRS], (orbit[0], orbit[1]), float(VALLEY.target[0]))
    plot_heights(right, curves, edge)
    return fig, _sentence(ratio, start, step, path[-200:])


def _running(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the last `WINDOW` values, or of as many as there are."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    first = np.maximum(np.arange(1, len(values) + 1) - WINDOW, 0)
    last = np.arange(1, len(values) + 1)
    mean: NDArray[np.float64] = (total[last] - total[first]) / (last - first)
    return mean


def _sentence(
    ratio: float, start: float, step: float, late: NDArray[np.float64]
) -> str:
    solution = constrained(VALLEY, 2 / step)
    mean, edge = late[:, 1].mean(), (1 + late[:, 1] ** 2).mean() * step / 2
    words = (
        f"From y = {start:g} with a step of {ratio:g} times 2 / S at the minimum: in "
        f"the last 200 steps y is {mean:.2f} on average and S is {edge:.2f} times "
        "2/step. "
    )
    if solution.multiplier == 0:
        return words + "The minimum is stable, and descent ends there as the flow does."
    if ratio < critical_ratio():
        return words + (
            f"The program says {solution.y[0]:.2f} and 1, and x jumps between plus "
            f"and minus {math.sqrt(2 * solution.multiplier):.2f}."
        )
    return words + (
        f"The program says {solution.y[0]:.2f} and 1: beyond "
        f"{critical_ratio():.2f} times 2 / S its orbit is not stable, and the mean is "
        "another one."
    )
