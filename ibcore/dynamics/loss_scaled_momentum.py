"""Full-batch descent with loss-scaled steps and momentum for a batch of networks, each frozen at its own stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ibcore.dynamics.trajectory import REACHED, STEP_LIMIT
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_number,
)

_RISE = 1.5
Gradient = Callable[[list[Tensor]], tuple[Tensor, list[Tensor]]]


@dataclass(frozen=True)
class Snapshots:
    """Weights of every network at the first step where its loss was at most each of the K levels.

    weights: a tuple over levels of lists of tensors (B, ...).      steps: (K, B), -1 where a level was not reached.
    """

    weights: tuple[list[Tensor], ...]
    steps: Tensor

    @property
    def status(self) -> tuple[str, ...]:
        """Why each network ended: it reached the last level, or not within the steps it had."""
        met = (self.steps[-1] >= 0).tolist()
        return tuple(REACHED if done else STEP_LIMIT for done in met)

    @property
    def reached(self) -> bool:
        return bool((self.steps >= 0).all())


@threads()
def descend_to_levels(
    gradient: Gradient,
    weights: Sequence[Tensor],
    levels: Sequence[float],
    *,
    step_size: float = 0.1,
    momentum: float = 0.9,
    max_steps: int = 3000,
) -> Snapshots:
    """v <- momentum v - step_size g / L,  A <- A + v, until the loss L of every network is at most the last level.

    gradient: maps weights to losses (B,) and gradients, shaped as the weights. Dividing by L makes up for the slope
    of the cross entropy, which falls with it; a step after which the loss has risen by half is taken back, and goes on
    at half the step size without momentum (Lyu and Li 2020). Raises `InvalidInput` for levels that do not fall.
    """
    positive_number("step_size", step_size)
    max_steps = positive_integer("max_steps", max_steps)
    if not 0 <= real_number("momentum", momentum) < 1:
        raise InvalidInput(
            f"momentum is {momentum!r}, expected a number from 0 up to but not including 1."
        )
    if not levels or levels[-1] <= 0 or any(b >= a for a, b in pairwise(levels)):
        raise InvalidInput(
            f"levels are {list(levels)}, expected positive losses that fall. Sort them."
        )
    state = [matrix.clone() for matrix in weights]
    velocity = [torch.zeros_like(matrix) for matrix in state]
    before, slopes_before = state, velocity
    loss_before = torch.full(
        (len(state[0]),), torch.inf, dtype=state[0].dtype, device=state[0].device
    )
    rate = torch.full_like(loss_before, step_size)
    kept = tuple([torch.zeros_like(matrix) for matrix in state] for _ in levels)
    steps = torch.full((len(levels), len(state[0])), -1, device=state[0].device)
    for step in range(max_steps + 1):
        loss, slopes = gradient(state)
        back = ~(loss <= _RISE * loss_before)
        loss = torch.where(back, loss_before, loss)
        rate = torch.where(back, rate / 2, rate)
        state, slopes = _where(back, before, state), _where(back, slopes_before, slopes)
        velocity = _where(back, [torch.zeros_like(v) for v in velocity], velocity)
        for k, level in enumerate(levels):
            fresh = (loss <= level) & (steps[k] < 0)
            steps[k][fresh] = step
            for copy, matrix in zip(kept[k], state, strict=True):
                copy[fresh] = matrix[fresh]
        running = steps[-1] < 0
        if not bool(running.any()):
            break
        before, slopes_before, loss_before = state, slopes, loss
        scale = (rate / loss.clamp_min(levels[-1] / 2))[:, None, None]
        velocity = [
            momentum * v - scale * g for v, g in zip(velocity, slopes, strict=True)
        ]
        state = _where(
            running, [a + v for a, v in zip(state, velocity, strict=True)], state
        )
    return Snapshots(kept, steps)


def _where(chosen: Tensor, yes: Sequence[Tensor], no: Sequence[Tensor]) -> list[Tensor]:
    """Members `chosen` (B,) of the first list, the others of the second."""
    return [
        torch.where(chosen[:, None, None], a, b) for a, b in zip(yes, no, strict=True)
    ]
