"""One step of the explicit and of the linearly implicit method, each with its error
estimate.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ibcore.dynamics.protocols import Model, TailLoss
from ibcore.dynamics.scaled_field import Point, scaled_field, weight_sensitivity
from ibcore.dynamics.tableaus import DORMAND_PRINCE_8, RODAS_4


def combine(coefficients: np.ndarray, stages: list[Tensor]) -> Tensor:
    """Linear combination of the stages computed so far; the coefficients of later ones
    are zero.
    """
    used = torch.as_tensor(
        coefficients[: len(stages)], dtype=stages[0].dtype, device=stages[0].device
    )
    return torch.tensordot(used, torch.stack(stages), 1)


def explicit_step(
    model: Model, loss: TailLoss, start: Point, h: Tensor, tolerance: float
) -> tuple[Tensor, Tensor, int]:
    """One Dormand-Prince 8(5,3) step in s: theta (B, P), its error over the tolerance
    (B,), evaluations.
    """
    pair, step = DORMAND_PRINCE_8, h[:, None]
    stages = [start.field]
    for row in pair.a[1:]:
        theta = start.theta + step * combine(row, stages)
        stages.append(scaled_field(model, loss, theta))
    end = start.theta + step * combine(pair.b, stages)
    scale = tolerance * (1 + torch.maximum(start.theta.abs(), end.abs()))
    fifth, third = (
        (combine(weights, stages) / scale).square().mean(-1)
        for weights in (pair.e5, pair.e3)
    )
    error = h * fifth / (fifth + 0.01 * third).clamp_min(1e-300).sqrt()
    return end, error, len(pair.b)


def rosenbrock_step(
    _model: Model, loss: TailLoss, start: Point, h: Tensor, tolerance: float
) -> tuple[Tensor, Tensor, int]:
    """One RODAS 4(3) step for constant rows: theta (B, P), its error over the tolerance
    (B,), evaluations.

    The update lies in the span of the rows, theta + G^T v, so the linear systems are n
    x n in v. The error is that of the weights p, absolute, and of every margin,
    relative to 1 + |m_i|; weights are granted the rounding of margins known to a
    relative 1e-13.
    """
    method, gram = RODAS_4, start.rows @ start.rows.transpose(-1, -2)
    sensitivity = weight_sensitivity(loss, start)
    scaled = h[:, None] * method.gamma
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    factors = torch.linalg.lu_factor_ex(
        identity - scaled[..., None] * (sensitivity @ gram)
    )[:2]  # a singular member divides by zero and is refused
    stages: list[Tensor] = []
    right = scaled * start.weights
    for a, c in zip(method.a[1:], method.c[1:], strict=True):
        stages.append(torch.linalg.lu_solve(*factors, right[..., None])[..., 0])
        margins = start.margins + (gram @ combine(a, stages)[..., None])[..., 0]
        right = scaled * torch.softmax(
            loss.log_slope(margins), -1
        ) + method.gamma * combine(c, stages)
    stages.append(torch.linalg.lu_solve(*factors, right[..., None])[..., 0])
    theta = start.theta + (combine(method.b, stages)[:, None, :] @ start.rows)[:, 0]
    margin_error = gram @ stages[-1][..., None]
    weight_error = (sensitivity @ margin_error)[..., 0].abs().amax(-1)
    relative = (margin_error[..., 0].abs() / (1 + start.margins.abs())).amax(-1)
    rounding = (
        1024
        * torch.finfo(theta.dtype).eps
        * (start.margins * loss.log_slope_rate(start.margins)).abs().amax(-1)
    )
    error = torch.maximum(weight_error / (tolerance + rounding), relative / tolerance)
    return theta, error, len(method.b)
