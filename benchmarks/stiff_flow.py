"""Gradient flow of a diagonal network from a small start: stiff LSODA against explicit
methods and gradient descent.

Every route starts at u = v = 1e-3 and counts evaluations of the gradient until it is
within 1e-6 of the minimizer of Q_alpha, which is computed without training. An
integrator takes the loosest of a few tolerances that gets there; the end of the flow is
the loss 1e-16, or the time at which LSODA has it. A route that is cut short counts with
the evaluations it has spent, a lower bound marked by ">". torchdiffeq is left out where
it is missing.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.dynamics import paces
from ibcore.dynamics.events import short_gradient
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.stiff_flow import integrate
from ibcore.losses import Square
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.oracles.q_alpha import q_minimizer, start_scale

Array = NDArray[np.float64]
POINTS, FEATURES, NONZEROS, ALPHA = 20, 60, 3, 1e-3
SEEDS = range(2)
TARGET, LOSS = 1e-6, 1e-16
TOLERANCES = (1e-6, 1e-8, 1e-10)
SECONDS = 30.0  # for one run
STEPS = 100_000  # of gradient descent


@dataclass(frozen=True)
class Route:
    """What a run took. distance: of its end to the minimizer, relative; NaN where it
    was cut short.

    time: of the flow, where it ended.
    """

    evaluations: int
    seconds: float
    distance: float
    time: float

    @property
    def arrived(self) -> bool:
        return self.distance <= TARGET


@dataclass(frozen=True)
class Problem:
    """A diagonal network on X (n, d) and y (n,), with the minimizer of Q_alpha (d,)."""

    model: Diagonal
    y: Tensor
    best: Tensor

    @classmethod
    def draw(cls, seed: int) -> Problem:
        generator = torch.Generator().manual_seed(seed)
        X = torch.randn(POINTS, FEATURES, generator=generator, dtype=torch.float64)
        beta = torch.zeros(FEATURES, dtype=torch.float64)
        beta[:NONZEROS] = torch.tensor([1.0, -1.0, 0.5])
        return cls(
            Diagonal(X), X @ beta, q_minimizer(X, X @ beta, start_scale(ALPHA)).primal
        )

    @property
    def start(self) -> Tensor:
        return even_start(FEATURES, torch.tensor([ALPHA], dtype=torch.float64))

    def distance(self, theta: Tensor) -> float:
        return float(
            (self.model.coefficients(theta) - self.best).norm() / self.best.norm()
        )

    def field(self, theta: Array) -> Array:
        """The flow's field at theta (P,), in NumPy."""
        X, (u, v) = self.model.inputs.numpy(), theta.reshape(2, -1)
        push = -4 / POINTS * (X.T @ (X @ (u**2 - v**2) - self.y.numpy()))
        return np.concatenate([u * push, -v * push])

    def curvature(self, theta: Array) -> Array:
        """The Jacobian of `field`, (P, P)."""
        X, (u, v) = self.model.inputs.numpy(), theta.reshape(2, -1)
        push = -4 / POINTS * (X.T @ (X @ (u**2 - v**2) - self.y.numpy()))
        J = np.concatenate([X * u, -X * v], 1)
        return np.diag(np.concatenate([push, -push])) - 8 / POINTS * J.T @ J

    def fitted(self, theta: Array) -> bool:
        """Whether the mean square loss is at most `LOSS`."""
        u, v = theta.reshape(2, -1)
        return (
            float(
                np.mean(
                    (self.model.inputs.numpy() @ (u**2 - v**2) - self.y.numpy()) ** 2
                )
            )
            <= LOSS
        )


def run() -> Iterator[str]:
    """For each problem the evaluations of LSODA, then those of every other route as
    multiples of them.
    """
    for seed in SEEDS:
        problem = Problem.draw(seed)
        ours = _loosest(partial(_scipy, problem, "LSODA"))
        yield f"problem {seed}: LSODA takes {ours.evaluations} evaluations to {ours.distance:.0e}"
        for name, route in _others(problem, ours.time):
            bound = "" if route.arrived else "> "
            yield (
                f"  {name}: {bound}{route.evaluations / ours.evaluations:.3g} x the "
                f"evaluations, {bound}{route.seconds / ours.seconds:.3g} x the "
                f"time{_end(route, ours)}"
            )
        yield from _descents(problem, ours)


def _end(route: Route, ours: Route) -> str:
    if route.arrived:
        return ""
    if math.isnan(route.distance):
        return f", cut short after {route.time / ours.time:.1%} of the flow"
    return f", ends at {route.distance:.0e}"


def _others(problem: Problem, horizon: float) -> Iterator[tuple[str, Route]]:
    yield (
        "explicit DOP853",
        _loosest(partial(_scipy, problem, "DOP853", horizon=horizon)),
    )
    try:
        torchdiffeq = importlib.import_module("torchdiffeq")
    except ImportError:
        return
    for method in ("dopri5", "dopri8"):
        yield (
            f"torchdiffeq {method}",
            _loosest(
                partial(_torchdiffeq, torchdiffeq.odeint, problem, method, horizon)
            ),
        )


def _loosest(attempt: Callable[[float], Route]) -> Route:
    """The run at the loosest of `TOLERANCES` that arrives, or the first that is cut
    short, or the last.
    """
    for tolerance in TOLERANCES:
        route = attempt(tolerance)
        if route.arrived or math.isnan(route.distance):
            break
    return route


def _scipy(
    problem: Problem, method: str, tolerance: float, *, horizon: float | None = None
) -> Route:
    began = time.perf_counter()
    run = integrate(
        problem.field,
        problem.curvature,
        problem.start[0],
        done=problem.fitted,
        horizon=horizon,
        tolerance=tolerance,
        method=method,
        max_steps=10_000_000,
        max_seconds=SECONDS,
    )
    distance = problem.distance(run.state) if run.complete else float("nan")
    return Route(run.evaluations, time.perf_counter() - began, distance, run.time)


class _OutOfTime(Exception):
    """The budget of a run ended."""


def _torchdiffeq(
    odeint: Callable[..., Any],
    problem: Problem,
    method: str,
    horizon: float,
    tolerance: float,
) -> Route:
    began, evaluations, reached = time.perf_counter(), 0, 0.0

    def field(t: Tensor, theta: Tensor) -> Tensor:
        nonlocal evaluations, reached
        evaluations, reached = evaluations + 1, float(t)
        if time.perf_counter() - began > SECONDS:
            raise _OutOfTime
        return torch.from_numpy(problem.field(theta.numpy()))

    times = torch.tensor([0.0, horizon], dtype=torch.float64)
    try:
        end = odeint(
            field,
            problem.start[0],
            times,
            rtol=tolerance,
            atol=tolerance * ALPHA,
            method=method,
        )[-1]
    except _OutOfTime:
        return Route(evaluations, time.perf_counter() - began, float("nan"), reached)
    return Route(
        evaluations, time.perf_counter() - began, problem.distance(end), horizon
    )


def _descents(problem: Problem, ours: Route) -> Iterator[str]:
    """Gradient descent with several steps: the curvature at the end bounds the step,
    the accuracy asks for less.
    """
    rows = problem.model.jacobian(_lifted(problem.best))[0]
    stable = POINTS / float(torch.linalg.matrix_norm(rows, 2).square())
    for share in (0.5, 0.05):
        began = time.perf_counter()
        run = descend(
            Objective(problem.model, Square(), problem.y),
            problem.start,
            paces.constant(share * stable),
            steps=[STEPS],
            until=short_gradient(1e-9),
        )
        seconds, distance = time.perf_counter() - began, problem.distance(run.last[0])
        bound = "" if distance <= TARGET else "> "
        yield (
            f"  gradient descent, {share:g} of the largest stable step: "
            f"{bound}{int(run.steps) / ours.evaluations:.3g} x the evaluations, "
            f"{bound}{seconds / ours.seconds:.3g} x the time, ends at {distance:.0e}"
        )


def _lifted(beta: Tensor) -> Tensor:
    """The balanced parameters (1, 2 d) with u v = alpha^2 and u^2 - v^2 = beta."""
    root = torch.hypot(beta, torch.full_like(beta, 2 * ALPHA**2))
    return torch.cat(
        [
            ((root + beta) / 2).clamp(min=0).sqrt(),
            ((root - beta) / 2).clamp(min=0).sqrt(),
        ]
    )[None]
