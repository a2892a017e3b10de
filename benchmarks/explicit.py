"""The loop of explicit methods at 16,384 members, against the same tensor operations
without a loop around them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

import torch
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Exponential, Square
from ibcore.models.activations import SquaredReLU
from ibcore.models.linear import Linear
from ibcore.models.margins import Margins
from ibcore.models.network import Network

MEMBERS, STEPS, REPEATS = 16_384, 60, 5
ETA = 0.01


def run() -> Iterator[str]:
    """Medians of the ratio over pairs of runs, one after the other."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(20, 5, generator=generator, dtype=torch.float64)
    y = X[:, 0].sign()
    linear, net, margins = (
        Linear(X),
        Network(X, (8,), "tanh"),
        Margins(Network(X, (8,), SquaredReLU(), biases=False), y),
    )
    cases: tuple[tuple[str, Objective, Callable[[Tensor], Tensor]], ...] = (
        (
            "linear regression",
            Objective(linear, Square(), y),
            lambda w: linear.pullback(w, 2 / len(X) * (linear.outputs(w) - y)),
        ),
        (
            "ReLU^2 margins, exponential loss",
            Objective(margins, Exponential()),
            lambda theta: (
                -margins.pullback(theta, torch.exp(-margins.outputs(theta)) / len(X))
            ),
        ),
        (
            "tanh network, square loss",
            Objective(net, Square(), y),
            lambda theta: _network_slope(net, theta, y),
        ),
    )
    for name, objective, gradient in cases:
        size = objective.model.dimension  # type: ignore[attr-defined]
        start = 0.3 * torch.randn(
            MEMBERS, size, generator=generator, dtype=torch.float64
        )
        ratios = [
            _loop(objective, start) / _bare(gradient, start) for _ in range(REPEATS)
        ]
        yield f"{name}: {median(ratios):.2f} x the bare operations"


def _network_slope(net: Network, theta: Tensor, y: Tensor) -> Tensor:
    outputs, pull = net.vjp(theta)
    return pull(2 / len(y) * (outputs - y))


def _loop(objective: Objective, start: Tensor) -> float:
    began = time.perf_counter()
    descend(objective, start, constant(ETA), steps=[STEPS])
    return time.perf_counter() - began


def _bare(gradient: Callable[[Tensor], Tensor], start: Tensor) -> float:
    began = time.perf_counter()
    theta = start
    for _ in range(STEPS):
        theta = theta - ETA * gradient(theta)
    return time.perf_counter() - began
