"""Least squares that interpolates noise, on Gaussian inputs whose covariance has a
given spectrum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.oracles.benign_overfitting import effective_ranks, equivalent
from ibcore.threads import threads

Array = NDArray[np.float64]
SPIKES = 5
TAIL = 0.2  # the benign tail has TAIL n^2 directions
CUT = 2  # that of the control has CUT n
POWERS = (2.0, 3.0)
WIDTH = 20  # power laws are cut off at WIDTH n directions
NOISE = 1.0


def spiked(tail: int) -> Array:
    """Five eigenvalues of 1, and `tail` equal ones with the sum 1."""
    return np.concatenate([np.ones(SPIKES), np.full(tail, 1 / tail)])


def spectrum(kind: str, samples: int) -> Array:
    """Eigenvalues of the covariance: `wide tail`, `narrow tail` or `power 2`, `power
    3`.
    """
    if kind == "wide tail":
        return spiked(round(TAIL * samples**2))
    if kind == "narrow tail":
        return spiked(CUT * samples)
    exponent = float(kind.removeprefix("power "))
    return np.arange(1, WIDTH * samples + 1, dtype=np.float64) ** -exponent


KINDS = ("wide tail", *(f"power {power:g}" for power in POWERS), "narrow tail")


@dataclass(frozen=True)
class Problem:
    """One spectrum (p,) with n samples and true coefficients (p,) of norm 1 on the
    first five directions.

    noise, signal: predicted excess risks.      order: k*/n + n/R of the effective
    ranks.
    """

    kind: str
    samples: int
    spectrum: Tensor
    beta: Tensor
    noise: float
    signal: float
    order: float


def problem(kind: str, samples: int) -> Problem:
    """The problem of a kind in `KINDS`, with what theory predicts of it."""
    values = spectrum(kind, samples)
    beta = np.zeros(len(values))
    beta[:SPIKES] = SPIKES**-0.5
    law = equivalent(values, samples, beta)
    order = effective_ranks(values, samples).variance(samples)
    return Problem(
        kind,
        samples,
        torch.from_numpy(values),
        torch.from_numpy(beta),
        NOISE**2 * law.noise,
        law.signal,
        order,
    )


@threads()
def interpolate(
    posed: Problem, draws: int, generator: torch.Generator, device: torch.device | str
) -> tuple[Tensor, Tensor, Tensor]:
    """Excess risks from label noise and from the signal, and the misfit, (draws,) each,
    of the least-norm interpolant.

    Given the inputs X (n, p) its weights are M y with M = X^T (X X^T)^-1. Averaged over
    labels of noise 1 the first is |S M|_F^2 and the second |S (beta - M X beta)|^2,
    with S the root of the covariance. Misfit: largest entry of X M - I, so that every
    label, noise and all, is fitted where it is 0.
    """
    root, beta = posed.spectrum.sqrt().to(device), posed.beta.to(device)
    rows = []
    for _ in range(draws):
        normal = torch.randn(
            posed.samples, len(root), generator=generator, dtype=torch.float64
        )
        X = normal.to(device) * root
        fit = torch.linalg.solve(X @ X.mT, X).mT
        noise = NOISE**2 * (root[:, None] * fit).square().sum()
        signal = (root * (beta - fit @ (X @ beta))).square().sum()
        eye = torch.eye(posed.samples, dtype=X.dtype, device=X.device)
        rows.append(torch.stack([noise, signal, (X @ fit - eye).abs().amax()]))
    noise, signal, misfit = torch.stack(rows, -1).cpu()
    return noise, signal, misfit


def problems(sizes: Sequence[int]) -> tuple[Problem, ...]:
    """Every kind at every size."""
    return tuple(problem(kind, n) for kind in KINDS for n in sizes)
