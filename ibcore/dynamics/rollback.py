"""Gradient descent with steps over the loss, in which a step that raises the loss is taken back."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ibcore.dynamics.protocols import Model, TailLoss, pullback, starting_point
from ibcore.dynamics.trajectory import (
    NOT_FINITE,
    PASSED,
    REACHED,
    Trajectory,
    passed_message,
    step_limit,
    wall_limit,
)
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_number,
)


@threads()
def descend_with_rollback(
    model: Model,
    loss: TailLoss,
    theta: Tensor,
    *,
    log_loss: Sequence[float],
    multiplier: float = 0.1,
    grow: float = 2**0.2,
    shrink: float = 2**0.1,
    max_steps: int = 10**6,
    max_seconds: float = 300.0,
) -> Trajectory:
    """theta <- theta - a_k grad L / L for B runs, until log L has fallen below each of the `log_loss` levels.

    A step that lowers the loss is kept and multiplies a by `grow`; one that does not is taken back and
    divides a by `shrink`; every run has its own a, `multiplier` at first. In the manner of the loss-based
    learning rate of Lyu and Li (2020). The states are those after the first step below each level; a run that is
    below its last one stands still, whatever the others do.
    Raises `InvalidInput` for levels that do not fall, or that every start has passed, and factors of at most 1.
    """
    theta = starting_point(model, theta).clone()
    levels = [real_number("log_loss", level) for level in log_loss]
    if not levels or any(b >= a for a, b in pairwise(levels)):
        raise InvalidInput(
            f"log_loss is {levels[:6]}, expected a falling list of levels."
        )
    if not min(real_number("grow", grow), real_number("shrink", shrink)) > 1:
        raise InvalidInput(
            f"grow and shrink are {grow!r} and {shrink!r}, expected numbers above 1."
        )
    began, B = time.perf_counter(), len(theta)
    log_a = theta.new_full((B,), math.log(positive_number("multiplier", multiplier)))
    log_time, taken, refused = (
        theta.new_full((B,), -torch.inf),
        torch.zeros_like(log_a),
        torch.zeros_like(log_a),
    )
    kept = theta.new_full((4, len(levels), B), torch.nan)
    states = theta.new_full((len(levels), *theta.shape), torch.nan)
    log_now, slope = _point(model, loss, theta)
    targets = theta.new_tensor(levels)
    passed = log_now < targets[-1]
    if bool(passed.all()):
        raise InvalidInput(passed_message(levels[-1], float(log_now.max())))
    lost, limit = (
        ~log_now.isfinite(),
        step_limit(positive_integer("max_steps", max_steps)),
    )
    max_seconds = positive_number("max_seconds", max_seconds, infinite=True)
    for step in range(max_steps + 1):
        new = (log_now <= targets[:, None]) & kept[0].isnan()
        states = torch.where(new[..., None], theta, states)
        seconds = torch.full_like(log_now, time.perf_counter() - began)
        kept = torch.where(
            new,
            torch.stack([log_now, log_time, taken + refused, seconds])[:, None],
            kept,
        )
        running = kept[0, -1].isnan() & ~lost
        if not bool(running.any()):
            break
        if time.perf_counter() - began > max_seconds:
            limit = wall_limit(max_seconds)
            break
        if step < max_steps:
            trial = theta + torch.exp(log_a)[:, None] * slope
            log_trial, slope_trial = _point(model, loss, trial)
            good = (log_trial < log_now) & running
            log_time = torch.where(
                good, torch.logaddexp(log_time, log_a - log_now), log_time
            )
            theta, slope = (
                torch.where(good[:, None], a, b)
                for a, b in ((trial, theta), (slope_trial, slope))
            )
            log_now, taken, refused = (
                torch.where(good, log_trial, log_now),
                taken + good,
                refused + (running & ~good),
            )
            log_a = log_a + torch.where(good, math.log(grow), -math.log(shrink))
    return Trajectory(
        states,
        kept[0],
        kept[1],
        _status(kept[0, -1], passed, lost, limit),
        taken.long(),
        refused.long(),
        (taken + refused).long(),
        kept[2],
        kept[3],
    )


def _status(last: Tensor, passed: Tensor, lost: Tensor, limit: str) -> tuple[str, ...]:
    words = []
    for unmet, early, broken in zip(last.isnan(), passed, lost, strict=True):
        word = limit if bool(unmet) else PASSED if bool(early) else REACHED
        words.append(NOT_FINITE if bool(broken) else word)
    return tuple(words)


def _point(model: Model, loss: TailLoss, theta: Tensor) -> tuple[Tensor, Tensor]:
    """log L (B,) and -grad L / L (B, P)."""
    margins = model.outputs(theta)
    log_loss = torch.logsumexp(loss.log_value(margins), -1) - math.log(
        margins.shape[-1]
    )
    weights = torch.exp(loss.log_slope(margins) - log_loss[:, None]) / margins.shape[-1]
    return log_loss, pullback(model, theta, weights)
