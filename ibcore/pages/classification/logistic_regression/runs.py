"""Separable problems with their max-margin solutions, and gradient flow on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.protocols import TailLoss
from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.losses import Logistic, PolynomialTail
from ibcore.models import Linear
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.problems.separable import Classification, PlantedMargin, planted_margin
from ibcore.validation import InvalidInput, binary_data

SHAPES = ((8, 3), (20, 2), (20, 10), (50, 20), (50, 100))
LEAST_RATE = 5e-3  # the remainder t^-rate is below e^-5 from log t = 1000 on
OWN_RATE = 4e-3  # of a reader's data: t^-rate is below 1e-10 from log t = 6000 on
LOG_10 = math.log(10)


@dataclass(frozen=True)
class Batch:
    """B problems of one shape with their max-margin solutions.

    signed: rows y_i x_i, (B, n, d).      w_hat: (B, d).      gamma: (B,).
    duals: (B, n), 0 off the support.
    rates: (B,), exponents with which the remainders settle.
    certified: (B,), relative gap or violation of the program, the larger one.
    """

    signed: Tensor
    w_hat: Tensor
    gamma: Tensor
    duals: Tensor
    rates: Tensor
    certified: Tensor

    @classmethod
    def of(
        cls,
        solved: Sequence[tuple[Classification, MaxMargin]],
        device: torch.device,
    ) -> Batch:
        """Problems of one shape with their solutions."""
        best = [solution for _, solution in solved]
        tensors = (
            torch.stack([problem.signed for problem, _ in solved]),
            torch.stack([one.primal for one in best]),
            _numbers([one.margin for one in best]),
            torch.stack([one.dual for one in best]),
            _numbers([one.rate for one in best]),
            _numbers([float(np.maximum(one.gap, one.violation)) for one in best]),
        )
        return cls(*(tensor.to(device) for tensor in tensors))

    def flow(self, loss: TailLoss | None = None, **options: Any) -> Trajectory:
        """Gradient flow from w = 0 on every problem; options as for `log_time.flow`."""
        return follow(self.signed, loss or Logistic(), **options)


def _numbers(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@dataclass(frozen=True)
class Problems:
    """Batches of several shapes, and how many draws settle too slowly and were
    rejected.
    """

    batches: tuple[Batch, ...]
    rejected: int

    @property
    def certified(self) -> Tensor:
        """Relative gap or violation of every max-margin program, (N,)."""
        return torch.cat([batch.certified for batch in self.batches])


def draw_problems(setting: Setting, each: int, purpose: str) -> Problems:
    """`each` problems of every shape whose remainder decays at `LEAST_RATE` or more."""
    batches, rejected = [], 0
    for n, d in SHAPES:
        kept, more = draw_solved(setting, each, f"{purpose} {n} {d}", (n, d))
        batches.append(Batch.of(kept, setting.device))
        rejected += more
    return Problems(tuple(batches), rejected)


def draw_solved(
    setting: Setting,
    count: int,
    purpose: str,
    shape: tuple[int, int],
    good: Callable[[MaxMargin], bool] = lambda solution: solution.rate >= LEAST_RATE,
) -> tuple[list[tuple[PlantedMargin, MaxMargin]], int]:
    """`count` separable problems with solutions that are `good`, and how many were not."""

    def keep(generator: torch.Generator) -> tuple[PlantedMargin, MaxMargin] | None:
        problem = planted_margin(*shape, 0.1, generator)
        solution = max_margin(problem.X, problem.y)
        return (problem, solution) if good(solution) else None

    return setting.draw(count, purpose, keep)


def in_own_units(X: object, y: object) -> Classification:
    """A reader's X (n, d) and y (n,) in {-1, +1}, inputs scaled to mean square 1."""
    inputs, labels = binary_data(X, y)
    inputs = inputs.double()
    size = inputs.square().mean().sqrt()
    return Classification(inputs / size if size > 0 else inputs, labels.double())


def own_problem(setting: Setting, X: object, y: object) -> Problems:
    """A reader's X (n, d) and y (n,) in {-1, +1}, inputs scaled to mean square 1.

    Raises `InvalidInput` for malformed data and for data whose rate is below
    `OWN_RATE`, and `NotSeparable` where no hyperplane through the origin separates
    them.
    """
    data = in_own_units(X, y)
    best = max_margin(data.X, data.y)
    if best.rate < OWN_RATE:
        raise InvalidInput(
            f"the flow on these data settles like t^-{best.rate:.2g}, too slowly for "
            f"the times of the claim, which needs t^-{OWN_RATE:g} or faster. Some "
            "examples are almost support vectors, or almost dependent; remove those, "
            "or scale the columns."
        )
    return Problems((Batch.of([(data, best)], setting.device),), 0)


def follow(signed: Tensor, loss: TailLoss, **options: Any) -> Trajectory:
    """Gradient flow from w = 0 on signed inputs (B, n, d), by the device's faster
    method.

    One problem after the other by LSODA on the CPU, all at once by the log-time flow on
    a GPU. The scale-free coordinates of a model of degree 1 are for tails that are
    powers, where |w| grows like a power of t.
    """
    model, start = Linear(signed), torch.zeros_like(signed[:, 0])
    if signed.device.type != "cpu":
        return flow(model, loss, start, **options)
    degree = 1 if isinstance(loss, PolynomialTail) else None
    return scipy_flow(model, loss, start, degree=degree, **options)
