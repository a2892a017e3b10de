"""Convolutional networks watched while they train: width of the kernel and accuracy
against the spectrum.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.claim import Setting
from ibcore.figures import figure
from ibcore.models.convolutional import Convolutional
from ibcore.oracles.fourier_margin import fourier_norm
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.pages.classification.linear_networks.convolutional.figures import (
    plot_gap_paths,
    plot_spectrum,
)
from ibcore.pages.classification.linear_networks.convolutional.runs import (
    SPREAD,
    Waves,
    follow,
    normalized,
)
from ibcore.problems.sparse_margin import wave_teacher

KERNELS = (1, 4, 8, 16)
POWERS = (1, 2, 4, 8)
_GRID = tuple(k / 2 for k in range(17))


@functools.cache
def four_of_nine() -> Waves:
    """Eight points in 16 dimensions whose Fourier l1 max margin predictor uses four of
    nine frequencies.
    """
    data = wave_teacher(8, 16, 2, 0.3, torch.Generator().manual_seed(1))
    return Waves.of([(data.X, data.y)], Setting(), 1)


@functools.cache
def training_path(kernel: int) -> tuple[Tensor, Tensor]:
    """Predictors of margin 1, (K, d), and the excess of their Fourier l1 norms, (K,),
    at log(1/L) from 1 to 1e8.
    """
    waves = four_of_nine()
    model = Convolutional(waves.signed[0], kernel=kernel)
    generator = torch.Generator().manual_seed(0)
    start = SPREAD * torch.randn(1, 32, generator=generator, dtype=torch.float64)
    levels = [-(10.0**power) for power in _GRID]
    run = follow(waves.signed[0], start[:, -model.dimension :], kernel, levels)
    found = normalized(model, run.theta)[:, 0]
    return found, fourier_norm(found) / waves.least[0] - 1


def explore_training(kernel: int, power: int) -> tuple[Figure, str]:
    """The spectrum at log(1/L) = 10^power beside the excess of its l1 norm over the
    whole training.
    """
    waves = four_of_nine()
    best, rows = waves.best[0], waves.signed[0]
    plain = norm_max_margin(rows, torch.ones(len(rows)).double(), 2).primal
    paths = [training_path(width) for width in KERNELS]
    row, column = _GRID.index(float(power)), KERNELS.index(kernel)
    beta, excess = paths[column][0][row], float(paths[column][1][row])
    fig, (left, right) = figure(2, height=3.3)
    left.set_title("The spectrum")
    plot_spectrum(left, beta.numpy()[None], best.numpy(), plain.numpy())
    gaps = torch.stack([gaps for _, gaps in paths], 1)
    names = [f"{width}" for width in KERNELS]
    plot_gap_paths(
        right, np.array(_GRID), gaps.clamp_min(1e-7).numpy(), names, (row, column)
    )
    used, enough = (int((spectrum(one) > 0.01).sum()) for one in (beta, best))
    return fig, (
        f"Kernels of {kernel} {'entry' if kernel == 1 else 'entries'}, log(1/L) = "
        f"10^{power}: {used} of 9 frequencies have more than a hundredth of the "
        f"Fourier norm, where {enough} are enough, and the norm is "
        f"{_beside_the_least(excess)}."
    )


def spectrum(beta: Tensor) -> Tensor:
    """Shares of the d // 2 + 1 frequencies in the Fourier l1 norm of `beta` (d,), a
    pair of conjugates as one.
    """
    sizes = torch.fft.fft(beta).abs()
    half = len(beta) // 2
    shares = sizes[: half + 1].clone()
    shares[1:half] *= 2
    return shares / sizes.sum()


def _beside_the_least(excess: float) -> str:
    if excess >= 1:
        return f"{1 + excess:.2g} times the least"
    return f"{100 * excess:.2g} % above the least"
