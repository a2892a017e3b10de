"""Exact errors of polynomial least squares on noisy labels of a polynomial."""

from __future__ import annotations

import numpy as np
import torch
from numpy.polynomial import legendre
from torch import Tensor

from ibcore.validation import positive_integer


def expected_train_error(count: int, degree: int, noise: float) -> float:
    """Mean square residual at the `count` points, averaged over the noise: noise^2 (1 - (degree + 1)/count).

    For a truth of at most `degree`: the residual is the noise without its part in the fitted space.
    """
    return noise**2 * (
        1
        - (positive_integer("degree", degree, least=0) + 1)
        / positive_integer("count", count)
    )


def expected_excess_risk(x: Tensor, degree: int, noise: float) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, over the noise, of the excess test error at the points `x` (B, n): each (B,).

    The excess is E_z (f_hat(z) - f(z))^2 for z uniform on [-1, 1]. For a truth of at most `degree` the
    coefficient errors are e = (P^T P)^{-1} P^T noise in the Legendre basis P, whose mean squares are
    1/(2k + 1), so the excess is sum_k e_k^2 / (2k + 1), a quadratic form in the noise with known moments.
    """
    pseudoinverse = np.linalg.pinv(legendre.legvander(x.numpy(force=True), degree))
    covariance = noise**2 * pseudoinverse @ pseudoinverse.swapaxes(-1, -2)
    form = covariance / (2 * np.arange(degree + 1) + 1.0)
    mean = np.trace(form, axis1=-2, axis2=-1)
    variance = 2 * np.trace(form @ form, axis1=-2, axis2=-1)
    return torch.from_numpy(mean).to(x), torch.from_numpy(np.sqrt(variance)).to(x)
