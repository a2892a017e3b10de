"""Noise in the labels, and how sparse the coefficients become."""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure

from ibcore.figures import figure
from ibcore.pages.further.label_noise.figures import plot_coefficients, plot_strengths
from ibcore.pages.further.label_noise.strengths import Followed, follow
from ibcore.problems.sparse_regression import sparse_regression

EXPLORED_STRENGTHS = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0)
EXPLORED_STEPS = (100, 300, 1000, 3000)
_SPARSE = 0.05  # what counts as a coefficient that is used


@functools.cache
def explored() -> Followed:
    """Twenty examples in forty dimensions, of which three count, at all strengths."""
    data = sparse_regression(20, 40, 3, torch.Generator().manual_seed(5))
    return follow(data.X, data.y, EXPLORED_STRENGTHS, EXPLORED_STEPS, seed=1)


def explore_strength(strength: float, steps: int) -> tuple[Figure, str]:
    """Coefficients after so many steps with noise of this strength, and the error of
    all strengths.
    """
    found = explored()
    place, row = EXPLORED_STRENGTHS.index(strength), EXPLORED_STEPS.index(steps)
    beta = found.coefficients[row, place]
    fig, (left, right) = figure(2, height=3.2)
    plot_coefficients(left, beta.numpy(), found.least.primal.numpy())
    plot_strengths(
        right,
        torch.tensor(EXPLORED_STEPS).double().numpy(),
        found.errors.numpy(),
        EXPLORED_STRENGTHS,
        place,
    )
    right.axvline(steps, color="0.5", linewidth=0.8, linestyle=":")
    used = int((beta.abs() > _SPARSE).sum())
    return fig, (
        f"Labels shaken by {strength:g} for {steps:,} steps, then left alone until the "
        f"loss is zero: {used} of {len(beta)} coefficients are larger than {_SPARSE:g}."
    )
