"""The field of gradient flow in the variable s, in which it stays bounded however small
the loss.

d theta/ds = sum_i p_i grad m_i(theta), p = softmax(log(-l'(m_i))), ds =
mean_i(-l'(m_i)) dt.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.dynamics.protocols import Model, TailLoss, pullback

_E_FOLDS = 40.0  # time before the last 40 e-folds of a step is below rounding
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


@dataclass(frozen=True)
class Point:
    """Everything known at one parameter: margins (B, n), rows (B, n, P), weights p,
    field and rates (B,).
    """

    theta: Tensor
    margins: Tensor
    rows: Tensor
    weights: Tensor
    field: Tensor
    log_loss: Tensor
    log_slope: Tensor
    slope_rate: Tensor  # d log_slope / ds


def scaled_field(model: Model, loss: TailLoss, theta: Tensor) -> Tensor:
    """d theta/ds, (B, P)."""
    weights = torch.softmax(loss.log_slope(model.outputs(theta)), -1)
    return pullback(model, theta, weights)


def evaluate(model: Model, loss: TailLoss, theta: Tensor) -> Point:
    """The `Point` at parameters (B, P)."""
    margins, rows = model.outputs(theta), model.jacobian(theta)
    log_slopes = loss.log_slope(margins)
    weights = torch.softmax(log_slopes, -1)
    field = (weights[:, None, :] @ rows)[:, 0]
    speed = (rows @ field[..., None])[..., 0]
    rate = (weights * loss.log_slope_rate(margins) * speed).sum(-1)
    return Point(
        theta,
        margins,
        rows,
        weights,
        field,
        log_mean(loss.log_value(margins)),
        log_mean(log_slopes),
        rate,
    )


def log_mean(values: Tensor) -> Tensor:
    """log of the mean of exp(values) over the last dimension."""
    return torch.logsumexp(values, -1) - math.log(values.shape[-1])


def weight_sensitivity(loss: TailLoss, point: Point) -> Tensor:
    """d p / d m, (B, n, n)."""
    tilt = point.weights * loss.log_slope_rate(point.margins)
    return torch.diag_embed(tilt) - point.weights[:, :, None] * tilt[:, None, :]


def stiffness(loss: TailLoss, point: Point) -> Tensor:
    """Upper estimate (tr J^4)^(1/4) of the spectral radius of the field's Jacobian for
    constant rows, (B,).
    """
    jacobian = weight_sensitivity(loss, point) @ (
        point.rows @ point.rows.transpose(-1, -2)
    )
    squared = jacobian @ jacobian
    return (squared * squared.transpose(-1, -2)).sum((-1, -2)).abs() ** 0.25


def _hermite(
    x: Tensor, ends: tuple[Tensor, Tensor], slopes: tuple[Tensor, Tensor]
) -> Tensor:
    """Cubic with the given values and slopes at 0 and 1, at `x`."""
    (v0, v1), (d0, d1) = ends, slopes
    return v0 + x * (
        d0 + x * (3 * (v1 - v0) - 2 * d0 - d1 + x * (2 * (v0 - v1) + d0 + d1))
    )


def log_duration(
    model: Model, loss: TailLoss, start: Point, end: Point, h: Tensor
) -> tuple[Tensor, Tensor]:
    """log of the time that a step of length h in s takes, int_0^h exp(-log_slope) ds,
    and its error, (B,) each.

    log_slope is interpolated by its values and rates at both ends (cubic Hermite), and
    only the last 40 e-folds of the integrand are resolved. In the middle of the step,
    or one e-fold before its end if that is later, the interpolant is compared with
    log_slope at the interpolated parameters; both have order 4, so the difference is
    the error.
    """
    nodes = torch.as_tensor((_NODES + 1) / 2, dtype=h.dtype, device=h.device)
    log_weights = torch.as_tensor(np.log(_WEIGHTS / 2), dtype=h.dtype, device=h.device)
    length = torch.minimum(h, _E_FOLDS * _fold(end))
    middle = _middle(end, h)
    theta = _hermite(
        middle,
        (start.theta, end.theta),
        (h[:, None] * start.field, h[:, None] * end.field),
    )
    there = log_mean(loss.log_slope(model.outputs(theta)))
    x = 1 - (length / h)[:, None] * nodes
    slopes, between = (_log_slope(start, end, h, at) for at in (x, middle))
    duration = torch.logsumexp(log_weights - slopes, -1) + torch.log(length)
    return duration, (there - between[:, 0]).abs()


def stepped_doubt(
    step: Callable[..., tuple[Tensor, Tensor, int]],
    model: Model,
    loss: TailLoss,
    ends: tuple[Point, Point],
    h: Tensor,
) -> Tensor:
    """The error of `log_duration` with parameters in the middle that are stepped to,
    not interpolated, (B,).

    A field known to an error e is interpolated to h e, which for a stiff field is no
    small part of the step.
    """
    middle = _middle(ends[1], h)
    theta, _, _ = step(model, loss, ends[0], h * middle[:, 0], 1.0)
    there = log_mean(loss.log_slope(model.outputs(theta)))
    return (there - _log_slope(*ends, h, middle)[:, 0]).abs()


def _fold(end: Point) -> Tensor:
    """Length in s of the last e-fold of the slope, (B,)."""
    return 1 / end.slope_rate.abs().clamp_min(1e-300)


def _middle(end: Point, h: Tensor) -> Tensor:
    """The share of a step at which its duration is checked, (B, 1)."""
    return 1 - torch.minimum(h / 2, _fold(end))[:, None] / h[:, None]


def _log_slope(start: Point, end: Point, h: Tensor, x: Tensor) -> Tensor:
    """log_slope interpolated at the shares `x` (B, k) of a step."""
    return _hermite(
        x,
        (start.log_slope[:, None], end.log_slope[:, None]),
        ((h * start.slope_rate)[:, None], (h * end.slope_rate)[:, None]),
    )
