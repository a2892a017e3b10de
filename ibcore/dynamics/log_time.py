"""Gradient flow for losses with an exponential tail, followed until the loss is exp(-1e10) and beyond.

Gradient flow d theta/dt = -grad L on the mean loss visits the same points as

    d theta/ds = sum_i p_i grad m_i(theta),   p = softmax(log(-l'(m_i))),   ds = mean_i(-l'(m_i)) dt,

whose right-hand side is bounded however small the loss. log L and log t are carried as logarithms;
neither underflows nor overflows. Every run begins with the explicit Dormand-Prince 8(5,3). In s the flow
grows stiff, with the stiffness of the softmax, and an L-stable method takes over: RODAS 4(3) for
predictors that are linear in theta, whose step count grows like log log(1/L), and the prox-linear method
for networks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ibcore.dynamics.protocols import Model, TailLoss, checked_parts, starting_point
from ibcore.dynamics.prox_linear import prox_linear_step
from ibcore.dynamics.rest import faint, newton, vanished
from ibcore.dynamics.runge_kutta import explicit_step, rosenbrock_step
from ibcore.dynamics.scaled_field import (
    Point,
    evaluate,
    log_duration,
    stepped_doubt,
    stiffness,
)
from ibcore.dynamics.tableaus import DORMAND_PRINCE_8, RODAS_4
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
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    one_of,
    positive_integer,
    positive_number,
    real_tensor,
)

METHODS = ("auto", "explicit", "stiff")
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
_ROUNDING = (
    32  # neither the landing nor the tolerance is finer than this many machine epsilons
)


class Step(Protocol):
    """New parameters (B, P), their error over the tolerance (B,), and evaluations, for steps h (B,)."""

    def __call__(
        self, model: Model, loss: TailLoss, start: Point, h: Tensor, tolerance: float, /
    ) -> tuple[Tensor, Tensor, int]: ...


@dataclass(frozen=True)
class _Phase:
    """A method with its order. A `coarse` one steps over many e-folds of the loss at once.

    The time of a coarse step lies in its last e-folds, whatever came before, so that no error of log t is
    estimated; its progress towards a stop is interpolated geometrically, and it meets the stop to 1e-3.
    """

    step: Step
    order: int
    coarse: bool = False

    @property
    def growth(self) -> float:
        """How much the next step may be longer."""
        return 3.0 if self.coarse else 6.0

    @property
    def landing(self) -> float:
        """Relative distance at which a stop counts as met."""
        return 1e-3 if self.coarse else 1e-10


_EXPLICIT = _Phase(explicit_step, DORMAND_PRINCE_8.order)
_ROSENBROCK = _Phase(rosenbrock_step, RODAS_4.order)
_PROX_LINEAR = _Phase(prox_linear_step, 2, coarse=True)


@dataclass(frozen=True)
class _Stops:
    """Increasing targets of one variable: log t itself, or -log L."""

    variable: str
    values: Tensor

    def progress(self, point: Point, log_time: Tensor) -> Tensor:
        return log_time if self.variable == "log_time" else -point.log_loss

    def met(self, target: Tensor, landing: float) -> Tensor:
        """How far from `target` still counts as on it."""
        return max(
            landing, _ROUNDING * torch.finfo(target.dtype).eps
        ) * target.abs().clamp_min(1)

    def speed(self, point: Point, log_time: Tensor) -> Tensor:
        if self.variable == "log_time":
            return torch.exp(-point.log_slope - log_time)
        return torch.exp(point.log_slope - point.log_loss) * point.field.square().sum(
            -1
        )


def _stops(log_loss: object, log_time: object, like: Tensor) -> _Stops:
    if (log_loss is None) == (log_time is None):
        raise InvalidInput(
            "flow got both or neither of log_loss and log_time; pass the stops in exactly one of them."
        )
    variable = "log_loss" if log_time is None else "log_time"
    values = torch.atleast_1d(
        real_tensor(variable, log_time if log_loss is None else log_loss)
    ).to(like)
    values = values if variable == "log_time" else -values
    if values.ndim != 1 or bool((values.diff() <= 0).any()):
        order = "rise" if variable == "log_time" else "fall"
        raise InvalidInput(
            f"{variable} has stops that do not {order}; sort them and drop repetitions."
        )
    return _Stops(variable, values)


@threads()
def flow(
    model: Model,
    loss: TailLoss,
    theta: Tensor,
    *,
    log_loss: float | Sequence[float] | Tensor | None = None,
    log_time: float | Sequence[float] | Tensor | None = None,
    method: str = "auto",
    tolerance: float = 1e-6,
    implicit_tolerance: float = 1e-2,
    max_steps: int = 20_000,
    max_seconds: float = 300.0,
    invariants: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
) -> Trajectory:
    """Gradient flow on the mean loss from `theta` (B, P), recorded at the given stops.

    Exactly one of `log_loss` (falling) and `log_time` (rising), natural logarithms, lists the stops. The
    explicit phase gives way to a stiff one: for linear predictors where stability would limit its step, for
    networks where every margin is above 30 and the loss has an exponential tail. Stops are met to 1e-10
    relative, in the stiff phase of networks to 1e-3; `Trajectory` holds the values where they were met.

    `tolerance` bounds the error of one step: of the parameters, relative to 1 + |theta_i| (explicit), of the
    weights p and, relative to 1 + |m_i|, of the margins (stiff, linear), and of log t, relative to
    1 + |log t|; it is 32 machine epsilons if that is more, as in single precision. `implicit_tolerance`
    bounds the error of one stiff step of a network relative to |theta|; time is then known to about 1e-4
    in log t beside the rounding of the margins. Below log L = -1e11 double precision cannot tell the
    margins apart.

    A run ends at its last stop, after `max_steps` steps (accepted and rejected), `max_seconds` of wall clock
    for the batch, when its step falls below rounding, or at rest at a positive loss, as where the data are not
    separable; `Trajectory.status` says which, in the words of `ibcore.dynamics.trajectory`. At rest all later
    times have the same state, so that stops of `log_time` are met, while lower losses never come. A stop above
    the loss of the start keeps the start. `invariants` maps names to functions of theta (B, P) -> (B,) or (B, k)
    that the flow conserves; their drift is reported.

    Raises `InvalidInput` for stops out of order, a last stop that every start has passed, a method other than
    auto, explicit and stiff, the stiff method on a model that is not linear, and parameters that are not finite
    or do not fit the model. They are converted to the dtype of its data.
    """
    checked_parts(model, loss)
    theta = starting_point(model, theta)
    stops = _stops(log_loss, log_time, theta)
    one_of("method", method, METHODS)
    tolerance = positive_number("tolerance", tolerance)
    limits = _Limits(
        max(tolerance, _ROUNDING * torch.finfo(theta.dtype).eps),
        positive_number("implicit_tolerance", implicit_tolerance),
        positive_integer("max_steps", max_steps),
        positive_number("max_seconds", max_seconds, infinite=True),
    )
    if method == "stiff" and not model.linear:
        raise InvalidInput(
            "method is 'stiff' but the model is not linear; use method='auto' or 'explicit'."
        )
    return _Run(model, loss, stops, limits, dict(invariants or {})).integrate(
        theta, method
    )


@dataclass(frozen=True)
class _Limits:
    """What a step may err by, and how many steps and seconds there are."""

    tolerance: float
    implicit_tolerance: float
    max_steps: int
    max_seconds: float


class _Run:
    """The state of one batch of runs; every tensor has the batch as its first dimension."""

    def __init__(
        self,
        model: Model,
        loss: TailLoss,
        stops: _Stops,
        limits: _Limits,
        invariants: dict[str, Callable[[Tensor], Tensor]],
    ) -> None:
        self.model, self.loss, self.stops, self.limits, self.invariants = (
            model,
            loss,
            stops,
            limits,
            invariants,
        )

    def integrate(self, theta: Tensor, method: str) -> Trajectory:
        self._start(theta)
        rounds = 0
        stiff = torch.full_like(self.active, method == "stiff")
        stiff_phase = _ROSENBROCK if self.model.linear else _PROX_LINEAR
        while bool(self.active.any()) and self._within_limits():
            rounds += 1
            if rounds % _REST == 0:
                self._come_to_rest()
            if method == "auto":
                stiff |= self._grown_stiff()
            for chosen, phase in (
                (self.active & ~stiff, _EXPLICIT),
                (self.active & stiff, stiff_phase),
            ):
                if bool(chosen.any()):
                    self._advance(phase, chosen)
        return self._trajectory()

    def _grown_stiff(self) -> Tensor:
        if self.model.linear:
            return self.h * stiffness(self.loss, self.point) >= _STABLE
        margins = self.point.margins
        exponential = self.loss.log_slope_rate(margins) <= -1 + 1e-12
        return ((margins >= _TAIL) & exponential).all(-1)

    def _start(self, theta: Tensor) -> None:
        batch, kept = len(theta), len(self.stops.values)
        self.began = time.perf_counter()
        self.point = evaluate(self.model, self.loss, theta)
        self.log_time = theta.new_full((batch,), -torch.inf)
        self.h = 0.01 / (1e-300 + self.point.field.square().sum(-1))
        self.limit = torch.full_like(self.h, torch.inf)
        self.active = torch.ones(batch, dtype=torch.bool, device=theta.device)
        self.refused = torch.zeros_like(
            self.active
        )  # no growth right after a refused step
        self.held = torch.zeros_like(self.h)  # steps that only log t refused
        self.status = [step_limit(self.limits.max_steps)] * batch
        self.next = torch.zeros(batch, dtype=torch.long, device=theta.device)
        self.steps, self.rejected, self.evaluations = (
            torch.zeros_like(self.next) for _ in range(3)
        )
        kept_names = ("log_loss", "log_time", "work", "seconds")
        self.kept = {
            name: theta.new_full((kept, batch), torch.nan) for name in kept_names
        }
        self.kept_theta = theta.new_full((kept, *theta.shape), torch.nan)
        self.reference = {name: law(theta) for name, law in self.invariants.items()}
        self.drift = {name: torch.zeros_like(self.h) for name in self.invariants}
        self._end(~torch.isfinite(self.point.field).all(-1), NOT_FINITE)
        passed = self._passed()
        self._keep(self.active, _EXPLICIT)
        for i in torch.nonzero(passed)[:, 0].tolist():
            self.status[i] = PASSED
        for i in torch.nonzero(self.active & vanished(self.point))[:, 0].tolist():
            self._rest(i)
        squared = self.point.field.square().sum(-1)
        self._end((squared == 0) | ~squared.isfinite(), _OUT_OF_RANGE)

    def _passed(self) -> Tensor:
        """Members that start beyond their last stop; where all do, the stops are no logarithms."""
        if self.stops.variable == "log_time":
            return torch.zeros_like(self.active)
        last, here = self.stops.values[-1], -self.point.log_loss
        passed = self.active & (here > last + self.stops.met(last, _EXPLICIT.landing))
        if bool(passed.all()):
            raise InvalidInput(passed_message(-float(last), -float(here.min())))
        return passed

    def _end(self, members: Tensor, status: str) -> None:
        for i in torch.nonzero(members & self.active)[:, 0].tolist():
            self.status[i] = status
        self.active &= ~members

    def _within_limits(self) -> bool:
        late = time.perf_counter() - self.began > self.limits.max_seconds
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
            self._end(members & (2 * self.held > self.rejected), f"{word}; {_OTHER}")
        else:
            resting = stationary_to(limits.tolerance, word)
            self._end(members & faint(self.point, limits.tolerance), resting)
        self._end(members, word)

    def _come_to_rest(self) -> None:
        """End members whose gradient vanished, and linear ones that no step brings closer to a stop."""
        resting = vanished(self.point)
        if self.model.linear:
            resting |= self._at_least_loss()
        for i in torch.nonzero(self.active & resting)[:, 0].tolist():
            self._rest(i)

    def _at_least_loss(self) -> Tensor:
        excess, step = newton(self.loss, self.point)
        target = self.stops.values[self.next.clamp(max=len(self.stops.values) - 1)]
        if self.stops.variable == "log_time":
            size = 1 + self.point.theta.abs()
            short = (step.abs() <= self.limits.tolerance * size).all(-1)
            return short & excess.isfinite()
        return target + self.point.log_loss > 10 * excess + _CLOSE

    def _rest(self, member: int) -> None:
        """The state stays as it is: later times have it, lower losses do not come."""
        self.active[member] = False
        self.status[member] = stationary(float(self.point.log_loss[member]))
        if self.stops.variable == "log_time":
            for stop in range(int(self.next[member]), len(self.stops.values)):
                self._record(stop, member)
                self.kept["log_time"][stop, member] = self.stops.values[stop]
            self.next[member], self.status[member] = len(self.stops.values), REACHED

    def _advance(self, phase: _Phase, chosen: Tensor) -> None:
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
        """The error of log t that an error `doubt` of the duration makes, over what is allowed."""
        allowed = self.limits.tolerance * (1 + log_time.abs())
        return doubt * torch.exp(duration - log_time) / allowed

    @staticmethod
    def _time_scale(point: Point) -> Tensor:
        """|theta| / |d theta/ds|: a step is a share of it, however fast a homogeneous model grows."""
        return torch.linalg.vector_norm(point.theta, dim=-1) / torch.linalg.vector_norm(
            point.field, dim=-1
        )

    def _overshoots(
        self, end: Point, log_time: Tensor, h: Tensor, fits: Tensor, phase: _Phase
    ) -> Tensor:
        """Members whose step passed their stop; their next step is shortened to land on it."""
        target = self.stops.values[self.next.clamp(max=len(self.stops.values) - 1)]
        here = self.stops.progress(self.point, self.log_time)
        there = self.stops.progress(end, log_time)
        over = fits & (there > target + self.stops.met(target, phase.landing))
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
        self, end: Point, log_time: Tensor, accepted: Tensor, phase: _Phase
    ) -> None:
        merged = {}
        for name in vars(end):
            new, old = getattr(end, name), getattr(self.point, name)
            merged[name] = torch.where(
                accepted.view(-1, *[1] * (new.ndim - 1)), new, old
            )
        self.point = replace(end, **merged)
        self.log_time = torch.where(accepted, log_time, self.log_time)
        for name, law in self.invariants.items():
            reference = self.reference[name]
            change = (
                (law(self.point.theta) - reference) / reference.abs().clamp_min(1)
            ).abs()
            self.drift[name] = torch.maximum(
                self.drift[name], change.reshape(len(change), -1).amax(-1)
            )
        self._keep(accepted, phase)

    def _keep(self, changed: Tensor, phase: _Phase) -> None:
        """Record members that stand on their stop and aim the others' next step at theirs."""
        values = self.stops.values
        while True:
            target = values[self.next.clamp(max=len(values) - 1)]
            here = self.stops.progress(self.point, self.log_time)
            on_stop = (
                changed
                & self.active
                & (here >= target - self.stops.met(target, phase.landing))
            )
            if not bool(on_stop.any()):
                break
            for i in torch.nonzero(on_stop)[:, 0].tolist():
                self._record(int(self.next[i]), i)
            self.next += on_stop
            done = on_stop & (self.next == len(values))
            for i in torch.nonzero(done)[:, 0].tolist():
                self.status[i] = REACHED
            self.active &= ~done
        distance = here * torch.log(target / here) if phase.coarse else target - here
        ahead = distance / self.stops.speed(self.point, self.log_time)
        near = torch.isfinite(ahead) & (ahead < self.h)
        self.limit = torch.where(
            changed,
            torch.where(near, ahead, torch.full_like(ahead, torch.inf)),
            self.limit,
        )

    def _record(self, stop: int, member: int) -> None:
        self.kept_theta[stop, member] = self.point.theta[member]
        self.kept["log_loss"][stop, member] = self.point.log_loss[member]
        self.kept["log_time"][stop, member] = self.log_time[member]
        self.kept["work"][stop, member] = self.evaluations[member]
        self.kept["seconds"][stop, member] = time.perf_counter() - self.began

    def _retire_stuck(self, h: Tensor, refused: Tensor) -> None:
        moved = h * self.point.field.square().sum(-1).sqrt()
        size = 1 + self.point.theta.square().sum(-1).sqrt()
        self._end(refused & ~(moved >= torch.finfo(h.dtype).eps * size), UNDERFLOW)

    def _trajectory(self) -> Trajectory:
        return Trajectory(
            self.kept_theta,
            **self.kept,
            status=tuple(self.status),
            steps=self.steps,
            rejected=self.rejected,
            evaluations=self.evaluations,
            drift=self.drift,
        )
