"""Paces of explicit methods: how long the next step is, and whether it is kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from ibcore.dynamics.directions import State
from ibcore.dynamics.objective import Point
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_number,
    real_tensor,
)

Number = float | Tensor


class Pace(Protocol):
    """Step sizes eta of a batch of members, by their logarithms; a pace that is `open`
    keeps every step.
    """

    open: bool

    @property
    def restart(self) -> bool:
        """Whether the direction forgets what it remembers of a member whose step is
        undone.
        """

    def begin(self, point: Point) -> State:
        """What the pace remembers before the first step."""

    def log_step(self, step: int, point: Point, state: State) -> Tensor:
        """log eta of step number 0, 1, ...: (B,), or () where it is the same for all
        members.
        """

    def judge(self, before: Point, after: Point, state: State) -> tuple[Tensor, State]:
        """Which members keep the step, (B,), and the new memory."""

    def select(self, members: Tensor) -> Any:
        """The pace of these members (A,)."""


class _Open:
    open = True
    restart = False

    def begin(self, _point: Point) -> State:
        return ()

    def judge(self, _before: Point, after: Point, state: State) -> tuple[Tensor, State]:
        return torch.ones(len(after.theta), dtype=torch.bool), state

    def select(self, _members: Tensor) -> Self:
        return self


@dataclass(frozen=True)
class Scheduled(_Open):
    """eta_k = exp(log_size(k)), over the loss where `over_loss` is true.

    log_size: of the step number, one number or (B,).      over_loss: one truth value or
    (B,).
    """

    log_size: Callable[[int], Number]
    over_loss: bool | Tensor = False

    def log_step(self, step: int, point: Point, state: State) -> Tensor:  # noqa: ARG002
        size = self.log_size(step)
        log_step = (
            size.to(point.theta)
            if isinstance(size, Tensor)
            else point.theta.new_tensor(size)
        )
        if isinstance(self.over_loss, Tensor):
            return torch.where(self.over_loss, log_step - point.log_loss, log_step)
        return log_step - point.log_loss if self.over_loss else log_step

    def select(self, members: Tensor) -> Scheduled:
        over, size = self.over_loss, self.log_size
        return Scheduled(
            size.select(members) if isinstance(size, Decay) else size,
            over[members] if isinstance(over, Tensor) else over,
        )


@dataclass(frozen=True)
class Decay:
    """log of first (1 + k / over)^-power at step k; `log_first` and `power` are numbers
    or (B,).
    """

    log_first: Number
    power: Number = 0.0
    over: float = 1.0

    def __call__(self, step: int) -> Number:
        return self.log_first - self.power * math.log1p(step / self.over)

    def select(self, members: Tensor) -> Decay:
        first, power = (
            part[members] if isinstance(part, Tensor) else part
            for part in (self.log_first, self.power)
        )
        return Decay(first, power, self.over)


def constant(step_size: Number, *, over_loss: bool | Tensor = False) -> Scheduled:
    """The same step size, one number or (B,), at every step: plain gradient descent.

    over_loss: whether the step is divided by the loss, one truth value or (B,).

    On a linear model gradient descent decreases the mean loss at every step from every
    start if it is logistic and the step is below 8 n / sigma_max(X)^2. The exponential
    loss has no such step for all starts: there it is 2 / (R^2 L(theta)) with R the
    longest input and L(theta) the loss at the start (proved on the page on logistic
    regression). Raises `InvalidInput` for steps that are not positive.

    On (w - 1)^2 a step of 1, which is 2 over the curvature, is repeated for ever:

    >>> import torch
    >>> from ibcore import Linear, Objective, Square, constant, descend
    >>> objective = Objective(Linear([[1.0]]), Square(), torch.ones(1).double())
    >>> descend(objective, [[0.0]], constant(1.0), steps=[1, 2, 3]).theta.flatten()
    tensor([2., 0., 2.], dtype=torch.float64)
    """
    return decaying(step_size, 0.0, over_loss=over_loss)


def decaying(
    step_size: Number,
    power: Number,
    *,
    over: float = 1.0,
    over_loss: bool | Tensor = False,
) -> Scheduled:
    """eta (1 + k / over)^-power at step k, over the loss where that is asked; eta and
    the power are numbers or (B,).
    """
    first: Number
    if isinstance(step_size, Tensor):
        if not bool(((step_size > 0) & step_size.isfinite()).all()):
            raise InvalidInput(
                "step_size has entries that are not finite numbers above 0."
            )
        first = torch.log(step_size)
    else:
        first = math.log(positive_number("step_size", step_size))
    exponent = (
        real_tensor("power", power)
        if isinstance(power, Tensor)
        else real_number("power", power)
    )
    return Scheduled(Decay(first, exponent, positive_number("over", over)), over_loss)


def loss_scaled(
    step_size: Number, power: Number = 0.0, *, over: float = 1.0
) -> Scheduled:
    """eta (1 + k / over)^-power / L; eta and the power are numbers or (B,) (Nacson et
    al. 2019; Lyu and Li 2020).
    """
    return decaying(step_size, power, over=over, over_loss=True)


@dataclass(frozen=True)
class Cosine(_Open):
    """eta (1 + cos(pi k / steps)) / 2: from `step_size` to 0 along half a cosine."""

    step_size: float
    steps: int

    def __post_init__(self) -> None:
        positive_number("step_size", self.step_size)
        positive_integer("steps", self.steps)

    def log_step(self, step: int, point: Point, state: State) -> Tensor:  # noqa: ARG002
        share = (1 + math.cos(math.pi * step / self.steps)) / 2
        size = self.step_size * share
        log_size = math.log(size) if size > 0 else -math.inf
        return point.theta.new_tensor(log_size)


@dataclass(frozen=True)
class Bounded(_Open):
    """`share` over a bound on the curvature, the first of what the objective has seen;
    below 2 the loss falls.
    """

    share: Number = 1.0

    def __post_init__(self) -> None:
        if not bool((torch.as_tensor(self.share) > 0).all()):
            raise InvalidInput(f"share is {self.share}, expected numbers above 0.")

    def log_step(self, step: int, point: Any, state: State) -> Tensor:  # noqa: ARG002
        return torch.log(self.share / point.seen[0])

    def select(self, members: Tensor) -> Bounded:
        share = self.share
        return Bounded(share[members] if isinstance(share, Tensor) else share)


@dataclass(frozen=True)
class Rollback:
    """a / L with a factor a of each member; a step after which the loss is not below
    `rise` times the last is undone.

    A step that is kept multiplies a by `grow`, one that is undone divides it by
    `shrink`, and with `restart` the direction, as momentum, then begins anew. In the
    manner of the loss-based learning rate of Lyu and Li (2020).
    """

    first: float = 0.1
    grow: float = 2**0.2
    shrink: float = 2**0.1
    rise: float = 1.0
    restart: bool = False
    open = False

    def __post_init__(self) -> None:
        positive_number("first", self.first)
        positive_number("rise", self.rise)
        if (
            real_number("grow", self.grow) < 1
            or real_number("shrink", self.shrink) <= 1
        ):
            raise InvalidInput(
                f"grow and shrink are {self.grow!r} and {self.shrink!r}, expected "
                "numbers of at least 1 and above 1."
            )

    def begin(self, point: Point) -> State:
        return (torch.full_like(point.log_loss, math.log(self.first)),)

    def log_step(self, step: int, point: Point, state: State) -> Tensor:  # noqa: ARG002
        return state[0] - point.log_loss

    def judge(self, before: Point, after: Point, state: State) -> tuple[Tensor, State]:
        good = after.log_loss < before.log_loss + math.log(self.rise)
        up, down = state[0].new_tensor((math.log(self.grow), -math.log(self.shrink)))
        return good, (state[0] + torch.where(good, up, down),)

    def select(self, _members: Tensor) -> Rollback:
        return self


@dataclass(frozen=True)
class ResidualsAgree:
    """Steps after which the residuals r' of the square loss do not point against the
    old ones: r.r' >= 0.

    A step that is not such is undone, and eta halved; after others eta is what the
    change of the residuals proposes (Barzilai and Borwein 1988): the short of their two
    steps where it is below half of the long one, else the long one, and at most `leap`
    times the last eta. The point has to know its `residuals`.
    """

    first: float = 1e-6
    leap: float = 100.0
    open = False
    restart = False

    def __post_init__(self) -> None:
        positive_number("first", self.first)
        positive_number("leap", self.leap)

    def begin(self, point: Point) -> State:
        return (point.theta.new_full((len(point.theta),), math.log(self.first)),)

    def log_step(self, step: int, point: Point, state: State) -> Tensor:  # noqa: ARG002
        return state[0]

    def judge(self, before: Any, after: Any, state: State) -> tuple[Tensor, State]:
        r, new = before.residuals.flatten(1), after.residuals.flatten(1)
        change = r - new
        curvature = (r * change).sum(-1)
        long = r.square().sum(-1) / curvature
        short = curvature / change.square().sum(-1)
        ratio = torch.where(short < long / 2, short, long)
        growth = torch.where(ratio > 0, ratio, 1.0).clamp(max=self.leap)
        good = (r * new).sum(-1) >= 0
        return good, (state[0] + torch.where(good, growth, 0.5).log(),)

    def select(self, _members: Tensor) -> ResidualsAgree:
        return self


@dataclass(frozen=True)
class OverTail(_Open):
    """share / (L (1 + log(1/L))): for networks of two layers on an exponential tail,
    close to gradient flow.

    Far out margins are log(1/L), and so are, up to a factor of the data, the squares of
    their gradients. A step that is small beside one over these changes log L by about
    the same amount wherever it is taken.
    """

    share: float

    def __post_init__(self) -> None:
        positive_number("share", self.share)

    def log_step(self, step: int, point: Point, state: State) -> Tensor:  # noqa: ARG002
        far = point.log_loss.neg().clamp_min(0)
        return math.log(self.share) - torch.log1p(far) - point.log_loss
