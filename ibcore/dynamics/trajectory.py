"""What a gradient method leaves behind: its states at the requested stops, and why it
ended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

# Why runs end, for every method of this folder. A status is one of these, or begins
# with one and goes on in words.
REACHED = "reached the last stop"
CONVERGED = "converged"  # the loss fell to its target, or the event of the run came
PASSED = "the last stop was passed at the start"
STATIONARY = "stationary at a positive loss"
STALLED = "stalled"  # no motion of the parameters changes the residual any more
STEP_LIMIT = "step limit"
WALL_LIMIT = "wall-clock limit"
UNDERFLOW = "step size below rounding"
NOT_FINITE = "state not finite"
LOSS_ROSE = "loss rose"
NO_EVENT = "the event did not come"
BROKE_DOWN = "member broke down"


def step_limit(steps: int) -> str:
    """The status of a run that took all the steps it had."""
    return f"{STEP_LIMIT} of {steps}"


def wall_limit(seconds: float) -> str:
    """The status of a run whose time was over."""
    return f"{WALL_LIMIT} of {seconds:g} s"


def broke_down(reason: str) -> str:
    """The status of a member that could not go on while others of its batch did."""
    return f"{BROKE_DOWN}: {reason}"


def stationary(log_loss: float) -> str:
    """The status of a run whose gradient vanished before its loss did."""
    return (
        f"{STATIONARY}, log L = {log_loss:.6g}: the data are not separable, the point "
        "is a saddle as zero is, or no neuron sees the data"
    )


def stationary_to(tolerance: float, limit: str) -> str:
    """The status of a run that met its `limit` where its gradient was below
    `tolerance`.
    """
    return f"{STATIONARY} to {tolerance:g}; {limit}"


def passed_message(stop: float, start: float) -> str:
    """What to say where every run starts below the last of its stops of log L."""
    hint = f", for a loss of {stop:g} log_loss={math.log(stop):.4g}" if stop > 0 else ""
    return (
        f"log_loss has its last stop at {stop:g}, but log L is {start:g} at the start "
        f"already. Pass natural logarithms of lower losses{hint}."
    )


@dataclass(frozen=True)
class Trajectory:
    """States of B independent runs at K stops; a stop that a run did not reach holds
    NaN.

    theta: (K, B, P) parameters.      log_loss, log_time: (K, B), natural logarithms.
    status: why each run ended, in the words of this module.
    steps, rejected, evaluations: (B,) counts of accepted steps, rejected steps and
    gradient evaluations at the end.
    work: (K, B) evaluations up to each stop.
    seconds: (K, B) wall clock up to each stop; runs in a batch share their clock.
    drift: largest relative change of each monitored invariant over the run, (B,) each.
    """

    theta: Tensor
    log_loss: Tensor
    log_time: Tensor
    status: tuple[str, ...]
    steps: Tensor
    rejected: Tensor
    evaluations: Tensor
    work: Tensor
    seconds: Tensor
    drift: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Every run came to its last stop."""
        return all(status == REACHED for status in self.status)


class Ended(Protocol):
    """Runs of any method of this folder."""

    @property
    def status(self) -> tuple[str, ...]:
        """Why each run ended."""


def early_ends(name: str, *runs: Ended) -> tuple[str, ...]:
    """Why members of `runs` ended before their last stop, each after `name`; their
    states from there on are NaN.
    """
    return tuple(
        f"{name}: {status}"
        for run in runs
        for status in run.status
        if status != REACHED
    )
