"""Exact errors of polynomial least squares on noisy labels of a polynomial."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.polynomial import legendre
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer, real_tensor


def expected_train_error(count: int, degree: int, noise: float) -> float:
    """Mean square residual at the `count` points, averaged over the noise: noise^2 (1 -
    (degree + 1)/count).

    For a truth of at most `degree`: the residual is the noise without its part in the
    fitted space, none from degree + 1 = count on. Proportional to noise^2.
    """
    share = (positive_integer("degree", degree, least=0) + 1) / positive_integer(
        "count", count
    )
    return _noise(noise) ** 2 * max(0.0, 1 - share)


def expected_excess_risk(x: Tensor, degree: int, noise: float) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, over the noise, of the excess test error at the
    points `x` (B, n): each (B,).

    The excess is E_z (f_hat(z) - f(z))^2 for z uniform on [-1, 1]. For a truth of at
    most `degree` the coefficient errors are e = (P^T P)^{-1} P^T noise in the Legendre
    basis P, whose mean squares are 1/(2k + 1), so the excess is sum_k e_k^2 / (2k + 1),
    a quadratic form in the noise with known moments. Both are proportional to noise^2.
    Raises `InvalidInput` for fewer than degree + 1 distinct points.
    """
    points = real_tensor("x", x, ndim=2)
    P = legendre.legvander(
        points.numpy(force=True), positive_integer("degree", degree, least=0)
    )
    if (np.linalg.matrix_rank(P) <= degree).any():
        raise InvalidInput(
            f"{points.shape[1]} points do not determine the {degree + 1} coefficients "
            f"of degree {degree} to rounding. Take a lower degree, or more distinct "
            "points."
        )
    pseudoinverse = np.linalg.pinv(P)
    covariance = _noise(noise) ** 2 * pseudoinverse @ pseudoinverse.swapaxes(-1, -2)
    form = covariance / (2 * np.arange(degree + 1) + 1.0)
    mean = np.trace(form, axis1=-2, axis2=-1)
    variance = 2 * np.trace(form @ form, axis1=-2, axis2=-1)
    return torch.from_numpy(mean).to(points), torch.from_numpy(np.sqrt(variance)).to(
        points
    )


def _noise(noise: float) -> float:
    if not 0 <= noise < math.inf:
        raise InvalidInput(
            f"noise is {noise!r}, expected a finite number of 0 or more."
        )
    return noise
