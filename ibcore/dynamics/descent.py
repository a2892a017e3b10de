"""Gradient, steepest, adaptive and stochastic descent on a decreasing loss of margins, in one loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ibcore.dynamics.directions import Direction, Gradient, State
from ibcore.dynamics.protocols import Model, TailLoss, pullback, starting_point
from ibcore.dynamics.trajectory import (
    NOT_FINITE,
    REACHED,
    Trajectory,
    step_limit,
    wall_limit,
)
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_number,
    real_tensor,
)

_PENDING = 1000  # step sizes gathered before they are added to log t


@dataclass(frozen=True)
class Schedule:
    """Step sizes eta_k = exp(log_size(k)) at step k = 0, 1, ..., over the current loss where `over_loss` is true.

    log_size returns one number or (B,); over_loss is one truth value or (B,).
    """

    log_size: Callable[[int], float | Tensor]
    over_loss: bool | Tensor = False

    def log_step(
        self, step: int, log_loss: Callable[[], Tensor], theta: Tensor
    ) -> Tensor:
        """log eta_k for every run, (B,); log L is computed only where it is needed."""
        log_step = theta.new_zeros(len(theta)) + self.log_size(step)
        if isinstance(self.over_loss, Tensor):
            return torch.where(self.over_loss, log_step - log_loss(), log_step)
        return log_step - log_loss() if self.over_loss else log_step


@dataclass(frozen=True)
class Descent(Trajectory):
    """A trajectory of `descend`, with what the direction map remembered at its end."""

    memory: State = ()


def constant(step_size: float) -> Schedule:
    """The same step size at every step: plain gradient descent.

    On a linear model gradient descent decreases the mean loss at every step from every start if it is logistic and
    the step is below 8 n / sigma_max(X)^2. The exponential loss has no such step for all starts: there it is
    2 / (R^2 L(theta)) with R the longest input and L(theta) the loss at the start (proved on the page on logistic
    regression).
    """
    return Schedule(_Decay(step_size))


def decaying(
    step_size: float | Tensor, power: float | Tensor, *, over: float = 1.0
) -> Schedule:
    """eta (1 + k / over)^-power at step k; eta and the power are numbers or (B,)."""
    return Schedule(_Decay(step_size, power, over))


def loss_scaled(
    step_size: float | Tensor, power: float | Tensor = 0.0, *, over: float = 1.0
) -> Schedule:
    """eta (1 + k / over)^-power / L; eta and the power are numbers or (B,) (Nacson et al. 2019; Lyu and Li 2020)."""
    return Schedule(_Decay(step_size, power, over), over_loss=True)


class _Decay:
    def __init__(
        self, step_size: float | Tensor, power: float | Tensor = 0.0, over: float = 1.0
    ) -> None:
        self.log_first: float | Tensor
        if isinstance(step_size, Tensor):
            if not bool(((step_size > 0) & step_size.isfinite()).all()):
                raise InvalidInput(
                    "step_size has entries that are not finite numbers above 0."
                )
            self.log_first = torch.log(step_size)
        else:
            self.log_first = math.log(positive_number("step_size", step_size))
        if isinstance(power, Tensor):
            self.power: float | Tensor = real_tensor("power", power)
        else:
            self.power = real_number("power", power)
        self.over = positive_number("over", over)

    def __call__(self, step: int) -> float | Tensor:
        return self.log_first - self.power * math.log1p(step / self.over)


@threads()
def descend(
    model: Model,
    loss: TailLoss,
    theta: Tensor,
    schedule: Schedule,
    *,
    stops: Sequence[int],
    direction: Direction | None = None,
    batch_size: int | None = None,
    generator: torch.Generator | None = None,
    until: Callable[[Tensor], Tensor] | None = None,
    max_seconds: float = 300.0,
) -> Descent:
    """theta <- theta + eta_k D(-grad L_k(theta)) for B runs at once, recorded after the steps in `stops`.

    model, loss: as for `ibcore.dynamics.log_time.flow`.      theta: (B, P).
    direction: D, a map of `ibcore.dynamics.directions`; the gradient itself where none is given.
    L_k is the mean loss over all data or, with `batch_size` b, over b indices drawn with replacement
    from `generator`, the same for every run. The schedule sees the loss over all data. Step size and
    slope are multiplied as logarithms, so a loss-scaled step does not underflow however small the
    loss. `until` maps theta to (B,) booleans; when all are true the loop ends and the state is kept
    as the last stop that was reached. log t accumulates the step sizes. A run that overflows ends as
    `state not finite` while the others go on.

    Raises `InvalidInput` for stops that do not rise or are negative, a batch size below 1, a batch size
    without a generator, and parameters that are not finite or do not fit the model.
    """
    theta = starting_point(model, theta).clone()
    max_seconds = positive_number("max_seconds", max_seconds, infinite=True)
    stops, direction = _rising(stops), direction or Gradient()
    if batch_size is not None:
        positive_integer("batch_size", batch_size)
        if generator is None:
            raise InvalidInput(
                "batch_size was given without a generator; pass torch.Generator().manual_seed(...)."
            )
    began, recorder, state = (
        time.perf_counter(),
        _Recorder(theta, stops),
        direction.begin(theta),
    )
    clock, status, point = (
        _Clock(theta),
        REACHED,
        (_Rows if model.linear else _Margins)(model, loss),
    )
    for step in range(stops[-1] + 1):
        point.move(theta)
        ended = until is not None and bool(until(theta).all())
        if ended or step == stops[recorder.count]:
            recorder.keep(
                theta,
                point.log_loss(),
                clock.log_time(),
                step,
                time.perf_counter() - began,
            )
        if ended or recorder.count == len(stops):
            break
        if time.perf_counter() - began > max_seconds:
            status = wall_limit(max_seconds)
            break
        log_step = schedule.log_step(step, point.log_loss, theta)
        slope, log_scale = point.slope(_drawn(point.margins, batch_size, generator))
        update, state = direction(slope, log_scale, log_step, state)
        theta = theta + update
        clock.add(log_step)
    if status == REACHED and until is not None and not bool(until(theta).all()):
        status = step_limit(stops[-1])
    return recorder.trajectory(status, step, state, theta)


def _drawn(
    margins: Tensor, batch_size: int | None, generator: torch.Generator | None
) -> Tensor | None:
    if batch_size is None:
        return None
    return torch.randint(margins.shape[-1], (batch_size,), generator=generator).to(
        margins.device
    )


class _Margins:
    """Margins (B, n) at the current theta, the loss and the negative gradient there."""

    def __init__(self, model: Model, loss: TailLoss) -> None:
        self.model, self.loss = model, loss

    def move(self, theta: Tensor) -> None:
        self.theta, self.margins = theta, self.model.outputs(theta)

    def pullback(self, weights: Tensor) -> Tensor:
        """sum_i weights_i grad m_i, (B, P)."""
        return pullback(self.model, self.theta, weights)

    def log_loss(self) -> Tensor:
        """log L, (B,)."""
        return torch.logsumexp(self.loss.log_value(self.margins), -1) - math.log(
            self.margins.shape[-1]
        )

    def slope(self, drawn: Tensor | None) -> tuple[Tensor, Tensor]:
        """The negative gradient over all data or the drawn indices as a vector (B, P) and log of its unit (B,)."""
        count, log_slopes = self.margins.shape[-1], self.loss.log_slope(self.margins)
        if drawn is not None:
            log_slopes = log_slopes + torch.log(torch.bincount(drawn, minlength=count))
            count = len(drawn)
        peak = log_slopes.amax(-1, keepdim=True)
        return self.pullback(torch.exp(log_slopes - peak)), peak[:, 0] - math.log(count)


class _Rows(_Margins):
    """The same where the Jacobian is constant."""

    def __init__(self, model: Model, loss: TailLoss) -> None:
        super().__init__(model, loss)
        self.started = False

    def move(self, theta: Tensor) -> None:
        if not self.started:
            self.started, self.rows = True, self.model.jacobian(theta).contiguous()
            self.columns = self.rows.transpose(-1, -2).contiguous()
            self.offset = self.model.outputs(torch.zeros_like(theta))
        self.margins = torch.bmm(self.rows, theta[:, :, None])[..., 0] + self.offset

    def pullback(self, weights: Tensor) -> Tensor:
        return torch.bmm(self.columns, weights[:, :, None])[..., 0]


def _rising(stops: Sequence[int]) -> list[int]:
    stops = [positive_integer("stops", stop, least=0) for stop in stops]
    if not stops or any(b <= a for a, b in pairwise(stops)):
        raise InvalidInput(
            f"stops are {stops[:6]}, expected a rising list of step counts from 0 on."
        )
    return stops


class _Clock:
    """log of the sum of the step sizes."""

    def __init__(self, theta: Tensor) -> None:
        self.pending = [theta.new_full((len(theta),), -torch.inf)]

    def add(self, log_step: Tensor) -> None:
        self.pending.append(log_step)
        if len(self.pending) > _PENDING:
            self.log_time()

    def log_time(self) -> Tensor:
        total = torch.logsumexp(torch.stack(self.pending), 0)
        self.pending = [total]
        return total


class _Recorder:
    """States kept at the stops."""

    def __init__(self, theta: Tensor, stops: list[int]) -> None:
        shape = (len(stops), len(theta))
        self.theta = theta.new_full((*shape, theta.shape[-1]), torch.nan)
        self.log_loss, self.log_time, self.work, self.seconds = (
            theta.new_full(shape, torch.nan) for _ in range(4)
        )
        self.count = 0

    def keep(
        self,
        theta: Tensor,
        log_loss: Tensor,
        log_time: Tensor,
        step: int,
        seconds: float,
    ) -> None:
        i, self.count = self.count, self.count + 1
        self.theta[i], self.log_loss[i], self.log_time[i] = theta, log_loss, log_time
        self.work[i], self.seconds[i] = step, seconds

    def trajectory(
        self, status: str, steps: int, memory: State, theta: Tensor
    ) -> Descent:
        batch, finite = self.theta.shape[1], theta.isfinite().all(-1).tolist()
        taken = torch.full((batch,), steps, device=self.theta.device)
        return Descent(
            self.theta,
            self.log_loss,
            self.log_time,
            tuple(status if good else NOT_FINITE for good in finite),
            taken,
            torch.zeros_like(taken),
            taken,
            self.work,
            self.seconds,
            memory=memory,
        )
