"""Polynomials on [-1, 1] in the Legendre basis."""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.validation import positive_integer


def legendre_features(x: Tensor, degree: int) -> Tensor:
    """P_0(x) .. P_degree(x) by the three-term recurrence: (..., degree + 1).

    Well conditioned where the powers 1, x, x^2, ... lose all digits.
    """
    positive_integer("degree", degree, least=0)
    columns = [torch.ones_like(x), x]
    for k in range(1, degree):
        columns.append(((2 * k + 1) * x * columns[k] - k * columns[k - 1]) / (k + 1))
    return torch.stack(columns[: degree + 1], -1)


def mean_squares(degree: int) -> Tensor:
    """E P_k(z)^2 = 1/(2k + 1) for z uniform on [-1, 1], k = 0..degree: (degree + 1,),
    float64.
    """
    return 1 / (2 * torch.arange(degree + 1, dtype=torch.float64) + 1)
