"""Sharpness-aware minimization beside a line of minima, with all examples in each step
or one, and on quadratic losses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.batches import with_replacement
from ibcore.dynamics.directions import Direction, Gradient, State
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.sharpness_aware import SharpnessAware
from ibcore.losses import Square
from ibcore.models.linear import Linear
from ibcore.models.ravines import Ravines
from ibcore.oracles.sharpness_drift import Line
from ibcore.threads import threads

STEP_SIZE, START, BESIDE = 0.1, 1.3, 1e-3
TIMES = (0.5, 1.0, 2.0)  # tau = eta rho^2 k at which the drift is read
LAST = 4.0  # tau until which single examples are used; its last half is averaged
APART = 1.2  # least ratio of the two curvatures on the path
STABLE = 1.5  # most of n eta h, whose limit is 2
GAP = 0.8  # most of the second eigenvalue of a quadratic over the first
FLAT = 0.02  # least of its last eigenvalue over the first


def draw_line(generator: torch.Generator) -> Line | None:
    """Two curvatures, the first with its least value near 0 and the second with its own
    near 1; None where they come close to each other or to the limit of stability on the
    way.
    """
    u = torch.rand(6, generator=generator, dtype=torch.float64).numpy()
    line = Line(
        np.array([2 + u[0], 0.2 + 0.3 * u[1]]),
        0.6 + 0.4 * u[2:4],
        np.array([-0.3 + 0.6 * u[4], 0.8 + 0.6 * u[5]]),
        STEP_SIZE,
    )
    low = float(line.center[0])
    good = line.separated(low, START, APART) and line.stable(low, START, STABLE)
    return line if good else None


def draw_quadratic(generator: torch.Generator) -> Tensor | None:
    """Inputs X (6, 4) of a linear regression whose Hessian has the largest eigenvalue
    1; None where the second is above `GAP` or the last below `FLAT`.
    """
    X = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    values = torch.linalg.eigvalsh(X.T @ X / 3)
    good = values[-2] <= GAP * values[-1] and values[0] >= FLAT * values[-1]
    return X / values[-1].sqrt() if good else None


def ravines(lines: Sequence[Line], device: torch.device) -> Ravines:
    """One model for all lines, a member each."""
    fields = (
        torch.tensor(np.array([getattr(line, name) for line in lines]), device=device)
        for name in ("floor", "rate", "center")
    )
    return Ravines(*fields)


def objective(model: Ravines) -> Objective:
    """The square loss with targets 0."""
    count = model.floor.shape[-1]
    return Objective(model, Square(), model.floor.new_zeros(count))


def beside(model: Ravines) -> Tensor:
    """Starts next to the line at y = `START`, (B, n + 1)."""
    count = model.floor.shape[-1]
    start = [*[BESIDE] * count, START]
    return model.floor.new_tensor(start).expand(len(model.floor), -1)


def steps_until(tau: float, radius: float) -> int:
    """The number k of steps with eta rho^2 k = tau."""
    return round(tau / (STEP_SIZE * radius**2))


@threads()
def with_all(lines: Sequence[Line], radius: float, device: torch.device) -> Tensor:
    """y at the times `TIMES`, (K, B), with the whole gradient in each step."""
    model = ravines(lines, device)
    run = descend(
        SharpnessAware(objective(model), radius),
        beside(model),
        constant(STEP_SIZE),
        steps=[steps_until(tau, radius) for tau in TIMES],
        max_seconds=math.inf,
    )
    return run.theta[..., -1].cpu()


@threads()
def with_one(
    lines: Sequence[Line], radius: float, runs: int, seed: int, device: torch.device
) -> Tensor:
    """The mean of y over the last half of the time and over `runs` runs, (B,), with one
    example in each step.
    """
    model = ravines([line for line in lines for _ in range(runs)], device)
    last = steps_until(LAST, radius)
    stops = [round(last * share) for share in np.linspace(0.5, 1, 101)]
    run = descend(
        SharpnessAware(objective(model), radius),
        beside(model),
        constant(STEP_SIZE),
        steps=stops,
        batches=with_replacement(1, torch.Generator().manual_seed(seed), each=True),
        max_seconds=math.inf,
    )
    return run.theta[..., -1].mean(0).unflatten(0, (-1, runs)).mean(1).cpu()


@threads()
def without_radius(lines: Sequence[Line], device: torch.device) -> Tensor:
    """How far plain gradient descent moves y in 500 steps, (B,)."""
    model = ravines(lines, device)
    run = descend(
        objective(model),
        beside(model),
        constant(STEP_SIZE),
        steps=[500],
        max_seconds=math.inf,
    )
    return (run.theta[0, :, -1] - START).abs().cpu()


@dataclass(frozen=True)
class Jumps:
    """Where runs on quadratics end: |x| along the steepest direction, and the length of
    all else, (B,) each.
    """

    along: Tensor
    across: Tensor


@threads()
def on_quadratics(inputs: Tensor, radius: float, seed: int) -> Jumps:
    """Sharpness-aware steps of size 1 on B quadratics with largest curvature 1, inputs
    (B, n, d), from normal starts.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (len(inputs), inputs.shape[-1])
    start = torch.randn(shape, generator=generator, dtype=torch.float64)
    targets = inputs.new_zeros(inputs.shape[1])
    run = descend(
        SharpnessAware(Objective(Linear(inputs), Square(), targets), radius),
        start.to(inputs),
        constant(1.0),
        steps=[1000],
        max_seconds=math.inf,
    )
    top = torch.linalg.eigh(inputs.mT @ inputs)[1][..., -1]
    along = (run.last * top).sum(-1)
    rest = run.last - along[:, None] * top
    return Jumps(along.abs().cpu(), torch.linalg.vector_norm(rest, dim=-1).cpu())


def draw_lines(
    setting: Setting, count: int
) -> tuple[list[Line], Tensor, dict[str, int]]:
    """`count` lines and as many quadratics, and how many draws were rejected."""
    lines, near = setting.draw(count, "lines of minima", draw_line)
    found, close = setting.draw(count, "quadratics", draw_quadratic)
    notes = {"rejected lines": near, "rejected quadratics": close}
    return lines, torch.stack(found).to(setting.device), notes


def of_each(lines: Sequence[Line], read: Callable[[Line], object]) -> Tensor:
    """What is read of every line, (B, ...)."""
    return torch.tensor(np.array([read(line) for line in lines]), dtype=torch.float64)


@dataclass(frozen=True)
class BothPaths:
    """y beside one line of minima with all examples and with one, by these names, as
    measured and as predicted, (K,) each.
    """

    measured: dict[str, np.ndarray]
    predicted: dict[str, np.ndarray]


@threads()
def both_paths(line: Line, times: Sequence[float], device: torch.device) -> BothPaths:
    """One run of each kind with radius 0.1 and random numbers of seed 0."""
    model = ravines([line], device)
    radius = 0.1
    generator = torch.Generator().manual_seed(0)
    names = ("all examples", "one example")
    batches = (None, with_replacement(1, generator, each=True))
    measured = {
        name: descend(
            SharpnessAware(objective(model), radius),
            beside(model),
            constant(STEP_SIZE),
            steps=[steps_until(tau, radius) for tau in times],
            batches=rows,
            max_seconds=math.inf,
        )
        .theta[:, 0, -1]
        .cpu()
        .numpy()
        for name, rows in zip(names, batches, strict=True)
    }
    paths = (line.path_of_all(START, times), line.path_of_one(START, times))
    return BothPaths(measured, dict(zip(names, paths, strict=True)))


@dataclass(frozen=True)
class Shaken:
    """Steps along the gradient with normal noise of size `noise` added to each."""

    noise: float
    seed: int = 0

    def begin(self, theta: Tensor) -> State:  # noqa: ARG002
        return (torch.Generator().manual_seed(self.seed),)

    def __call__(
        self, slope: Tensor, log_scale: Tensor, log_step: Tensor, state: State
    ) -> tuple[Tensor, State]:
        update, _ = Gradient()(slope, log_scale, log_step, ())
        shake = torch.randn(update.shape, generator=state[0], dtype=torch.float64)
        return update + self.noise * shake.to(update), state

    def select(self, state: State, members: Tensor) -> tuple[Direction, State]:  # noqa: ARG002
        return self, state


def past_a_crossing(noise: float) -> float:
    """Where sharpness-aware minimization with all examples and noise in each step ends
    in y from 0.9, if h_1 = 2 + y^2 and h_2 = 1 + 2 (y - 1)^2.
    """
    line = Line(
        np.array([2.0, 1.0]), np.array([1.0, 2.0]), np.array([0.0, 1.0]), STEP_SIZE
    )
    run = descend(
        SharpnessAware(objective(ravines([line], torch.device("cpu"))), 0.1),
        [[BESIDE, BESIDE, 0.9]],
        constant(STEP_SIZE),
        steps=[8000],
        direction=Shaken(noise=noise),
        max_seconds=math.inf,
    )
    return float(run.last[0, -1])
