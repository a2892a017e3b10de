"""Gradient flow of the mean square loss on a few data points, stepped in function
space.

Along the flow the residuals obey dr/dt = -(2/n) K r with the n x n tangent kernel K = J
J^T. With K frozen this is solved exactly, whatever the step: the stiffness of K, which
holds plain gradient descent to steps of its largest eigenvalue while progress waits on
its smallest, costs nothing. Only the motion of K limits the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from ibcore.dynamics.protocols import starting_point
from ibcore.dynamics.recorder import Ends, Recorder
from ibcore.dynamics.trajectory import (
    CONVERGED,
    NOT_FINITE,
    STALLED,
    broke_down,
    step_limit,
    wall_limit,
)
from ibcore.linear_algebra import symmetric_eigen
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)


class Model(Protocol):
    """What the flow needs of a network on its training inputs."""

    def outputs(self, theta: Tensor) -> Tensor: ...
    def jacobian(self, theta: Tensor) -> Tensor: ...
    def select(self, members: Tensor) -> Self: ...


@dataclass(frozen=True)
class SquareFlow:
    """Where gradient flow of the mean square loss ended, for a batch of B networks.

    theta (B, P), loss (B,), time (B,) of the flow, steps (B,) accepted.
    status: for each member `converged` (loss below the target), `stalled` (the flow no
    longer moves: the residual lies outside what the tangent kernel can change), a
    limit, or why it could not go on, in the words of `ibcore.dynamics.trajectory`.
    snapshots (levels, B, P): the first state at or below each loss level, NaN where it
    was not reached.
    """

    theta: Tensor
    loss: Tensor
    time: Tensor
    steps: Tensor
    status: tuple[str, ...]
    snapshots: Tensor

    @property
    def fits(self) -> Tensor:
        """True for the members that reached the target loss, (B,)."""
        return torch.tensor(
            [word == CONVERGED for word in self.status], device=self.theta.device
        )


@threads()
def square_flow(
    model: Model,
    theta: Tensor,
    targets: Tensor,
    *,
    target_loss: float = 1e-8,
    tolerance: float = 0.02,
    levels: tuple[float, ...] = (),
    shortest_step: float = 0.5,
    max_steps: int = 20_000,
    max_seconds: float = 600.0,
) -> SquareFlow:
    """Gradient flow of the mean square loss (1/n) sum_i r_i^2 from `theta` (B, P) until
    loss <= `target_loss`.

    Exponential midpoint rule in function space: a step of length h moves the residuals
    by exp(-2 h K/n) with the tangent kernel K of its middle, found by half a step. It
    is accepted if the true residuals end within `tolerance` of the predicted ones,
    relative to the residuals before the step, and otherwise shortened, but never below
    `shortest_step` over the largest rate of the tangent, about a plain gradient step: a
    ReLU that switches at a data point makes the tangent jump, and no shorter step would
    see less of it. Where neurons switch often the path is therefore that of gradient
    descent with a small step rather than of the flow. With `levels` the loss falls at
    most by half in a step, and the first state at or below each level is kept.

    `targets`: (n,) shared by the batch or (B, n). Raises `InvalidInput` for settings
    out of range.
    """
    target_loss = positive_number("target_loss", target_loss)
    tolerance = positive_number("tolerance", tolerance)
    shortest_step = positive_number("shortest_step", shortest_step)
    max_seconds = positive_number("max_seconds", max_seconds, infinite=True)
    run = _Run(model, theta, targets, levels)
    keep, ends = (0.5 if levels else 0.0), run.ends
    max_steps = positive_integer("max_steps", max_steps)
    while True:
        ends.end(run.loss <= target_loss, CONVERGED)
        ends.end(~run.loss.isfinite(), NOT_FINITE)
        ends.end(run.tries >= max_steps, step_limit(max_steps))
        if run.recorder.seconds > max_seconds:
            ends.end(ends.active, wall_limit(max_seconds))
        if not bool(ends.active.any()):
            return run.result()
        run.advance(tolerance, keep, shortest_step)


@dataclass(frozen=True)
class _Tangent:
    """The flow of a linearized network: dr/dt = -V diag(rates) V^T r with coefficients
    V^T r(0).
    """

    jacobian: Tensor
    basis: Tensor
    rates: Tensor
    coefficients: Tensor

    @classmethod
    def at(cls, model: Model, theta: Tensor, residual: Tensor) -> _Tangent:
        """Linearized at `theta` and started from `residual`."""
        jacobian = model.jacobian(theta)
        values, basis = symmetric_eigen(jacobian @ jacobian.mT)
        rates = values.clamp(min=0) * 2 / residual.shape[-1]
        return cls(jacobian, basis, rates, (basis.mT @ residual[..., None])[..., 0])

    def residual(self, h: Tensor) -> Tensor:
        return _apply(
            self.basis, torch.exp(-self.rates * h[:, None]) * self.coefficients
        )

    def displacement(self, h: Tensor) -> Tensor:
        """The change of theta, -(2/n) J^T int_0^h r(s) ds."""
        n, h = self.basis.shape[-1], h[:, None]
        reach = self.rates * h
        decayed = -torch.expm1(-reach) / self.rates.clamp(min=1e-300)
        integral = torch.where(reach < 1e-12, h, decayed) * self.coefficients
        return -2 / n * _apply(self.jacobian.mT, _apply(self.basis, integral))

    def speed(self) -> Tensor:
        """Relative decay of the loss per time of the fastest mode; 0 if nothing moves
        any more.
        """
        energy = self.coefficients.square()
        return (self.rates * energy).sum(-1) / (
            self.rates[:, -1] * energy.sum(-1)
        ).clamp(min=1e-300)

    def shorten(self, h: Tensor, keep: float) -> Tensor:
        """`h`, halved until the frozen flow keeps at least the share `keep` of the
        loss.
        """
        least = keep * self.coefficients.square().sum(-1)
        for _ in range(200):
            low = self.residual(h).square().sum(-1) < least
            if not bool(low.any()):
                break
            h = torch.where(low, h / 2, h)
        return h


_STALLED = 1e-12


class _Run:
    """The state of a batch, advanced together; finished members are left out of the
    work.
    """

    def __init__(
        self, model: Model, theta: Tensor, targets: Tensor, levels: tuple[float, ...]
    ) -> None:
        theta = starting_point(model, theta)
        targets = real_tensor("targets", targets).to(theta)
        self.model, self.theta = model, theta.clone()
        outputs = model.outputs(theta)
        if targets.shape[-1] != outputs.shape[-1]:
            raise InvalidInput(
                f"targets have {targets.shape[-1]} entries, expected "
                f"{outputs.shape[-1]}, one an input."
            )
        self.residual = outputs - targets
        self.targets = targets.expand_as(outputs)
        self.step = torch.full_like(self.loss, math.nan)
        self.time, self.steps, self.tries = (
            torch.zeros_like(self.step) for _ in range(3)
        )
        self.ends = Ends(theta)
        self.order = sorted(range(len(levels)), key=lambda k: -levels[k])
        stops = -theta.new_tensor([levels[k] for k in self.order])
        self.recorder = Recorder(stops, {"theta": theta})
        self.snap(self.ends.active)

    @property
    def loss(self) -> Tensor:
        return self.residual.square().mean(-1)

    def advance(self, tolerance: float, keep: float, shortest_step: float) -> None:
        """Try one step of every unfinished member."""
        on = self.ends.active.nonzero()[:, 0]
        model, before = self.model.select(on), self.residual[on]
        tangent = _Tangent.at(model, self.theta[on], before)
        fastest = tangent.rates[:, -1].clamp(min=1e-300)
        floor = shortest_step / fastest
        h = torch.maximum(
            torch.where(self.step[on].isnan(), 1 / fastest, self.step[on]), floor
        )
        h = tangent.shorten(h, keep)
        middle = _Tangent.at(
            model, self.theta[on] + tangent.displacement(h / 2), before
        )
        theta = self.theta[on] + middle.displacement(h)
        after = model.outputs(theta) - self.targets[on]
        error = (after - middle.residual(h)).norm(dim=-1) / before.norm(dim=-1)
        good = (error <= tolerance) | ((h <= floor) & error.isfinite())
        ratio = tolerance / error.nan_to_num(nan=math.inf).clamp(min=1e-300)
        factor = (0.9 * ratio ** (1 / 3)).clamp(0.2, 8.0)
        self.step[on] = h * factor
        self.tries[on] += 1
        self._accept(on[good], theta[good], after[good], h[good])
        stuck, broken = (torch.zeros_like(self.ends.active) for _ in range(2))
        stuck[on] = tangent.speed() < _STALLED
        broken[on] = (h <= floor) & ~error.isfinite() | ~fastest.isfinite()
        self.ends.end(stuck & (self.loss > 0), STALLED)
        self.ends.end(broken, broke_down("its shortest step is not finite"))

    def _accept(
        self, members: Tensor, theta: Tensor, residual: Tensor, h: Tensor
    ) -> None:
        self.theta[members], self.residual[members] = theta, residual
        self.time[members] += h
        self.steps[members] += 1
        moved = torch.zeros_like(self.ends.active)
        moved[members] = True
        self.snap(moved)

    def snap(self, members: Tensor) -> None:
        """Keep the state of those of `members` (B,) that are at or below a level for
        the first time.
        """
        if self.order:
            progress = -self.loss
            self.recorder.keep_arrived(
                lambda stop: members & (progress >= stop), {"theta": self.theta}
            )

    def result(self) -> SquareFlow:
        snapshots = torch.empty_like(self.recorder.kept["theta"])
        snapshots[self.order] = self.recorder.kept["theta"]
        return SquareFlow(
            self.theta,
            self.loss,
            self.time,
            self.steps.long(),
            self.ends.status,
            snapshots,
        )


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]
