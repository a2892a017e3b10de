"""A batch of runs in log-time: steps of every member, phases, stops and ends. See
`ibcore.dynamics.log_time`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.dynamics.log_time_phases import EXPLICIT, PROX_LINEAR, ROSENBROCK, Phase
from ibcore.dynamics.protocols import Model, TailLoss
from ibcore.dynamics.recorder import Drift, Ends, Recorder, Stops
from ibcore.dynamics.rest import faint, newton, vanished
from ibcore.dynamics.scaled_field import (
    Point,
    evaluate,
    log_duration,
    stepped_doubt,
    stiffness,
)
from ibcore.dynamics.trajectory import (
    NOT_FINITE,
    PASSED,
    REACHED,
    UNDERFLOW,
    Trajectory,
    broke_down,
    passed_message,
    stationary,
    stationary_to,
    step_limit,
    wall_limit,
)
from ibcore.validation import (
    InvalidInput,
)

_STABLE = 6.0  # step times spectral radius beyond which stability, not accuracy, limits the explicit method
_TAIL = (
    30.0  # margins beyond which logistic and exponential loss agree to double precision
)
_SAFETY, _SHRINK = 0.9, 0.2
_PATIENCE = 500  # steps after which refusals of a linear model by the error of log t are looked into
_CLOSE = 1e-6  # losses whose logarithms differ by less are not told apart at rest
_OTHER = "the error of log t kept the steps short, where scipy_flow may go on"
_OUT_OF_RANGE = broke_down("its squared gradient is out of range; rescale the inputs")
_REST = 100  # steps between two looks at whether a linear model has come to rest
_TIME_ORDER = 4
ROUNDING = (
    32  # neither the landing nor the tolerance is finer than this many machine epsilons
)


@dataclass(frozen=True)
class Limits:
    """What a step may err by, and how many steps and seconds there are."""

    tolerance: float
    implicit_tolerance: float
    max_steps: int
    max_seconds: float


class Batch:
    """The state of one batch of runs; every tensor has the batch as its first
    dimension.
    """

    def __init__(
        self, model: Model, loss: TailLoss, stops: Stops, limits: Limits
    ) -> None:
        self.model, self.loss = model, loss
        self.stops, self.limits = stops, limits

    def integrate(
        self,
        theta: Tensor,
        method: str,
        invariants: Mapping[str, Callable[[Tensor], Tensor]],
    ) -> Trajectory:
        self._start(theta)
        self.drift = Drift(invariants, theta)
        rounds = 0
        stiff = torch.full_like(self.active, method == "stiff")
        stiff_phase = ROSENBROCK if self.model.linear else PROX_LINEAR
        while bool(self.active.any()) and self._within_limits():
            rounds += 1
            if rounds % _REST == 0:
                self._come_to_rest()
            if method == "auto":
                stiff |= self._grown_stiff()
            for chosen, phase in (
                (self.active & ~stiff, EXPLICIT),
                (self.active & stiff, stiff_phase),
            ):
                if bool(chosen.any()):
                    self._advance(phase, chosen)
        return self._trajectory()

    @property
    def active(self) -> Tensor:
        """Members that still run, (B,)."""
        return self.ends.active

    def _grown_stiff(self) -> Tensor:
        if self.model.linear:
            return self.h * stiffness(self.loss, self.point) >= _STABLE
        margins = self.point.margins
        exponential = self.loss.log_slope_rate(margins) <= -1 + 1e-12
        return ((margins >= _TAIL) & exponential).all(-1)

    def _start(self, theta: Tensor) -> None:
        batch = len(theta)
        self.point = evaluate(self.model, self.loss, theta)
        self.log_time = theta.new_full((batch,), -torch.inf)
        self.h = 0.01 / (1e-300 + self.point.field.square().sum(-1))
        self.limit = torch.full_like(self.h, torch.inf)
        self.ends = Ends(theta, step_limit(self.limits.max_steps))
        self.refused = torch.zeros_like(self.active)  # no growth right after a refusal
        self.held = torch.zeros_like(self.h)  # steps that only log t refused
        self.steps, self.rejected, self.evaluations = (
            torch.zeros(batch, dtype=torch.long, device=theta.device) for _ in range(3)
        )
        self.recorder = Recorder(self.stops.values, self._values())
        self.ends.end(~torch.isfinite(self.point.field).all(-1), NOT_FINITE)
        passed = self._passed()
        self._keep(self.active, EXPLICIT)
        self.ends.say(passed, PASSED)
        self._rest(self.active & vanished(self.point))
        squared = self.point.field.square().sum(-1)
        self.ends.end((squared == 0) | ~squared.isfinite(), _OUT_OF_RANGE)

    def _values(self) -> dict[str, Tensor]:
        """What is kept of every member at a stop."""
        return {
            "theta": self.point.theta,
            "log_loss": self.point.log_loss,
            "log_time": self.log_time,
            "work": self.evaluations,
        }

    def _passed(self) -> Tensor:
        """Members that start beyond their last stop; where all do, the stops are no
        logarithms.
        """
        if self.stops.by_time:
            return torch.zeros_like(self.active)
        last, here = self.stops.values[-1], -self.point.log_loss
        passed = self.active & (here > last + _near(last, EXPLICIT.landing))
        if bool(passed.all()):
            raise InvalidInput(passed_message(-float(last), -float(here.min())))
        return passed

    def _within_limits(self) -> bool:
        late = self.recorder.seconds > self.limits.max_seconds
        spent = self.steps + self.rejected >= self.limits.max_steps
        self._end_at_limit(torch.ones_like(spent) if late else spent, late=late)
        return bool(self.active.any())

    def _end_at_limit(self, members: Tensor, *, late: bool) -> None:
        members = members & self.active
        if not bool(members.any()):
            return
        self._come_to_rest()
        members = members & self.active
        limits = self.limits
        word = wall_limit(limits.max_seconds) if late else step_limit(limits.max_steps)
        if self.model.linear:
            slowed = members & (2 * self.held > self.rejected)
            self.ends.end(slowed, f"{word}; {_OTHER}")
        else:
            resting = stationary_to(limits.tolerance, word)
            self.ends.end(members & faint(self.point, limits.tolerance), resting)
        self.ends.end(members, word)

    def _come_to_rest(self) -> None:
        """End members whose gradient vanished, and linear ones that no step brings
        closer to a stop.
        """
        resting = vanished(self.point)
        if self.model.linear:
            resting |= self._at_least_loss()
        self._rest(self.active & resting)

    def _at_least_loss(self) -> Tensor:
        excess, step = newton(self.loss, self.point)
        if self.stops.by_time:
            size = 1 + self.point.theta.abs()
            short = (step.abs() <= self.limits.tolerance * size).all(-1)
            return short & excess.isfinite()
        ahead = self.recorder.target + self.point.log_loss
        return ahead > 10 * excess + _CLOSE

    def _rest(self, members: Tensor) -> None:
        """Their state stays as it is: later times have it, lower losses do not come."""
        if self.stops.by_time:
            self.ends.end(members, REACHED)
        else:
            levels = self.point.log_loss.tolist()
            self.ends.end_each(members, lambda i: stationary(levels[i]))
        while self.stops.by_time and bool((members & self.recorder.pending).any()):
            at_stop = {**self._values(), "log_time": self.recorder.target}
            self.recorder.keep(members, at_stop)

    def _advance(self, phase: Phase, chosen: Tensor) -> None:
        h = torch.minimum(self.h, self.limit)
        tolerance = (
            self.limits.implicit_tolerance if phase.coarse else self.limits.tolerance
        )
        theta, error, evaluations = phase.step(
            self.model, self.loss, self.point, torch.where(chosen, h, 0.0), tolerance
        )
        end = evaluate(
            self.model, self.loss, torch.where(chosen[:, None], theta, self.point.theta)
        )
        ends = self.point, end
        duration, doubt = log_duration(self.model, self.loss, *ends, h)
        log_time = torch.logaddexp(self.log_time, duration)
        if not phase.coarse:
            late = self._lateness(doubt, duration, log_time)
            held = chosen & (error <= 1) & (late > 1)
            self.held += held
            held &= self.model.linear & (self.steps + self.rejected > _PATIENCE)
            if bool(held.any()):
                doubt = stepped_doubt(phase.step, self.model, self.loss, ends, h)
                closer = self._lateness(doubt, duration, log_time)
                late = torch.where(held, torch.minimum(late, closer), late)
            error = torch.maximum(error, late ** (phase.order / _TIME_ORDER))
        finite = (
            torch.isfinite(error)
            & torch.isfinite(end.log_loss)
            & torch.isfinite(log_time)
            & torch.isfinite(end.field).all(-1)
        )
        slack = self.limits.tolerance * (1 + self.point.log_loss.abs())
        fits = finite & (error <= 1) & (end.log_loss <= self.point.log_loss + slack)
        overshoot = self._overshoots(end, log_time, h, chosen & fits, phase)
        accepted = chosen & fits & ~overshoot
        self.evaluations += chosen * evaluations
        self.steps += accepted
        self.rejected += chosen & ~accepted
        factor = (_SAFETY * error.clamp_min(1e-12) ** (-1 / phase.order)).clamp(
            _SHRINK, phase.growth
        )
        retry = torch.where(
            finite & (error > 1), factor.clamp(max=0.7), torch.full_like(factor, 0.3)
        )
        factor = torch.where(self.refused, factor.clamp(max=1.0), factor)
        factor = torch.where(fits, factor, retry)
        self.refused = torch.where(chosen, ~fits, self.refused)
        if phase.coarse:
            factor = torch.where(
                accepted,
                factor * self._time_scale(end) / self._time_scale(self.point),
                factor,
            )
        self._accept(end, log_time, accepted, phase)
        limited = accepted & (h < self.h)
        self.h = torch.where(chosen & ~overshoot & ~limited, h * factor, self.h)
        self._retire_stuck(h, chosen & ~accepted & ~overshoot)

    def _lateness(self, doubt: Tensor, duration: Tensor, log_time: Tensor) -> Tensor:
        """The error of log t that an error `doubt` of the duration makes, over what is
        allowed.
        """
        allowed = self.limits.tolerance * (1 + log_time.abs())
        return doubt * torch.exp(duration - log_time) / allowed

    @staticmethod
    def _time_scale(point: Point) -> Tensor:
        """|theta| / |d theta/ds|: a step is a share of it, however fast a homogeneous
        model grows.
        """
        return torch.linalg.vector_norm(point.theta, dim=-1) / torch.linalg.vector_norm(
            point.field, dim=-1
        )

    def _overshoots(
        self, end: Point, log_time: Tensor, h: Tensor, fits: Tensor, phase: Phase
    ) -> Tensor:
        """Members whose step passed their stop; their next step is shortened to land on
        it.
        """
        target = self.recorder.target
        here = self._progress(self.point, self.log_time)
        there = self._progress(end, log_time)
        over = fits & (there > target + _near(target, phase.landing))
        if phase.coarse:
            share = torch.log(target / here) / torch.log(there / here)
        else:
            share = torch.where(
                torch.isfinite(here),
                (target - here) / (there - here),
                torch.exp(target - there),
            )
        self.limit = torch.where(over, h * share.clamp(0.01, 1 - 1e-3), self.limit)
        return over

    def _accept(
        self, end: Point, log_time: Tensor, accepted: Tensor, phase: Phase
    ) -> None:
        merged = {}
        for name in vars(end):
            new, old = getattr(end, name), getattr(self.point, name)
            merged[name] = torch.where(
                accepted.view(-1, *[1] * (new.ndim - 1)), new, old
            )
        self.point = replace(end, **merged)
        self.log_time = torch.where(accepted, log_time, self.log_time)
        self.drift.watch(self.point.theta)
        self._keep(accepted, phase)

    def _keep(self, changed: Tensor, phase: Phase) -> None:
        """Record members that stand on their stop and aim the others' next step at
        theirs.
        """
        here = self._progress(self.point, self.log_time)
        done = self.recorder.keep_arrived(
            lambda stop: (
                changed & self.active & (here >= stop - _near(stop, phase.landing))
            ),
            self._values(),
        )
        self.ends.end(done, REACHED)
        target = self.recorder.target
        distance = here * torch.log(target / here) if phase.coarse else target - here
        ahead = distance / self._speed()
        near = torch.isfinite(ahead) & (ahead < self.h)
        self.limit = torch.where(
            changed,
            torch.where(near, ahead, torch.full_like(ahead, torch.inf)),
            self.limit,
        )

    def _progress(self, point: Point, log_time: Tensor) -> Tensor:
        """The variable of the stops."""
        return log_time if self.stops.by_time else -point.log_loss

    def _speed(self) -> Tensor:
        """Its derivative in s."""
        point = self.point
        if self.stops.by_time:
            return torch.exp(-point.log_slope - self.log_time)
        squared = point.field.square().sum(-1)
        return torch.exp(point.log_slope - point.log_loss) * squared

    def _retire_stuck(self, h: Tensor, refused: Tensor) -> None:
        moved = h * self.point.field.square().sum(-1).sqrt()
        size = 1 + self.point.theta.square().sum(-1).sqrt()
        self.ends.end(refused & ~(moved >= torch.finfo(h.dtype).eps * size), UNDERFLOW)

    def _trajectory(self) -> Trajectory:
        return Trajectory(
            **self.recorder.kept,
            status=self.ends.status,
            steps=self.steps,
            rejected=self.rejected,
            evaluations=self.evaluations,
            drift=self.drift.largest,
        )


def _near(target: Tensor, landing: float) -> Tensor:
    """How far from a stop still counts as on it."""
    finest = ROUNDING * torch.finfo(target.dtype).eps
    return max(landing, finest) * target.abs().clamp_min(1)
