"""Where a finite step can stay and where an infinitesimal one ends, on objectives that
are solved by hand.
"""

from __future__ import annotations

import torch
from torch import Tensor


def quadratic_state(
    eigenvalues: Tensor, basis: Tensor, start: Tensor, step: Tensor, count: int
) -> Tensor:
    """Gradient descent on half theta . H theta after `count` steps, (B, d): each
    eigenvector's part by itself.

    eigenvalues: (B, d) of H.      basis: (B, d, d), its eigenvectors as columns.
    start: (B, d).
    step: (B,). With one part c_j along an eigenvector, c_j(k) = (1 - step
    eigenvalue_j)^k c_j(0).
    """
    parts = (basis.mT @ start[..., None])[..., 0]
    factors = (1 - step[:, None] * eigenvalues) ** count
    return (basis @ (factors * parts)[..., None])[..., 0]


def product_flow_end(start: Tensor) -> Tensor:
    """Where gradient flow on (xy - 1)^2 ends, (B, 2), from starts (B, 2) with x + y not
    zero.

    The flow conserves c = x^2 - y^2 and the sign of x + y, and reaches xy = 1. With s =
    x^2 + y^2 at the end, s^2 = c^2 + 4, so that x^2 and y^2 are (s + c) / 2 and (s - c)
    / 2. The smaller of the two is computed from their product, which is 1.
    """
    c = start[:, 0].square() - start[:, 1].square()
    large = ((torch.sqrt(c.square() + 4) + c.abs()) / 2).sqrt()
    x = torch.where(c >= 0, large, 1 / large)
    return torch.stack([x, 1 / x], -1) * torch.sign(start.sum(-1))[:, None]


def product_sharpness(point: Tensor) -> Tensor:
    """The largest Hessian eigenvalue of half (xy - 1)^2 at its minima, x^2 + y^2, of
    points (..., 2).
    """
    return point.square().sum(-1)
