"""Explorer of random features through twelve points of a wave: one fit, and the errors
of many.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.models.random_features import draw_fourier
from ibcore.oracles.least_squares import minimum_norm
from ibcore.pages.double_descent.figures import plot_fit, plot_risk_marker
from ibcore.problems.curves import Points, sine_points

POINTS, WAVE_SCALE, WAVE_DRAWS = 12, 0.2, 61
EXPLORER_COUNTS = (2, 4, 6, 8, 10, 12, 15, 25, 100, 1000)
EXPLORER_NOISES = (0.0, 0.1, 0.3)


@cache
def wave_fits(noise: float) -> dict[str, Any]:
    """Minimum-norm random features on 12 points of a sine wave: one draw to look at, 60
    more to compare.

    grid (k,), truth (k,), x and y (12,) of one draw, values (counts, k) its fits, own
    (counts,) its test errors, typical (counts,) the median test error of all draws. The
    draw shown is the one whose error with 12 features and the largest noise is the
    median: neither lucky nor unlucky.
    """
    data, values, errors = _wave_draws(noise)
    at_threshold = _wave_draws(max(EXPLORER_NOISES))[2][
        :, EXPLORER_COUNTS.index(POINTS)
    ]
    shown = int(at_threshold.argsort()[len(at_threshold) // 2])
    return {
        "grid": _wave_grid().numpy(),
        "truth": _wave_truth().numpy(),
        "x": data.x[shown].numpy(),
        "y": data.y[shown].numpy(),
        "values": values[shown].numpy(),
        "own": errors[shown].numpy(),
        "typical": errors.median(0).values.numpy(),
    }


@cache
def _wave_draws(noise: float) -> tuple[Points, Tensor, Tensor]:
    """The data sets, the fitted functions on the grid (draws, counts, k) and their
    errors (draws, counts).
    """
    generator = torch.Generator().manual_seed(0)
    data = sine_points(WAVE_DRAWS, POINTS, generator, noise=noise)
    values = torch.stack(
        [_wave_values(data, row, generator) for row in range(WAVE_DRAWS)]
    )
    return data, values, (values - _wave_truth()).square().mean(-1)


def _wave_values(data: Points, row: int, generator: torch.Generator) -> Tensor:
    """Fitted functions on the grid, (counts, k), of one data set."""
    model = draw_fourier(1, max(EXPLORER_COUNTS), WAVE_SCALE, generator)
    seen, queries = (
        model.features(data.inputs[row]),
        model.features(_wave_grid()[:, None]),
    )
    return torch.stack(
        [
            model.rescaled(queries, count)
            @ minimum_norm(model.rescaled(seen, count), data.y[row]).weights
            for count in EXPLORER_COUNTS
        ]
    )


def _wave_grid() -> Tensor:
    return torch.linspace(-1, 1, 201, dtype=torch.float64)


def _wave_truth() -> Tensor:
    return torch.sin(math.pi * _wave_grid())


def explore_wave(features: int, noise: float) -> tuple[Figure, str]:
    """The fit with `features` random features beside the curve of test errors, and what
    they show.
    """
    fits, k = wave_fits(noise), EXPLORER_COUNTS.index(features)
    fig, (left, right) = figure(2, height=3.0)
    plot_fit(
        left,
        fits["grid"],
        fits["values"][k],
        fits["truth"],
        (fits["x"], fits["y"]),
        f"{features} random features",
    )
    plot_risk_marker(right, EXPLORER_COUNTS, fits["typical"], k, POINTS)
    return fig, _wave_sentence(features, noise, fits["own"][k], fits["typical"][k])


def _wave_sentence(features: int, noise: float, own: float, typical: float) -> str:
    if features < POINTS:
        fit = "too few to pass through all 12 points"
    elif features == POINTS:
        fit = "just enough to pass through the 12 points, in exactly one way"
    else:
        fit = "the curve passes through all 12 points and is the one of least norm among all that do"
    return (
        f"{features} features, noise {noise:g}: {fit}. Test error {own:.2g} for this "
        f"draw, {typical:.2g} in the median of {WAVE_DRAWS} draws."
    )
