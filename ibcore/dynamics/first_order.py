"""Gradient descent and Adam on a batch of independent problems, from a function that gives loss and gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

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

Objective = Callable[[Tensor], tuple[Tensor, Tensor]]
"""theta (B, P) -> loss (B,) and its gradient (B, P)."""


@dataclass(frozen=True)
class Descent:
    """Where B independent runs ended: theta (B, P), loss (B,) there, the steps taken, and what ended each of them.

    status: `converged`, a limit, or `state not finite`, in the words of `ibcore.dynamics.trajectory`.
    """

    theta: Tensor
    loss: Tensor
    steps: int
    status: tuple[str, ...]


class _Rule(Protocol):
    def __call__(self, theta: Tensor, gradient: Tensor, step: int) -> Tensor: ...


@threads()
def gradient_descent(
    objective: Objective,
    start: Tensor,
    step_size: Tensor | float,
    *,
    steps: int,
    gradient_tolerance: float = 0.0,
) -> Descent:
    """theta <- theta - eta grad L(theta) from `start` (B, P), at most `steps` times.

    step_size: eta, one number or (B,).   Ends early once every gradient is shorter than
    `gradient_tolerance`.   Raises `InvalidInput` for a step size that is not positive, and where no run has a
    finite loss any more.
    """
    start = real_tensor("start", start, ndim=2)
    eta = real_tensor(
        "step_size", torch.as_tensor(step_size, dtype=start.dtype, device=start.device)
    )
    if not bool((eta > 0).all()):
        raise InvalidInput(
            f"step_size has the smallest entry {float(eta.min()):g}, expected numbers above 0."
        )
    rule: _Rule = lambda theta, gradient, step: theta - eta.reshape(-1, 1) * gradient  # noqa: E731, ARG005
    return _run(
        objective,
        start,
        rule,
        steps,
        lambda _, gradient: (
            torch.linalg.vector_norm(gradient, dim=-1) <= gradient_tolerance
        ),
    )


@threads()
def adam(
    objective: Objective,
    start: Tensor,
    step_size: float,
    *,
    steps: int,
    target_loss: float = 0.0,
) -> Descent:
    """Adam (Kingma and Ba 2015) from `start` (B, P), its step size falling to 0 along half a cosine in `steps` steps.

    beta = (0.9, 0.999), epsilon = 1e-8.   Ends early once every loss is at most `target_loss`.
    """
    start = real_tensor("start", start, ndim=2)
    state = _Adam(
        start, positive_number("step_size", step_size), positive_integer("steps", steps)
    )
    return _run(
        objective,
        start,
        state,
        steps,
        lambda loss, _: loss <= target_loss,
    )


def _run(
    objective: Objective,
    start: Tensor,
    rule: _Rule,
    steps: int,
    done: Callable[[Tensor, Tensor], Tensor],
) -> Descent:
    theta, limit = start, positive_integer("steps", steps)
    for step in range(limit + 1):
        loss, gradient = objective(theta)
        lost = ~torch.isfinite(loss)
        if bool(lost.all()):
            raise InvalidInput(
                f"the loss is not finite after {step} steps. Take a smaller step size."
            )
        ended = done(loss, gradient) & ~lost
        if step == limit or bool((ended | lost).all()):
            break
        theta = rule(theta, gradient, step)
    words = (
        NOT_FINITE if bad else CONVERGED if good else step_limit(limit)
        for good, bad in zip(ended.tolist(), lost.tolist(), strict=True)
    )
    return Descent(theta, loss, step, tuple(words))


class _Adam:
    def __init__(self, start: Tensor, step_size: float, steps: int) -> None:
        self.mean, self.square = torch.zeros_like(start), torch.zeros_like(start)
        self.step_size, self.steps = step_size, steps

    def __call__(self, theta: Tensor, gradient: Tensor, step: int) -> Tensor:
        self.mean.lerp_(gradient, 0.1)
        self.square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        scale = (self.square / (1 - 0.999 ** (step + 1))).sqrt_().add_(1e-8)
        eta = self.step_size * (1 + math.cos(math.pi * step / self.steps)) / 2
        return torch.addcdiv(
            theta, self.mean, scale, value=-eta / (1 - 0.9 ** (step + 1))
        )
