"""The limit of infinitely many random Fourier features: the Gaussian kernel."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ibcore.validation import positive_number


def gaussian_kernel(length_scale: float) -> Callable[[Tensor, Tensor], Tensor]:
    """(x, z) -> exp(-|x - z|^2 / (2 l^2)) for X (..., n, d) and Z (..., k, d): (..., n,
    k).

    The mean of phi(x).phi(z) over random Fourier features phi of this length scale
    (Rahimi and Recht 2007), so its ridgeless interpolant is what minimum-norm
    regression on N of them tends to as N grows (Belkin, Hsu, Ma and Mandal 2019).
    Unchanged by a common factor of X, Z and the length scale, and by a shift of both
    inputs.
    """
    double_square = 2 * positive_number("length_scale", length_scale) ** 2
    exact = "donot_use_mm_for_euclid_dist"  # no differences of squares, which a common offset would spoil
    return lambda X, Z: torch.exp(
        -torch.cdist(X, Z, compute_mode=exact).square() / double_square
    )
