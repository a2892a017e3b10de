"""What interpolating noisy labels costs, from the spectrum of the covariance of the
inputs.

Bartlett, Long, Lugosi and Tsigler 2020 (abstract read, theorem recalled) for the
effective ranks; Hastie, Montanari, Rosset and Tibshirani 2022 (recalled) for the limit
of risk and noise, given here for any n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from ibcore.validation import InvalidInput, positive_integer, positive_number

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Equivalent:
    """Large-n equivalents for minimum-norm least squares with covariance diag(lambda)
    and n samples.

    penalty: kappa with sum_i lambda_i / (lambda_i + kappa) = n: the fit acts like ridge
    regression with it.
    noise: excess risk from label noise, over the variance of the noise.      signal:
    excess risk without noise.
    """

    penalty: float
    noise: float
    signal: float


def equivalent(
    spectrum: ArrayLike, samples: int, coefficients: ArrayLike
) -> Equivalent:
    """The equivalents for eigenvalues `spectrum` (p,) and true `coefficients` (p,), p >
    n.

    With s_i = lambda_i / (lambda_i + kappa) and q = sum_i s_i^2: noise is q / (n - q),
    signal is kappa^2 sum_i lambda_i beta_i^2 / (lambda_i + kappa)^2 times n / (n - q).
    Exact up to a relative error of order 1/n.
    """
    eigenvalues, n = _spectrum(spectrum), positive_integer("samples", samples)
    beta = np.asarray(coefficients, dtype=np.float64)
    if beta.shape != eigenvalues.shape or n >= len(eigenvalues):
        raise InvalidInput(
            f"there are {len(eigenvalues)} eigenvalues, {len(beta)} coefficients and "
            f"{n} samples, expected as many coefficients as eigenvalues and fewer "
            "samples."
        )
    kappa = _penalty(eigenvalues, n)
    shares = eigenvalues / (eigenvalues + kappa)
    q = float((shares**2).sum())
    missed = float((eigenvalues * ((1 - shares) * beta) ** 2).sum())
    return Equivalent(kappa, q / (n - q), missed * n / (n - q))


def _penalty(eigenvalues: Array, n: int) -> float:
    """Between the least and the largest value that a flat spectrum of the same trace or
    size would have.
    """
    total = float(eigenvalues.sum())

    def excess(log_kappa: float) -> float:
        return float((eigenvalues / (eigenvalues + math.exp(log_kappa))).sum()) - n

    low = math.log(float(eigenvalues.min()) * (len(eigenvalues) / n - 1) / 2)
    return math.exp(brentq(excess, low, math.log(total / n), xtol=1e-14))


@dataclass(frozen=True)
class EffectiveRanks:
    """k*, the least k with r_k >= b n, and R_k there; NaN where no k has it."""

    split: float
    rank: float

    def variance(self, samples: int) -> float:
        """k*/n + n/R: the order of the excess risk from label noise over its variance."""
        return self.split / samples + samples / self.rank


def effective_ranks(
    spectrum: ArrayLike, samples: int, *, factor: float = 1.0
) -> EffectiveRanks:
    """Effective ranks of the tail of a spectrum, in decreasing order.

    r_k = sum_{i>k} lambda_i / lambda_{k+1} and
    R_k = (sum_{i>k} lambda_i)^2 / sum_{i>k} lambda_i^2, at the least k
    with r_k >= `factor` * n.
    """
    eigenvalues = np.sort(_spectrum(spectrum))[::-1]
    n = positive_integer("samples", samples)
    sums = np.cumsum(eigenvalues[::-1])[::-1]
    squares = np.cumsum(eigenvalues[::-1] ** 2)[::-1]
    wide = sums / eigenvalues >= positive_number("factor", factor) * n
    if not wide.any():
        return EffectiveRanks(math.nan, math.nan)
    k = int(np.argmax(wide))
    return EffectiveRanks(float(k), float(sums[k] ** 2 / squares[k]))


def power_law_noise(exponent: float) -> float:
    """Excess risk over the noise for lambda_i = i^-a, a > 1, with infinitely many
    features and n -> infinity: a - 1.

    With kappa -> 0 sums over i become integrals: sum s_i ~ kappa^(-1/a) I, sum s_i^2 ~
    kappa^(-1/a) (1 - 1/a) I for I = int dx / (1 + x^a), so that q = (1 - 1/a) n and q /
    (n - q) = a - 1.
    """
    if positive_number("exponent", exponent) <= 1:
        raise InvalidInput(
            f"exponent is {exponent:g}, expected more than 1: the trace must be finite."
        )
    return exponent - 1


def _spectrum(spectrum: ArrayLike) -> Array:
    values = np.asarray(spectrum, dtype=np.float64)
    if (
        values.ndim != 1
        or not len(values)
        or not (np.isfinite(values) & (values > 0)).all()
    ):
        raise InvalidInput("the spectrum must be a list of positive finite numbers.")
    return values
