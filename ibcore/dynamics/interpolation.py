"""A network through all points, near where it is: the method of Gauss and Newton with
least steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ibcore.threads import threads
from ibcore.validation import positive_integer


@threads()
def interpolating(model: Any, theta: Tensor, targets: Tensor, *, steps: int) -> Tensor:
    """theta (B, P) after theta <- theta - J^+ (f - y), with J = df/dtheta (B, n, P),
    `steps` times.

    Each step is the shortest that solves the linearized equations f = y, (B, n); a
    member whose sum of squares would not fall stays where it is and tries half of the
    step next. Near a solution whose Jacobian has full rank the error is squared at each
    step. Where it has not, as where a ReLU network lacks a kink between two points, the
    loss stays above zero: look at it.
    """
    rest = model.outputs(theta) - targets
    size = torch.ones_like(theta[:, :1])
    for _ in range(positive_integer("steps", steps)):
        move = torch.linalg.pinv(model.jacobian(theta)) @ rest[..., None]
        trial = theta - size * move[..., 0]
        left = model.outputs(trial) - targets
        better = (left.square().sum(-1) < rest.square().sum(-1))[:, None]
        theta, rest = torch.where(better, trial, theta), torch.where(better, left, rest)
        size = torch.where(better, (2 * size).clamp(max=1), size / 2)
    return theta
