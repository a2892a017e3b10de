"""Two integrators of the log-time flow against plain and loss-scaled gradient descent
on logistic regression.

Every route starts at w = 0 on the same data and stops when the sine of its angle to the
max-margin direction is below the target. A route that does not get there within its
budget of steps counts with the time it took, so that its ratio is a lower bound, marked
by ">". The tolerance of the flow is a hundredth of the target. The batched flow pays
milliseconds a step for one problem alone, SciPy's LSODA does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

import torch
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Pace, constant, loss_scaled
from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.losses import Logistic
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import PlantedMargin, planted_margin

SEEDS = range(3)
SHAPES = ((50, 10), (50, 20))
BUDGETS = {1e-1: 300_000, 1e-3: 50_000, 1e-6: 20_000}
FLOWS: dict[str, Callable[..., Trajectory]] = {
    "the batched flow": flow,
    "SciPy's LSODA": scipy_flow,
}
LEVELS = [-(10 ** (k / 4)) for k in range(2, 33)]


def run() -> Iterator[str]:
    """Median ratios over three problems of each shape, then the growth of the step
    count.
    """
    for n, d in SHAPES:
        problems = [
            planted_margin(n, d, 0.1, torch.Generator().manual_seed(seed))
            for seed in SEEDS
        ]
        for target, budget in BUDGETS.items():
            yield f"n = {n}, d = {d}, sin {target:.0e}: " + ", ".join(
                _ratios(problems, target, budget)
            )
    yield from _steps(problems)


def _ratios(problems: list[PlantedMargin], target: float, budget: int) -> Iterator[str]:
    bests = [max_margin(problem.X, problem.y).primal for problem in problems]
    pairs = list(zip(problems, bests, strict=True))
    ours = [
        {
            name: _flow_seconds(integrate, problem, best, target)
            for name, integrate in FLOWS.items()
        }
        for problem, best in pairs
    ]
    for name in ("plain", "loss-scaled"):
        runs = [
            _descent_seconds(problem, best, target, _paces(problem)[name], budget)
            for problem, best in pairs
        ]
        bound = "" if all(reached for _, reached in runs) else "> "
        ratios = (
            median(
                seconds / mine[flow_name]
                for (seconds, _), mine in zip(runs, ours, strict=True)
            )
            for flow_name in FLOWS
        )
        yield f"{name} descent takes " + ", ".join(
            f"{bound}{ratio:.3g} x the time of {flow_name}"
            for flow_name, ratio in zip(FLOWS, ratios, strict=True)
        )


def _paces(problem: PlantedMargin) -> dict[str, Pace]:
    n = len(problem.X)
    return {
        "plain": constant(4 * n / float(torch.linalg.matrix_norm(problem.X, 2)) ** 2),
        "loss-scaled": loss_scaled(1 / float(problem.X.square().sum(1).max())),
    }


def _flow_seconds(
    integrate: Callable[..., Trajectory],
    problem: PlantedMargin,
    best: Tensor,
    target: float,
) -> float:
    """Seconds of the flow to the first of `LEVELS` at which the angle is below the
    target.
    """
    start = torch.zeros(1, problem.X.shape[1], dtype=torch.float64)
    model, tolerance = Linear(problem.signed), target / 100
    full = integrate(model, Logistic(), start, log_loss=LEVELS, tolerance=tolerance)
    level = LEVELS[int((sin_angle(full.theta[:, 0], best) > target).sum())]
    return _timed(
        lambda: integrate(model, Logistic(), start, log_loss=level, tolerance=tolerance)
    )


def _descent_seconds(
    problem: PlantedMargin, best: Tensor, target: float, pace: Pace, budget: int
) -> tuple[float, bool]:
    """Seconds of descent and whether it reached the target within `budget` steps,
    checked at a few step counts.
    """
    start = torch.zeros(1, problem.X.shape[1], dtype=torch.float64)
    objective = Objective(Linear(problem.signed), Logistic())
    reached, seconds, done = False, 0.0, 0
    for stop in (
        *(k for k in (300, 1000, 3000, 10_000, 30_000, 100_000) if k < budget),
        budget,
    ):
        began = time.perf_counter()
        run = descend(objective, start, pace, steps=[stop - done])
        seconds, done, start = (
            seconds + time.perf_counter() - began,
            stop,
            run.theta[-1],
        )
        if float(sin_angle(start[0], best)) <= target:
            reached = True
            break
    return seconds, reached


def _timed(task: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        task()
        times.append(time.perf_counter() - began)
    return median(times)


def _steps(problems: list[PlantedMargin]) -> Iterator[str]:
    depths = (1e2, 1e4, 1e6, 1e8, 1e10)
    signed = torch.stack([problem.signed for problem in problems])
    start = torch.zeros(len(problems), signed.shape[2], dtype=torch.float64)
    counts = {
        depth: flow(Linear(signed), Logistic(), start, log_loss=-depth).steps
        for depth in depths
    }
    yield "steps to log L = " + ", ".join(
        f"-{depth:.0e}: {int(steps.median())}" for depth, steps in counts.items()
    )
