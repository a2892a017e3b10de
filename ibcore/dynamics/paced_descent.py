"""Gradient descent on a batch of problems, each step as long as a bound on the curvature allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.trajectory import CONVERGED, NOT_FINITE, step_limit
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)

BoundedObjective = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""theta (B, P) -> loss (B,), its gradient (B, P), and a bound on the curvature (B,)."""


@dataclass(frozen=True)
class PacedDescent:
    """Where B independent runs ended: theta (B, P), loss (B,), converged (B,) in truth values, and the steps taken."""

    theta: Tensor
    loss: Tensor
    converged: Tensor
    steps: int

    @property
    def status(self) -> tuple[str, ...]:
        """Why each run ended, in the words of `ibcore.dynamics.trajectory`."""
        return tuple(
            CONVERGED if done else step_limit(self.steps) if good else NOT_FINITE
            for done, good in zip(
                self.converged.tolist(), self.loss.isfinite().tolist(), strict=True
            )
        )


@threads()
def paced_descent(
    objective: BoundedObjective,
    start: Tensor,
    *,
    steps: int,
    share: float | Tensor = 1.0,
    target_loss: float = 1e-26,
) -> PacedDescent:
    """theta <- theta - (`share` / bound) grad L from `start` (B, P): at most `steps` steps.

    share: one number or (B,); below 2 the loss falls where the bound holds along the step.   A run whose loss is at
    most `target_loss` has converged and stays where it is.   Raises `InvalidInput` where no loss is finite.
    """
    theta = real_tensor("start", start, ndim=2).clone()
    limit, goal = (
        positive_integer("steps", steps),
        positive_number("target_loss", target_loss),
    )
    pace = real_tensor("share", share).to(theta)
    loss, gradient, bound = objective(theta)
    for step in range(limit):
        moving = ~(loss <= goal)
        if step % 20 == 0 and not bool(moving.any()):
            return PacedDescent(theta, loss, ~moving, step)
        theta = theta - (moving * pace / bound)[:, None] * gradient
        loss, gradient, bound = objective(theta)
    if not bool(torch.isfinite(loss).any()):
        raise InvalidInput(
            f"the loss is not finite after {limit} steps. Take a smaller share."
        )
    return PacedDescent(theta, loss, loss <= goal, limit)
