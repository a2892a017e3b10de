"""Whether gradient flow has come to rest: what Newton's method says about the loss that
is left to lose.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.dynamics.protocols import TailLoss
from ibcore.dynamics.scaled_field import Point

_ROUNDING = 32  # machine epsilons to which a sum of gradients is known
_SMALL = 0.01  # change of a margin over which the curvature of a loss with an exponential tail stays what it is


def vanished(point: Point) -> Tensor:
    """Members whose field sum_i p_i grad m_i is zero to the rounding of its terms,
    (B,).
    """
    terms = (point.weights * point.rows.abs().amax(-1)).sum(-1)
    eps = torch.finfo(point.theta.dtype).eps
    return point.field.abs().amax(-1) <= _ROUNDING * eps * terms


def faint(point: Point, tolerance: float) -> Tensor:
    """Members whose field is below `tolerance` times the longest gradient of a margin,
    (B,).
    """
    longest = torch.linalg.vector_norm(point.rows, dim=-1).amax(-1)
    return torch.linalg.vector_norm(point.field, dim=-1) <= tolerance * longest


def newton(loss: TailLoss, point: Point) -> tuple[Tensor, Tensor]:
    """How far log L is above its least value, and the way there (B, P), for predictors
    linear in theta.

    With a_i = -d log(-l'(m_i))/dm the gradient of the mean loss is proportional to
    sum_i p_i z_i and its Hessian, by the same factor, to sum_i p_i a_i z_i z_i^T, rows
    z_i; the step solves the least-squares problem of the rows sqrt(p_i a_i) z_i with
    right-hand sides sqrt(p_i / a_i). On separable data it changes some margin by about
    one, however small the loss; where it changes all of them by less than 0.01 the loss
    is within its decrement of its least value (Bach 2010, on losses with |l'''| <=
    l''). The distance is infinite where that does not hold, (B,).
    """
    curved = -loss.log_slope_rate(point.margins)
    tiny = torch.finfo(curved.dtype).tiny
    weights = (point.weights * curved).clamp_min(0).sqrt()
    right = point.weights.sqrt() / curved.clamp_min(tiny).sqrt()
    rows = weights[..., None] * point.rows
    step = torch.linalg.pinv(rows) @ right[..., None]
    change = (point.rows @ step)[..., 0].abs().amax(-1)
    decrement = (point.field * step[..., 0]).sum(-1)
    share = torch.exp(point.log_slope - point.log_loss) * decrement
    near = (change <= _SMALL) & (share <= _SMALL) & share.isfinite()
    return torch.where(near, share, torch.inf), step[..., 0]
