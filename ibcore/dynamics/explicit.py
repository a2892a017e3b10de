"""The one loop of explicit methods: an objective, a pace, a direction and stops, for a
batch of members.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ibcore.dynamics.batches import Rows
from ibcore.dynamics.directions import Direction, Gradient, State
from ibcore.dynamics.members import joined, rows, select, where
from ibcore.dynamics.paces import Pace
from ibcore.dynamics.recorder import Ends, Recorder
from ibcore.dynamics.step_stops import StepStops
from ibcore.dynamics.trajectory import (
    CONVERGED,
    NOT_FINITE,
    PASSED,
    REACHED,
    Trajectory,
    step_limit,
    wall_limit,
)
from ibcore.threads import threads
from ibcore.validation import (
    positive_integer,
    positive_number,
)

_PENDING = 100  # step sizes gathered before they are added to log t

Watch = Callable[[Any, Tensor], Tensor]
"""A point of A members and their indices (A,) in the batch -> what is watched there, (A, ...)."""


@dataclass(frozen=True)
class Run(Trajectory):
    """What `descend` leaves behind: a trajectory with the quantities watched at its
    stops, and its end.

    watched: (K, B, ...) each, NaN at stops that were not reached.
    last, last_log_loss: (B, P) and (B,), the parameters of every member when it ended,
    and log L there.
    memory: what the direction remembered of every member then.
    """

    watched: Mapping[str, Tensor] = field(default_factory=dict)
    last: Tensor = field(default_factory=lambda: torch.empty(0))
    last_log_loss: Tensor = field(default_factory=lambda: torch.empty(0))
    memory: State = ()

    @property
    def arrived(self) -> Tensor:
        """Which members came to their last stop, (B,)."""
        return self._ended(REACHED, PASSED)

    @property
    def converged(self) -> Tensor:
        """The members whose event came, (B,)."""
        return self._ended(CONVERGED)

    def _ended(self, *words: str) -> Tensor:
        ended = [word in words for word in self.status]
        return torch.tensor(ended, device=self.last.device)


@threads()
def descend(
    objective: Any,
    theta: object,
    pace: Pace,
    *,
    steps: Sequence[int] | None = None,
    log_loss: Sequence[float] | None = None,
    direction: Direction | None = None,
    batches: Rows | None = None,
    label_noise: Callable[[tuple[int, ...]], Tensor] | None = None,
    until: Callable[[Any], Tensor] | None = None,
    ask_every: int = 1,
    watch: Mapping[str, Watch] | None = None,
    recall: Mapping[str, Callable[[State], Tensor]] | None = None,
    max_steps: int | None = None,
    max_seconds: float = 300.0,
) -> Run:
    """theta <- theta + D(-grad L(theta)) for B members at once, each recorded at its
    stops.

    objective: an `Objective`, or a `FunctionObjective`.
    theta: (B, P), where the members start.
    pace: step sizes, and which steps are kept, such as `constant`.
    direction: D, a map of `ibcore.dynamics.directions`; without one the gradient.

    The stops are numbers of `steps`, tried or taken, that rise, or levels of `log_loss`
    that fall; a member is recorded the first time it is at or below a level. It ends at
    its last stop, where `until` (a point -> (A,)) says so, which is asked before the
    first and after `ask_every` steps each, and where it is no longer finite; it is then
    frozen, and nothing is computed for it any more. With `until` there may be no stops.

    batches: the examples of every gradient; pace, `until` and watched quantities see
    all examples.
    label_noise: draws noise of the shape (B, b) of the targets of a gradient, new at
    every step.
    watch, recall: what is computed at the stops besides, of the point and of the
    direction's memory.
    max_steps, max_seconds: limits of the whole batch; without max_steps there are as
    many as `steps` says, and a million for levels and without stops.

    Raises `InvalidInput` for stops of both kinds or none, stops out of order, levels
    that are losses and not their logarithms, and a start that does not fit the model or
    is not finite.

    On (w - 1)^2 a step of 1/4 halves the error (Cauchy 1847):

    >>> import torch
    >>> from ibcore import Linear, Objective, Square, constant, descend
    >>> objective = Objective(Linear([[1.0]]), Square(), torch.ones(1).double())
    >>> descend(objective, [[0.0]], constant(0.25), steps=[1, 2, 3]).theta.flatten()
    tensor([0.5000, 0.7500, 0.8750], dtype=torch.float64)
    """
    stops = StepStops.checked(steps, log_loss, max_steps, needed=until is None)
    ask_every = positive_integer("ask_every", ask_every)
    max_seconds = positive_number("max_seconds", max_seconds, infinite=True)
    start = objective.begin(theta)
    stops.look(start)
    draw = _gradients(objective, len(start.theta), batches, label_noise)
    looks = _Looks(watch or {}, recall or {})
    loop = _Loop(start, pace, direction or Gradient(), stops, looks)
    while loop.running:
        loop.drop()
        loop.record()
        loop.end(until if loop.step % ask_every == 0 else None)
        if not loop.running:
            break
        if loop.step == stops.limit:
            loop.halt(step_limit(stops.limit))
        elif loop.recorder.seconds > max_seconds:
            loop.halt(wall_limit(max_seconds))
        else:
            loop.advance(draw(loop.point, loop.members))
    return loop.run()


def _gradients(
    objective: Any,
    members: int,
    batches: Rows | None,
    label_noise: Callable[[tuple[int, ...]], Tensor] | None,
) -> Callable[[Any, Tensor], tuple[Tensor, Tensor]]:
    """The negative gradient that a step sees, of a point and the indices of its
    members.
    """
    if batches is None and label_noise is None:
        return lambda point, _: point.slope
    rows: Iterator[Tensor] | None = None
    if batches is not None:
        rows = batches(members, objective.model.examples)

    def gradient(point: Any, active: Tensor) -> tuple[Tensor, Tensor]:
        seen = point.objective
        if rows is not None:
            chosen = next(rows).to(active.device)
            seen = seen.minibatch(chosen if chosen.ndim == 1 else chosen[active])
        if label_noise is not None:
            noise = label_noise((members, seen.model.examples))
            seen = seen.perturbed(noise.to(point.theta)[active])
        return seen.at(point.theta).slope

    return gradient


@dataclass(frozen=True)
class _Looks:
    """What is seen at a stop: of a point and its members, and of the direction's
    memory.
    """

    watch: Mapping[str, Watch]
    recall: Mapping[str, Callable[[State], Tensor]]

    def __call__(self, point: Any, members: Tensor, memory: State) -> dict[str, Tensor]:
        seen = {name: look(point, members) for name, look in self.watch.items()}
        return seen | {name: look(memory) for name, look in self.recall.items()}


class _Loop:
    """The members that still run, and the records of all."""

    def __init__(
        self,
        point: Any,
        pace: Pace,
        direction: Direction,
        stops: StepStops,
        looks: _Looks,
    ) -> None:
        theta = point.theta
        self.point, self.pace, self.direction = point, pace, direction
        self.stops, self.looks, self.step, self.stop = stops, looks, 0, 0
        self.members, self.running = torch.arange(len(theta)).to(theta.device), True
        self.pace_state, self.memory = pace.begin(point), direction.begin(theta)
        self.log_time = theta.new_full(theta.shape[:1], -torch.inf)
        self.pending: list[Tensor] = []
        self.rejected = torch.zeros_like(self.members)
        names = "log_loss", "log_time", "work"
        like = {"theta": theta, **dict.fromkeys(names, self.log_time)}
        values = theta.new_tensor(stops.values)
        self.recorder = Recorder(-values if stops.levels else values, like)
        self.ends = Ends(theta)
        self.steps = torch.zeros_like(self.members)
        self.refused = torch.zeros_like(self.members)
        self.places = rows(self.memory)
        self.memories: list[tuple[State, State]] = []
        self.last = theta.clone()
        self.last_loss = torch.full_like(self.log_time, torch.nan)
        self._aim()

    def _settle_clock(self) -> None:
        """Add the steps since the last time to log t."""
        if self.pending:
            steps = [log_step.expand_as(self.log_time) for log_step in self.pending]
            self.log_time = torch.logsumexp(torch.stack([self.log_time, *steps]), 0)
            self.pending = []

    def record(self) -> None:
        """Keep the members that are at a stop; those that are at several are kept at
        each.
        """
        if not self.running or not self.stops.values:
            return
        if self.stops.levels:
            while bool((met := self.point.log_loss <= self.level).any()):
                self._keep(met.nonzero()[:, 0])
                self._aim()
        elif self.step == self.stops.values[self.stop]:
            self._keep(torch.arange(len(self.members), device=self.members.device))
            self.stop += 1

    def _aim(self) -> None:
        """Look up the next level of every member that runs, (A,), NaN where none is."""
        if self.stops.levels:
            recorder = self.recorder
            level = torch.where(recorder.pending, -recorder.target, torch.nan)
            self.level = level[self.members]

    def _keep(self, which: Tensor) -> None:
        self._settle_clock()
        members, memory = self.members[which], ()
        point = (
            self.point if len(which) == len(self.members) else self.point.select(which)
        )
        if self.looks.recall:
            memory = self.direction.select(self.memory, which)[1]
        values = {
            "theta": point.theta,
            "log_loss": point.log_loss,
            "log_time": self.log_time[which],
            "work": float(self.step),
        }
        seen = self.looks(point, members, memory)
        self.recorder.keep_rows(members, values, seen)

    def drop(self) -> None:
        """End members that are not finite, and those whose loss is not where a pace
        compares it.
        """
        if not math.isfinite(float(self.point.theta.sum())):
            self._freeze(~self.point.theta.isfinite().all(-1), NOT_FINITE)
        if self.running and not self.pace.open:
            self._freeze(~(self.point.log_loss < torch.inf), NOT_FINITE)

    def end(self, until: Callable[[Any], Tensor] | None) -> None:
        """End members at their last stop and at their event."""
        if self.stops.levels and self.running:
            self._freeze(self.level.isnan(), PASSED if self.step == 0 else REACHED)
        elif self.running and 0 < self.stop == len(self.stops.values):
            self.halt(REACHED)
        if until is not None and self.running:
            self._freeze(until(self.point), CONVERGED)

    def halt(self, word: str) -> None:
        """End all that still run."""
        self._freeze(torch.ones_like(self.members, dtype=torch.bool), word)

    def _freeze(self, ended: Tensor, word: str) -> None:
        if not bool(ended.any()):
            return
        self._settle_clock()
        gone, kept = self.members[ended], (~ended).nonzero()[:, 0]
        self.ends.end_rows(gone, word)
        self.last[gone] = self.point.theta[ended]
        self.last_loss[gone] = self.point.log_loss[ended]
        self.refused[gone] = self.rejected[ended]
        self.steps[gone] = self.step - self.rejected[ended]
        left = ended.nonzero()[:, 0]
        memory, places = (
            self.direction.select(part, left)[1] for part in (self.memory, self.places)
        )
        self.memories.append((memory, places))
        if len(kept) == 0:
            self.running = False
            return
        self.point, self.pace = self.point.select(kept), self.pace.select(kept)
        _, self.places = self.direction.select(self.places, kept)
        self.direction, self.memory = self.direction.select(self.memory, kept)
        self.pace_state = select(self.pace_state, kept)
        self.members, self.log_time, self.rejected = select(
            (self.members, self.log_time, self.rejected), kept
        )
        self._aim()

    def advance(self, slope: tuple[Tensor, Tensor]) -> None:
        """One step, kept or not, of all that run."""
        log_step = self.pace.log_step(self.step, self.point, self.pace_state)
        update, memory = self.direction(*slope, log_step, self.memory)
        trial = self.point.objective.at(self.point.theta + update)
        self.step += 1
        if self.pace.open:
            self.point, self.memory = trial, memory
            self.pending.append(log_step)
            if len(self.pending) == _PENDING:
                self._settle_clock()
            return
        log_time = torch.logaddexp(self.log_time, log_step)
        good, self.pace_state = self.pace.judge(self.point, trial, self.pace_state)
        if bool(good.all()):
            self.point, self.memory, self.log_time = trial, memory, log_time
            return
        old = (
            self.direction.begin(self.point.theta) if self.pace.restart else self.memory
        )
        self.memory, self.log_time = where(
            good, (memory, log_time), (old, self.log_time)
        )
        self.point = trial.where(good, self.point)
        self.rejected += ~good

    def run(self) -> Run:
        return Run(
            **self.recorder.kept,
            status=self.ends.status,
            steps=self.steps,
            rejected=self.refused,
            evaluations=self.steps + self.refused,
            drift={},
            watched=self.recorder.seen,
            last=self.last,
            last_log_loss=self.last_loss,
            memory=joined(*zip(*self.memories, strict=True)),
        )
