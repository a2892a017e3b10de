"""Minibatch SGD with momentum for a batch of independent runs, each stopped on its own event."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.trajectory import CONVERGED, NOT_FINITE, step_limit, wall_limit
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_number,
    real_tensor,
)


@dataclass(frozen=True)
class SGDRun:
    """Where SGD ended, for a batch of B runs.

    theta (B, P); steps (B,), the number of minibatches used.
    status: for each run `converged` (its event came), a limit, or `state not finite`, in the words of
    `ibcore.dynamics.trajectory`.
    """

    theta: Tensor
    steps: Tensor
    status: tuple[str, ...]

    @property
    def fits(self) -> Tensor:
        """True for the runs whose event came, (B,)."""
        return torch.tensor(
            [word == CONVERGED for word in self.status], device=self.theta.device
        )


@threads()
def sgd(
    gradient: Callable[[Tensor, Tensor, Tensor], Tensor],
    done: Callable[[Tensor, Tensor], Tensor],
    theta: Tensor,
    *,
    samples: int,
    batch_size: int,
    step_size: float,
    momentum: float,
    generator: torch.Generator,
    max_steps: int,
    max_seconds: float = 600.0,
) -> SGDRun:
    """Heavy-ball SGD, v <- momentum v - step_size g, theta <- theta + v, in epochs over `samples` rows.

    gradient(theta, runs, rows): the gradient (A, P) of the A unfinished runs with indices `runs`
    (A,), each on its own minibatch `rows` (A, batch_size). done(theta, runs): booleans (A,), asked
    before the first step and after every epoch; a run that is done is frozen. Every run visits its
    rows in its own order, drawn afresh each epoch with the CPU `generator`; rows beyond the last
    full minibatch are left out of that epoch.

    Raises `InvalidInput` for a batch larger than the samples or a momentum outside [0, 1).
    """
    positive_number("step_size", step_size)
    max_seconds = positive_number("max_seconds", max_seconds, infinite=True)
    max_steps = positive_integer("max_steps", max_steps)
    if not 0 <= real_number("momentum", momentum) < 1:
        raise InvalidInput(
            f"momentum is {momentum!r}, expected a number from 0 up to but not including 1."
        )
    if not positive_integer("batch_size", batch_size) <= positive_integer(
        "samples", samples
    ):
        raise InvalidInput(
            f"batch_size is {batch_size}, expected at most the {samples} samples. Make it smaller."
        )
    theta = real_tensor("theta", theta, ndim=2).clone()
    velocity = torch.zeros_like(theta)
    steps = torch.zeros(len(theta), dtype=torch.int64, device=theta.device)
    words, runs = (
        [step_limit(max_steps)] * len(theta),
        torch.arange(len(theta), device=theta.device),
    )
    started, taken = time.monotonic(), 0
    while True:
        ended = done(theta[runs], runs)
        for run in runs[ended].tolist():
            words[run] = CONVERGED
        lost = ~ended & ~theta[runs].isfinite().all(-1)
        for run in runs[lost].tolist():
            words[run] = NOT_FINITE
        runs = runs[~ended & ~lost]
        late = time.monotonic() - started > max_seconds
        if late or len(runs) == 0 or taken >= max_steps:
            break
        orders = (
            torch.rand(len(theta), samples, generator=generator)
            .argsort(-1)
            .to(theta.device)
        )
        for start in range(0, samples - batch_size + 1, batch_size):
            rows = orders[runs, start : start + batch_size]
            velocity[runs] = momentum * velocity[runs] - step_size * gradient(
                theta[runs], runs, rows
            )
            theta[runs] += velocity[runs]
            taken += 1
            steps[runs] += 1
    for run in runs.tolist() if late else ():
        words[run] = wall_limit(max_seconds)
    return SGDRun(theta, steps, tuple(words))
