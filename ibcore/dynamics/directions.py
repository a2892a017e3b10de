"""Direction maps of discrete methods: what a step is, given the gradient and what the
method remembers.

The gradient is a pair, a vector `slope` (B, P) of moderate size and the logarithm (B,)
of its unit: g = -exp(log_scale) slope. Only products with the step size are
exponentiated, so no map underflows however small the loss. `log_step` is the logarithm
of the step size eta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from ibcore.dynamics.members import select
from ibcore.validation import InvalidInput, real_number

State = tuple[Any, ...]
_TINY = 1e-300


class Direction(Protocol):
    """A map from the negative gradient exp(log_scale) slope to the step, with its
    memory.
    """

    def begin(self, theta: Tensor) -> State:
        """What the method remembers before the first step from theta (B, P)."""

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """The step (B, P) to be added to theta, and the new memory."""

    def select(self, state: State, members: Tensor) -> tuple[Direction, State]:
        """The map and the memory of these members (A,)."""


def _times(log_factor: Tensor, vector: Tensor) -> Tensor:
    return torch.exp(log_factor).unsqueeze(-1) * vector


class _Alike:
    """A map that is the same for all members."""

    def select(self, state: State, members: Tensor) -> tuple[Self, State]:
        return self, select(state, members)


class _Memoryless(_Alike):
    def begin(self, _theta: Tensor) -> State:
        return ()


@dataclass(frozen=True)
class Gradient(_Memoryless):
    """eta times the negative gradient."""

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        return _times(log_step + log_scale, slope), state


@dataclass(frozen=True)
class Steepest(_Memoryless):
    """Steepest descent in the norm l_p: eta |g|_q v, |v|_p = 1, v.(-g) = |g|_q, 1/p +
    1/q = 1.

    p = 2 is gradient descent, p = inf sign descent, p = 1 coordinate descent on the
    steepest coordinate (the first, if there are several). With `normalized` the step is
    eta v, of length eta in l_p. Source: Gunasekar, Lee, Soudry and Srebro 2018,
    steepest descent.
    """

    p: float
    normalized: bool = False

    def __post_init__(self) -> None:
        if not real_number("p", self.p) >= 1:
            raise InvalidInput(
                f"p is {self.p!r}, expected a number of at least 1, or math.inf."
            )

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        unit, dual_norm = self._unit(slope)
        if self.normalized:
            return _times(log_step, unit), state
        return _times(log_step + log_scale, unit * dual_norm), state

    def _unit(self, slope: Tensor) -> tuple[Tensor, Tensor]:
        """The steepest direction (B, P), |.|_p = 1, and |slope|_q (B, 1)."""
        size = slope.abs()
        if self.p == 1:
            largest, index = size.max(-1, keepdim=True)
            picked = torch.zeros_like(slope).scatter_(
                -1, index, slope.gather(-1, index).sign()
            )
            return picked, largest
        if math.isinf(self.p):
            return slope.sign(), size.sum(-1, keepdim=True)
        if self.p == 2:
            norm = torch.linalg.vector_norm(slope, dim=-1, keepdim=True)
            return slope / norm, norm
        q = self.p / (self.p - 1)
        norm = torch.linalg.vector_norm(slope, q, dim=-1, keepdim=True)
        return slope.sign() * (size / norm) ** (q - 1), norm


@dataclass(frozen=True)
class Momentum(_Alike):
    """v <- beta v - eta g, theta <- theta + v (Polyak's heavy ball), or Nesterov's
    theta <- theta + beta v - eta g.

    The velocity is carried in units of the largest eta exp(log_scale) so far, damped by
    beta.
    """

    beta: float = 0.9
    nesterov: bool = False

    def __post_init__(self) -> None:
        _decay("beta", self.beta)

    def begin(self, theta: Tensor) -> State:
        return torch.zeros_like(theta), theta.new_full((len(theta),), -torch.inf)

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        velocity, unit = state
        now = log_step + log_scale
        new = torch.maximum(unit + _log(self.beta), now)
        push = _times(now - new, slope)
        velocity = _times(unit + _log(self.beta) - new, velocity) + push
        step = self.beta * velocity + push if self.nesterov else velocity
        return _times(new, step), (velocity, new)


@dataclass(frozen=True)
class Averaged:
    """The steps of `direction`, and the mean of the points that they start from,
    theta_0 to theta_(k-1).
    """

    direction: Direction = field(default_factory=Gradient)

    def begin(self, theta: Tensor) -> State:
        count = theta.new_zeros(len(theta), 1)
        return theta, torch.zeros_like(theta), count, self.direction.begin(theta)

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        theta, total, count, inner = state
        update, inner = self.direction(slope, log_scale, log_step, inner)
        return update, (theta + update, total + theta, count + 1, inner)

    def select(self, state: State, members: Tensor) -> tuple[Averaged, State]:
        *mine, inner = state
        direction, kept = self.direction.select(inner, members)
        return Averaged(direction), (*select(tuple(mine), members), kept)

    @staticmethod
    def mean(state: State) -> Tensor:
        """The mean (B, P) after k steps; NaN before the first."""
        return torch.as_tensor(state[1] / state[2])


@dataclass(frozen=True)
class Grouped:
    """A map for each group of runs: `groups` holds pairs of a map and its number of
    consecutive runs.
    """

    groups: tuple[tuple[Direction, int], ...]

    def begin(self, theta: Tensor) -> State:
        counts = [count for _, count in self.groups]
        if sum(counts) != len(theta):
            raise InvalidInput(
                f"the groups have {sum(counts)} runs together, but theta has "
                f"{len(theta)} rows."
            )
        return tuple(
            one.begin(part)
            for (one, _), part in zip(self.groups, theta.split(counts), strict=True)
        )

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        counts = [count for _, count in self.groups]
        rows = slope[:, 0]
        parts = zip(
            self.groups,
            slope.split(counts),
            log_scale.expand_as(rows).split(counts),
            log_step.expand_as(rows).split(counts),
            state,
            strict=True,
        )
        moved = [one(*rest) for (one, _), *rest in parts]
        return torch.cat([update for update, _ in moved]), tuple(
            memory for _, memory in moved
        )

    def select(self, state: State, members: Tensor) -> tuple[Grouped, State]:
        groups, states, first = [], [], 0
        for (one, count), memory in zip(self.groups, state, strict=True):
            here = (members >= first) & (members < first + count)
            part, kept = one.select(memory, members[here] - first)
            groups.append((part, int(here.sum())))
            states.append(kept)
            first += count
        return Grouped(tuple(groups)), tuple(states)


@dataclass(frozen=True)
class AdaGrad(_Alike):
    """eta g / (sqrt(sum of g^2 so far) + eps), coordinate by coordinate, as in PyTorch."""

    eps: float = 0.0

    def __post_init__(self) -> None:
        _at_least_zero("eps", self.eps)

    def begin(self, theta: Tensor) -> State:
        return torch.zeros_like(theta), theta.new_full((len(theta),), -torch.inf)

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        squares, unit = state
        new = torch.maximum(unit, log_scale)
        squares = (
            _times(2 * (unit - new), squares) + _times(log_scale - new, slope).square()
        )
        step = _ratio(slope, _add(squares.sqrt(), self.eps, new))
        return _times(log_step + log_scale - new, step), (squares, new)

    @staticmethod
    def preconditioner(state: State) -> Tensor:
        """sqrt(sum of g^2) (B, P), each row up to a positive factor."""
        return torch.as_tensor(state[0]).sqrt()


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015) with bias correction, as in PyTorch; eps, one number or
    (B,), may be 0.

    Both moments are carried in a running unit, the larger of the present gradient and
    the past unit decayed like the root of the second moment, so that neither
    underflows.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float | Tensor = 1e-8

    def __post_init__(self) -> None:
        _decay("beta1", self.beta1)
        _decay("beta2", self.beta2)
        _at_least_zero("eps", self.eps)

    def begin(self, theta: Tensor) -> State:
        zero = torch.zeros_like(theta)
        return zero, zero, theta.new_full((len(theta),), -torch.inf), 1.0, 1.0

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        mean, square, unit, power1, power2 = state
        new = torch.maximum(unit + _log(self.beta2) / 2, log_scale)
        old, now = torch.exp(unit - new)[:, None], _times(log_scale - new, slope)
        mean = torch.lerp(old * mean, now, 1 - self.beta1)
        square = torch.lerp(old.square() * square, now.square(), 1 - self.beta2)
        power1, power2 = power1 * self.beta1, power2 * self.beta2
        size = _add((square / (1 - power2)).sqrt(), self.eps, new)
        return _times(log_step - math.log1p(-power1), _ratio(mean, size)), (
            mean,
            square,
            new,
            power1,
            power2,
        )

    def select(self, state: State, members: Tensor) -> tuple[Adam, State]:
        eps = self.eps[members] if isinstance(self.eps, Tensor) else self.eps
        return replace(self, eps=eps), select(state, members)


def _log(decay: float) -> float:
    return math.log(decay) if decay else -math.inf


def _add(size: Tensor, eps: float | Tensor, unit: Tensor) -> Tensor:
    """size + eps in the unit exp(unit)."""
    if isinstance(eps, Tensor):
        return size + torch.exp(torch.log(eps) - unit)[:, None]
    return size + torch.exp(math.log(eps) - unit)[:, None] if eps else size


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """above / below, and 0 where a coordinate has never had a gradient."""
    return above / below.clamp_min(_TINY)


def _decay(name: str, value: float) -> None:
    if not 0 <= real_number(name, value) < 1:
        raise InvalidInput(
            f"{name} is {value!r}, expected a number from 0 up to but not including 1."
        )


def _at_least_zero(name: str, value: float | Tensor) -> None:
    numbers = value if isinstance(value, Tensor) else real_number(name, value)
    numbers = torch.as_tensor(numbers)
    if not bool(((numbers >= 0) & torch.isfinite(numbers)).all()):
        raise InvalidInput(
            f"{name} is {value!r}, expected a finite number of at least 0."
        )
