"""A diagonal network watched while it trains: scale of the start, depth and accuracy
against sparsity.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.pages.classification.linear_networks.diagonal.figures import (
    plot_coefficients,
    plot_ratio_paths,
)
from ibcore.pages.classification.linear_networks.diagonal.runs import follow
from ibcore.problems.sparse_margin import PlantedL1, planted_l1

SCALES = (0.1, 1.0, 10.0)
POWERS = (0, 2, 4, 7)
DEPTHS = (2, 3)
_GRID = tuple(k / 2 for k in range(15))


@functools.cache
def three_of_twelve() -> PlantedL1:
    """Ten points in twelve dimensions whose l1 max-margin predictor uses three
    coordinates.
    """
    slacks = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0)
    return planted_l1(10, 3, slacks, 0.3, torch.Generator().manual_seed(0))


@functools.cache
def training_paths(depth: int) -> tuple[Tensor, Tensor]:
    """Coefficients (K, S, d) and l1 margin ratios (K, S) at log(1/L) = 10^p, p = 0,
    1/2, ..., 7, for `SCALES`.
    """
    data = three_of_twelve()
    model = Diagonal(data.signed, depth)
    start = even_start(model.features, torch.tensor(SCALES, dtype=torch.float64))
    run = follow(model, start, [-(10.0**power) for power in _GRID])
    betas = model.coefficients(run.theta)
    margins = (betas @ data.signed.T).amin(-1)
    return betas, margins / betas.abs().sum(-1) * float(data.primal.abs().sum())


def explore_training(power: int, scale: float, depth: int) -> tuple[Figure, str]:
    """The coefficients at log(1/L) = 10^power beside the l1 margin over the whole
    training.
    """
    betas, ratios = training_paths(depth)
    row, column = _GRID.index(float(power)), SCALES.index(scale)
    beta = betas[row, column].numpy()
    fig, (left, right) = figure(2, height=3.1)
    plot_coefficients(left, beta, three_of_twelve().primal.numpy())
    plot_ratio_paths(
        right,
        np.array(_GRID),
        ratios.numpy(),
        [f"{s:g}" for s in SCALES],
        (row, column),
    )
    used = int((np.abs(beta) > 0.01 * np.abs(beta).max()).sum())
    digits = 10.0**power / np.log(10)
    return fig, (
        f"Depth {depth}, start {scale:g}, loss 10^-{digits:,.1f}: {used} of 12 "
        "coefficients are above one percent of the largest, and the l1 margin is "
        f"{float(ratios[row, column]):.3f} of the best possible."
    )
