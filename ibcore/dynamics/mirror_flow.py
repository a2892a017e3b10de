"""Mirror flow with the potential |theta|_p^p / p on losses with a tail.

Mirror flow d/dt grad psi(theta) = -grad L on the mean loss visits the same points as

    dz/ds = sum_i lambda_i grad m_i(theta),   z = grad psi(theta),   lambda =
    softmax(log(-l'(m_i))),

with ds = mean_i(-l'(m_i)) dt. The step grows with z, so that log t = 1e6 takes some two
hundred steps. An implicit step is a Bregman proximal step, a convex program for a
linear predictor: it is solved by Newton's method in (theta, log lambda) for p >= 2,
where psi is smooth, and in log lambda for p < 2, where the conjugate of psi is. Both
remain well-posed where a coordinate crosses zero, where an explicit method does
not: theta = z^(1/(p-1)) has an infinite slope there for p > 2. Second order, L-stable
(SDIRK2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ibcore.dynamics.mirror_stages import (
    MirrorState,
    apply,
    dual_stage,
    largest,
    primal_stage,
    pull,
)
from ibcore.dynamics.protocols import Model, TailLoss, starting_point
from ibcore.dynamics.recorder import Ends, Recorder, Stops
from ibcore.dynamics.scaled_field import log_mean
from ibcore.dynamics.trajectory import (
    NOT_FINITE,
    REACHED,
    UNDERFLOW,
    Trajectory,
    broke_down,
    stationary,
    step_limit,
    wall_limit,
)
from ibcore.potentials import power_mirror, power_unmirror
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)

_GAMMA = 1 - math.sqrt(0.5)  # of the L-stable two-stage SDIRK method of order two
_START = 1e-2  # largest change of a margin in the first step from theta = 0
_LANDING = 1e-3
_LEAST_GROWTH = 1e-6
_SINGULAR = broke_down("the linear systems of its steps have no finite solution")


@dataclass(frozen=True)
class MirrorPath(Trajectory):
    """A trajectory of `mirror_flow`; theta is the first state with log t within 1e-3 of
    the stop or beyond.

    push: (K, B, n) Lambda = int lambda ds. Where the model is linear and the start 0,
    grad psi(theta) = A^T Lambda with rows grad m_i of A: a feasible point of the dual
    of the l_p max-margin program.
    """

    push: Tensor = field(default_factory=lambda: torch.empty(0))


def _log_mean_slope(model: Model, loss: TailLoss, theta: Tensor) -> Tensor:
    return log_mean(loss.log_slope(model.outputs(theta)))


@threads()
def mirror_flow(
    model: Model,
    loss: TailLoss,
    theta: Tensor,
    p: float | Tensor,
    *,
    log_time: float | Sequence[float] | Tensor,
    growth: float = 0.1,
    max_steps: int = 2000,
    max_seconds: float = 300.0,
) -> MirrorPath:
    """Mirror flow from `theta` (B, P), recorded at the rising stops `log_time` (natural
    logarithm of t).

    p: in (1, infinity), one number or (B,), all below 2 or none.
    growth: a step may change z by the share (1 + growth)^(p-1) - 1, which lets theta
    grow by about the share `growth`; the error falls like its square.

    The potential is |theta|_p^p / p, as in Sun, Ahn, Thrampoulidis and Azizan (2022). A
    step whose equations do not solve is repeated with half the growth, and a member for
    which none solves ends with a status of its own while the others go on. log t is
    integrated with log-slope linear over a step.

    Raises `InvalidInput` for orders at most 1 or on both sides of 2, stops that do not
    rise, and parameters that are not finite or do not fit the model.

    From zero |theta_j|^(p-1) stays a combination of the inputs, here of (1, 4):

    >>> from ibcore import Exponential, Linear, mirror_flow
    >>> model = Linear([[1.0, 4.0]])
    >>> run = mirror_flow(model, Exponential(), [[0.0, 0.0]], p=3, log_time=5)
    >>> one, other = run.theta.flatten().tolist()
    >>> round(other / one, 8)
    2.0
    """
    theta = starting_point(model, theta).clone()
    orders = _orders(p, theta)
    stops = Stops.of(None, log_time, theta).values
    max_steps = positive_integer("max_steps", max_steps)
    max_seconds = positive_number("max_seconds", max_seconds, infinite=True)
    run = _Run(model, loss, orders, theta, stops, positive_number("growth", growth))
    return run.to_the_end(max_steps, max_seconds)


def _orders(p: float | Tensor, theta: Tensor) -> Tensor:
    orders = real_tensor("p", p).to(theta)
    if not bool((orders > 1).all()):
        raise InvalidInput(
            f"p is {p}, expected numbers above 1: otherwise |theta|^p / p is not "
            "strictly convex. Take p = 1.1 to come close to p = 1."
        )
    if bool((orders < 2).any()) and bool((orders >= 2).any()):
        raise InvalidInput(
            "p has orders below 2 and others from 2 on, which are solved in different "
            "variables. Call once for each kind."
        )
    return orders.expand(len(theta))[:, None]


class _Run:
    def __init__(
        self,
        model: Model,
        loss: TailLoss,
        p: Tensor,
        theta: Tensor,
        stops: Tensor,
        growth: float,
    ) -> None:
        self.model, self.loss, self.p = model, loss, p
        self.stage = dual_stage if bool((p < 2).all()) else primal_stage
        count = len(theta)
        weights = torch.softmax(loss.log_slope(model.outputs(theta)), -1)
        self.field = pull(model.jacobian(theta), weights)
        self.state = MirrorState(
            theta, power_mirror(theta, p), torch.log(weights), torch.zeros_like(weights)
        )
        self.log_slope = _log_mean_slope(model, loss, theta)
        self.log_time = theta.new_full((count,), -math.inf)
        self.singular = torch.zeros(count, dtype=torch.bool, device=theta.device)
        self.growth, self.allowed = growth, theta.new_full((count, 1), growth)
        self.pace = theta.new_full(
            (count,), math.inf
        )  # d log t / d log(growth factor) in the last step
        self.steps, self.rejected, self.evaluations = (
            torch.zeros(count, dtype=torch.long, device=theta.device) for _ in range(3)
        )
        self.recorder = Recorder(stops, self._values())

    @property
    def active(self) -> Tensor:
        return self.recorder.pending

    def to_the_end(self, max_steps: int, max_seconds: float) -> MirrorPath:
        limit = step_limit(max_steps)
        for _ in range(max_steps):
            going = self.active & (self.allowed[:, 0] > _LEAST_GROWTH)
            if not bool(going.any()):
                break
            if self.recorder.seconds > max_seconds:
                limit = wall_limit(max_seconds)
                break
            self._step()
        return MirrorPath(
            **self.recorder.kept,
            status=self._status(limit),
            steps=self.steps,
            rejected=self.rejected,
            evaluations=self.evaluations,
            drift={},
        )

    def _status(self, limit: str) -> tuple[str, ...]:
        """Why each member ended; `limit` says it of those that could go on."""
        ends, levels = Ends(self.log_time), self._log_loss().tolist()
        ends.end(~self.active, REACHED)
        ends.end(~self.field.isfinite().all(-1), NOT_FINITE)
        still = ~self.field.any(-1)
        ends.end_each(still, lambda member: stationary(levels[member]))
        ends.end(self.allowed[:, 0] > _LEAST_GROWTH, limit)
        ends.end(self.singular, _SINGULAR)
        ends.end(ends.active, UNDERFLOW)
        return ends.status

    def _length(self) -> tuple[Tensor, Tensor]:
        """The step in s (B, 1) and the factor by which it lets theta grow, shortened to
        land on the next stop.
        """
        ahead = ((self.recorder.target - self.log_time) / self.pace)[:, None]
        factor = 1 + torch.where(
            ahead > 0, torch.minimum(ahead, self.allowed), self.allowed
        )
        first = _START / largest(
            apply(
                self.model.jacobian(self.state.theta),
                power_unmirror(self.field, self.p),
            )
        )
        size, slope = (
            torch.linalg.vector_norm(v, dim=-1, keepdim=True)
            for v in (self.state.z, self.field)
        )
        return torch.where(
            size > 0, (factor ** (self.p - 1) - 1) * size / slope, first ** (self.p - 1)
        ), factor

    def _step(self) -> None:
        h, factor = self._length()
        old = self.state
        start = torch.where(
            old.z == 0,
            power_unmirror(h * _GAMMA * self.field, self.p),
            old.theta * factor,
        )
        first = self.stage(
            self.model, self.loss, self.p, old.z, _GAMMA * h, old._replace(theta=start)
        )
        base = old.z + (1 - _GAMMA) * h * first.field
        second = self.stage(
            self.model,
            self.loss,
            self.p,
            base,
            _GAMMA * h,
            old._replace(theta=first.theta, u=first.u),
        )
        push = old.push + h * ((1 - _GAMMA) * first.weights + _GAMMA * second.weights)
        new = MirrorState(
            second.theta, base + _GAMMA * h * second.field, second.u, push
        )
        finite = torch.isfinite(new.theta).all(-1)
        self.singular, good = ~finite, first.solved & second.solved & finite
        self._settle(new, second.field, h[:, 0], factor[:, 0], good)

    def _settle(
        self, new: MirrorState, field: Tensor, h: Tensor, factor: Tensor, good: Tensor
    ) -> None:
        active = self.active
        take = active & good
        log_slope = _log_mean_slope(self.model, self.loss, new.theta)
        fall = self.log_slope - log_slope
        mean = torch.where(
            fall.abs() > 1e-8, torch.log(-torch.expm1(-fall) / fall), -fall / 2
        )
        later = torch.logaddexp(self.log_time, torch.log(h) - log_slope + mean)
        self.pace = torch.where(take, (later - self.log_time) / (factor - 1), self.pace)
        self.log_time = torch.where(take, later, self.log_time)
        self.log_slope = torch.where(take, log_slope, self.log_slope)
        self.field = torch.where(take[:, None], field, self.field)
        self.state = MirrorState(
            *(
                torch.where(take[:, None], b, a)
                for a, b in zip(self.state, new, strict=True)
            )
        )
        self.allowed = torch.where(
            good[:, None], (2 * self.allowed).clamp(max=self.growth), self.allowed / 2
        )
        self.steps += take
        self.rejected += active & ~good
        self.evaluations += 2 * active
        self.recorder.keep_arrived(
            lambda stop: take & (self.log_time >= stop - _LANDING * stop.abs()),
            self._values(),
        )

    def _log_loss(self) -> Tensor:
        return log_mean(self.loss.log_value(self.model.outputs(self.state.theta)))

    def _values(self) -> dict[str, Tensor]:
        """What is kept of every member at a stop."""
        return {
            "theta": self.state.theta,
            "log_loss": self._log_loss(),
            "log_time": self.log_time,
            "work": self.evaluations,
            "push": self.state.push,
        }
