"""Six ways to the limit direction of a deep linear network, and a batch of networks
against a loop of autograd.

Every route starts at the same parameters. For each target, the sine of the angle to the
max-margin direction, the table gives seconds and gradient evaluations as multiples of
those of the log-time flow; a route that did not get there within its budget counts with
what it spent, so that its ratio is a lower bound, marked by ">".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Rollback, constant, loss_scaled
from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.models.activations import LeakyReLU
from ibcore.models.deep_linear import DeepLinear
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import planted_margin

TARGETS = (1e-1, 1e-2, 1e-3)
LEVELS = [-(10 ** (k / 4)) for k in range(2, 37)]
STEPS = sorted({round(10 ** (k / 4)) for k in range(21)})
SECONDS = 60.0


def run() -> Iterator[str]:
    """Ratios for networks of depth 2 and 3, then for the batch."""
    for depth in (2, 3):
        yield from _routes(depth)
    yield from _batch()


def _routes(depth: int) -> Iterator[str]:
    generator = torch.Generator().manual_seed(0)
    problem = planted_margin(20, 10, 0.1, generator)
    model = DeepLinear(problem.signed, (10,) * (depth - 1))
    start = 0.3 * torch.randn(
        1, model.dimension, generator=generator, dtype=torch.float64
    )
    best, loss = max_margin(problem.X, problem.y).primal, Exponential()
    objective, budget = Objective(model, loss), {"max_seconds": SECONDS}
    routes: dict[str, Callable[[], Trajectory]] = {
        "log-time flow": lambda: flow(model, loss, start, log_loss=LEVELS, **budget),
        "plain descent": lambda: descend(
            objective, start, constant(0.05), steps=STEPS, **budget
        ),
        "loss-scaled descent": lambda: descend(
            objective, start, loss_scaled(0.01), steps=STEPS, **budget
        ),
        "loss-scaled descent with rollback": lambda: descend(
            objective, start, Rollback(), log_loss=LEVELS, **budget
        ),
        "SciPy's LSODA": lambda: scipy_flow(
            model, loss, start, log_loss=LEVELS, degree=depth, **budget
        ),
        "SciPy's BDF": lambda: scipy_flow(
            model, loss, start, log_loss=LEVELS, degree=depth, method="BDF", **budget
        ),
    }
    spent: dict[str, list[tuple[float, float, bool]]] = {}
    for name, route in routes.items():
        began = time.perf_counter()
        result = route()
        total = (time.perf_counter() - began, float(result.evaluations[0]))
        spent[name] = _spent(
            result, sin_angle(model.end_to_end(result.theta[:, 0]), best), total
        )
    for name in list(routes)[1:]:
        ratios = (
            f"sin {target:.0e}: {_ratio(theirs, ours)}"
            for target, theirs, ours in zip(
                TARGETS, spent[name], spent["log-time flow"], strict=True
            )
        )
        yield (
            f"depth {depth}, {name} (time, evaluations) over the flow's, "
            + "; ".join(ratios)
        )


def _spent(
    result: Trajectory, sines: Tensor, total: tuple[float, float]
) -> list[tuple[float, float, bool]]:
    """Seconds, evaluations and whether it arrived, for every target."""
    found = []
    for target in TARGETS:
        below = torch.nonzero(sines <= target)
        if len(below):
            k = int(below[0])
            found.append((float(result.seconds[k, 0]), float(result.work[k, 0]), True))
        else:
            found.append((*total, False))
    return found


def _ratio(theirs: tuple[float, float, bool], ours: tuple[float, float, bool]) -> str:
    bound = "" if theirs[2] else "> "
    return f"{bound}{theirs[0] / ours[0]:.2g}, {bound}{theirs[1] / ours[1]:.2g}"


def _batch(runs: int = 128, steps: int = 50) -> Iterator[str]:
    """Descent on 128 small ReLU networks at once against autograd on one after the
    other.
    """
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(20, 5, generator=generator, dtype=torch.float64)
    y = torch.sign(X[:, 0] * X[:, 1])
    model = Margins(Network(X, (20,), LeakyReLU(), biases=False), y)
    theta = 0.3 * torch.randn(runs, 20 * 6, generator=generator, dtype=torch.float64)
    began = time.perf_counter()
    together = descend(
        Objective(model, Exponential()), theta, constant(0.01), steps=[steps]
    ).theta[0]
    batched = time.perf_counter() - began
    began = time.perf_counter()
    alone = torch.stack([_autograd_descent(X, y, one, steps) for one in theta[:8]])
    looped = (time.perf_counter() - began) * runs / 8
    agreement = float((together[:8] - alone).abs().max())
    yield (
        f"{runs} ReLU networks (n = 20, d = 5, m = 20): a loop of autograd takes "
        f"{looped / batched:.0f} x the time of the batch; largest difference of a "
        f"parameter {agreement:.0e}"
    )


def _autograd_descent(X: Tensor, y: Tensor, theta: Tensor, steps: int) -> Tensor:
    for _ in range(steps):
        theta = theta.detach().requires_grad_()
        a, w = theta[:20], theta[20:].reshape(20, 5)
        loss = torch.exp(-y * ((X @ w.T).relu() @ a)).mean()
        (gradient,) = torch.autograd.grad(loss, theta)
        theta = theta - 0.01 * gradient
    return theta.detach()
