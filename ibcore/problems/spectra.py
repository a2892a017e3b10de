"""Regression on signals whose labels come from a predictor with few frequencies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fft import irfft

from ibcore.validation import InvalidInput, positive_integer, real_tensor


@dataclass(frozen=True)
class SpectralRegression:
    """X (n, d), y = X beta (n,) and beta (d,), whose discrete Fourier transform has few
    frequencies.
    """

    X: Tensor
    y: Tensor
    beta: Tensor


def spectral_regression(
    n: int, d: int, used: int, generator: torch.Generator, *, even: bool
) -> SpectralRegression:
    """`n` Gaussian signals of length `d` and a predictor with `used` of the d // 2 + 1
    frequencies, each of size 1.

    even: signals and predictor are invariant under x_j -> x_(-j mod d), so that their
    spectra are real; otherwise the spectra have random phases. In the unitary transform
    every frequency of the signals has variance 1. Raises `InvalidInput` where the
    labels would determine the predictor.
    """
    positive_integer("d", d, least=4)
    frequencies = d // 2 + 1
    if not 1 <= positive_integer("used", used) <= frequencies:
        raise InvalidInput(
            f"used is {used}, expected 1 to the {frequencies} frequencies of signals "
            f"of length {d}."
        )
    if positive_integer("n", n) >= (frequencies if even else d):
        raise InvalidInput(
            f"n is {n}, expected less than the {frequencies if even else d} unknowns "
            "of the predictor."
        )

    def spectrum(rows: int) -> Tensor:
        parts = torch.randn(
            2, rows, frequencies, generator=generator, dtype=torch.float64
        )
        return (
            torch.complex(parts[0], torch.zeros_like(parts[1]))
            if even
            else torch.complex(*parts)
        )

    X = irfft(spectrum(n), n=d, norm="ortho")
    coefficients, chosen = (
        spectrum(1)[0],
        torch.randperm(frequencies, generator=generator)[:used],
    )
    target = torch.zeros_like(coefficients)
    target[chosen] = torch.sgn(coefficients[chosen])
    beta = irfft(target, n=d, norm="ortho")
    return SpectralRegression(X, X @ beta, beta)


def mirrored(signals: object) -> Tensor:
    """Even signals (n, 2 l - 2) from signals (n, l): x_0, ..., x_(l-1), then the mirror
    image x_(l-2), ..., x_1.
    """
    rows = real_tensor("signals", signals, ndim=2)
    if rows.shape[1] < 3:
        raise InvalidInput(
            f"signals have {rows.shape[1]} entries, expected at least 3."
        )
    return torch.cat([rows, rows[:, 1:-1].flip(1)], 1)
