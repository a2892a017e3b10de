"""The spectrum of a convolutional network between sparse and dense."""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.figures import figure
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected.figures import (
    plot_spectrum,
    plot_transition,
)
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected.signals import (
    LENGTH,
    SIGNALS,
    USED,
    SpectralCase,
    convolved,
    impulse,
)
from ibcore.problems.spectra import spectral_regression

KINDS = ("even", "generic")
SCALES = (10.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001)
_SEEDS = {"even": 2, "generic": 5}


@functools.cache
def example(kind: str) -> SpectralCase:
    """Four signals of length 16 of the kind, with their interpolants."""
    generator = torch.Generator().manual_seed(_SEEDS[kind])
    problem = spectral_regression(SIGNALS, LENGTH, USED, generator, even=kind == "even")
    return SpectralCase.of(problem)


@functools.cache
def predictor(kind: str, alpha: float) -> Tensor:
    """beta (d,) at the end of the flow from the impulse of size alpha."""
    start = impulse(LENGTH, alpha)
    return convolved(example(kind).problem, start, tolerance=1e-8, target_loss=1e-20)


def excess(kind: str, alpha: float) -> float:
    """Fourier-l1 norm of the network's predictor over the least one, less 1."""
    return float(example(kind).excess(predictor(kind, alpha)))


def explore_spectrum(kind: str, alpha: float) -> tuple[Figure, str]:
    """The spectrum between the two limits, beside its excess over the least l1 norm at
    all scales.
    """
    case, beta = example(kind), predictor(kind, alpha)
    fig, (left, right) = figure(2, height=3.2)
    sizes = (
        torch.fft.rfft(row, norm="ortho").abs().numpy()
        for row in (beta, case.sparse.primal, case.dense)
    )
    plot_spectrum(left, *sizes)
    curves = {
        name: torch.tensor([excess(name, scale) for scale in SCALES]).numpy()
        for name in KINDS
    }
    scales = torch.tensor(SCALES, dtype=torch.float64).numpy()
    plot_transition(right, scales, curves, kind, alpha)
    longer = max(0.0, float(beta.norm() / case.dense.norm()) - 1)
    return fig, (
        f"Inputs {kind}, scale {alpha:g}: the l1 norm of the spectrum is "
        f"{100 * excess(kind, alpha):.2g} % above the least possible, the l2 norm "
        f"{100 * longer:.1f} %."
    )
