"""The spectrum of large random matrices: the law of Marchenko and Pastur, and the least
eigenvalue next to it.

Marchenko and Pastur 1967; Edelman 1988 for the least eigenvalue (both recalled).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibcore.validation import InvalidInput, positive_integer, positive_number

Array = NDArray[np.float64]
_CELLS = 20_000


def edges(ratio: float) -> tuple[float, float]:
    """The ends (1 - sqrt(c))^2 and (1 + sqrt(c))^2 of the spectrum for a ratio 0 < c <=
    1.
    """
    c = positive_number("ratio", ratio)
    if c > 1:
        raise InvalidInput(
            f"ratio is {c:g}, expected at most 1. Take the smaller of the two Gram "
            "matrices."
        )
    return (1 - math.sqrt(c)) ** 2, (1 + math.sqrt(c)) ** 2


def density(x: ArrayLike, ratio: float) -> Array:
    """sqrt((b - x)(x - a)) / (2 pi c x) on [a, b].

    The limit of the density of the eigenvalues of Z Z^T / p for k x p
    matrices Z of independent entries of mean 0 and variance 1, if k and
    p grow with k/p -> c <= 1.
    """
    a, b = edges(ratio)
    x = np.asarray(x, dtype=np.float64)
    inside = (x > a) & (x < b)
    safe = np.where(inside, x, 1.0)
    root = np.sqrt(np.where(inside, (b - x) * (x - a), 0.0))
    return root / (2 * math.pi * ratio * safe)


def distribution(x: ArrayLike, ratio: float) -> Array:
    """Share of the spectrum at or below x, to 1e-8.

    With x = a + (b - a) sin^2(u/2) the density in u is smooth, also where a = 0, and
    midpoints integrate it.
    """
    a, b = edges(ratio)
    width = b - a
    u = (np.arange(_CELLS) + 0.5) * math.pi / _CELLS
    sine, cosine = np.sin(u / 2) ** 2, np.cos(u / 2) ** 2
    heights = width**2 * sine * cosine / (2 * math.pi * ratio * (a + width * sine))
    below = np.concatenate([[0.0], np.cumsum(heights) * math.pi / _CELLS])
    share = np.clip((np.asarray(x, dtype=np.float64) - a) / width, 0.0, 1.0)
    places = 2 * np.arcsin(np.sqrt(share)) / math.pi * _CELLS
    return np.interp(places, np.arange(_CELLS + 1), below)


def least_eigenvalue_distribution(x: ArrayLike, size: int) -> Array:
    """Pr[least eigenvalue of Z Z^T <= x] = 1 - exp(-k x / 2) for Gaussian Z of k rows
    and k + 1 columns (Edelman).
    """
    k = positive_integer("size", size)
    return -np.expm1(-k * np.maximum(np.asarray(x, dtype=np.float64), 0.0) / 2)
