"""How far mirror flow with a potential that is not homogeneous can be from the largest
margin in the norm of its horizon.

All bounds are for the exponential loss, n examples, the flow from w = 0, and are proved
on the page on the geometry of optimizers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cosh_gap(gamma: Tensor, size: Tensor, n: int, d: int) -> Tensor:
    """The largest relative l_inf margin gap that the flow with sum_j cosh w_j can have.

    gamma: the largest l_inf margin.      size: |w|_inf.      d: how many coordinates.
    gamma |w|_inf minus the least margin is at most gamma (1 + (d - 1) / e) + log n.
    """
    return (1 + (d - 1) / math.e + math.log(n) / gamma) / size


def hypentropy_value(w: Tensor) -> Tensor:
    """d + sum_j (sqrt(1 + w_j^2) - 1), the conjugate potential along the flow, plus d."""
    return torch.sqrt(1 + w.square()).sum(-1)


def hypentropy_gap(
    gamma: Tensor, early: Tensor, late: Tensor, soft_margin: Tensor, n: int
) -> Tensor:
    """The largest relative l_1 margin gap that the flow with gradient arsinh w_j of the
    potential can have.

    gamma: the largest l_1 margin.      early, late: `hypentropy_value` at two times.
    soft_margin: log(1/L) - log n at the early one; NaN comes back where it is not
    positive.      It is of the order 1 / log |w|_1.
    """
    start = torch.where(soft_margin > 0, soft_margin, math.nan)
    rho = start / early
    gained = torch.log(late / early) - math.log(n) / start
    reached = torch.maximum(rho / gamma, gained / torch.log(1 + 2 * late))
    return 1 - reached


def own_certificate(
    margin: Tensor, size: Tensor, pulls: Tensor, dual_norm: Tensor
) -> Tensor:
    """What weak duality allows as a relative margin gap: 1 - margin sum(Lambda) / (|w|
    |A^T Lambda|_*).

    margin, size: (...), the least margin and the norm of w.      pulls: Lambda >= 0,
    (..., n).      dual_norm: (...), |A^T Lambda|_*.
    """
    return 1 - margin * pulls.sum(-1) / (size * dual_norm)
