"""Gradient flow on losses whose tail is a power."""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.losses import ConvexTail, Exponential
from ibcore.models import Linear


def power_flow(
    signed: Tensor, power: float, log_norm: float, start: Tensor | None = None
) -> Trajectory:
    """The flow on the tail m^-power until the norm is about exp(`log_norm`).

    signed: rows (n, d).      start: (1, d), by default zero.
    """
    return scipy_flow(
        Linear(signed),
        ConvexTail(power),
        _zero(signed) if start is None else start,
        log_time=(power + 2) * log_norm,
        degree=1,
    )


def exponential_flow(signed: Tensor) -> Trajectory:
    """The flow on the exponential loss of rows (n, d) from zero to log L = -1e6."""
    return scipy_flow(Linear(signed), Exponential(), _zero(signed), log_loss=-1e6)


def _zero(signed: Tensor) -> Tensor:
    return torch.zeros(1, signed.shape[1], dtype=torch.float64)
