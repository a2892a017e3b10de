"""Problems of the page on modified losses, the iterates of gradient methods on them,
and the flows beside them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.batches import prescribed
from ibcore.dynamics.objective import FunctionObjective, Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.trajectory import early_ends
from ibcore.losses import Square
from ibcore.models.network import Network
from ibcore.oracles.modified_loss import (
    Flow,
    Losses,
    first_error,
    modified_flow,
    network_errors,
    sharpness,
)
from ibcore.problems.curves import sine_points
from ibcore.threads import threads
from ibcore.validation import InvalidInput, regression_data

WIDTH = 8
TIME = 4.0  # of the runs of gradient descent, in units of 1 / (sharpness at the start)
STEPS = (25, 50, 100, 200, 400)  # in which gradient descent spends this time
COEFFICIENTS = (0.0, 0.25, 0.5)  # of eta |grad L|^2 in a modified loss
EPOCHS = (
    0.16,
    0.08,
    0.04,
    0.02,
    0.01,
    0.005,
    0.0025,
    0.00125,
)  # times m eta, in the same units
RIVALS = ("flow", "whole", "parts")  # which penalty is added to L


@dataclass(frozen=True)
class Networks:
    """B networks f(x) = a . tanh(W x + b) + c, each with data X (B, n, d), y (B, n) and
    a start (B, P) of its own.

    unit: (B,), 1 / (largest eigenvalue of the Hessian of L at the start), in which
    times are measured.
    """

    X: Tensor
    y: Tensor
    start: Tensor
    unit: Tensor

    @classmethod
    def of(cls, X: Tensor, y: Tensor, seeds: Sequence[int]) -> Networks:
        """Random starts, PyTorch's default, and a random order of the examples, for X
        (B, n, d) and y (B, n).

        Raises `InvalidInput` where L is not curved upwards in any direction at a start.
        """
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        order = torch.stack(
            [torch.randperm(y.shape[1], generator=g) for g in generators]
        ).to(y.device)
        X = X.gather(1, order[..., None].expand_as(X))
        y = y.gather(1, order)
        net = Network(X, (WIDTH,))
        start = torch.cat([net.initial(1, g) for g in generators]).to(X)
        largest = sharpness(mean_losses(X, y), start)
        if not bool((largest > 0).all()):
            raise InvalidInput(
                "the loss has no direction of positive curvature at a random start, so "
                "there is no unit of time. Standardize the columns of X and y."
            )
        return cls(X, y, start, 1 / largest)

    @classmethod
    def draw(cls, seeds: Sequence[int], n: int, device: torch.device) -> Networks:
        """`n` noisy points of a sine for every seed."""
        points = [
            sine_points(1, n, torch.Generator().manual_seed(seed)) for seed in seeds
        ]
        X, y = (torch.cat([getattr(p, name) for p in points]) for name in ("x", "y"))
        return cls.of(X[..., None].to(device), y.to(device), seeds)

    @classmethod
    def own(
        cls, X: object, y: object, seeds: Sequence[int], device: torch.device
    ) -> Networks:
        """A reader's X (n, d) and y (n,) with one random start a seed; raises
        `InvalidInput` for malformed data.
        """
        inputs, targets = (
            part.double().to(device) for part in regression_data(X, y, single=True)
        )
        count = len(seeds)
        return cls.of(
            inputs.expand(count, -1, -1), targets.expand(count, -1), list(seeds)
        )

    def objective(self, copies: int = 1) -> Objective:
        """The mean loss of `copies` of every member, member by member."""
        X, y = (part.repeat_interleave(copies, 0) for part in (self.X, self.y))
        return Objective(Network(X, (WIDTH,)), Square(), y, shared=False)


def mean_losses(X: Tensor, y: Tensor, batches: int = 1, copies: int = 1) -> Losses:
    """The mean square losses of `batches` equal parts of the examples, as the oracles
    take them; copy by copy.
    """
    if y.shape[1] % batches:
        raise InvalidInput(
            f"{y.shape[1]} examples cannot be divided into {batches} batches of equal "
            "size."
        )
    shape = (batches, -1)
    parts = [
        part.unflatten(1, shape).repeat(copies, *[1] * part.ndim) for part in (X, y)
    ]
    return lambda theta: network_errors(theta, parts[0], parts[1]).mean(-1)


def descents(
    networks: Networks, steps: Sequence[int]
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Gradient descent that spends the same time in each number of steps.

    Returns where it ends (E, B, P), its step sizes (E, B), and what broke down.
    """
    etas = torch.stack([TIME * networks.unit / count for count in steps])
    ends: list[Tensor] = []
    broken: tuple[str, ...] = ()
    for count, eta in zip(steps, etas, strict=True):
        run = explicit.descend(
            networks.objective(),
            networks.start,
            constant(eta),
            steps=[count],
            max_seconds=math.inf,
        )
        ends.append(run.theta[0])
        broken += early_ends("gradient descent", run)
    return torch.stack(ends), etas, broken


def modified_flows(
    networks: Networks, etas: Tensor, coefficients: Sequence[float]
) -> Flow:
    """Flows on L + c eta |grad L|^2 for every coefficient c and step size: members (C E
    B), in this order.
    """
    factors = etas.new_tensor(coefficients)[:, None, None]
    copies = len(coefficients) * len(etas)
    return modified_flow(
        mean_losses(networks.X, networks.y, copies=copies),
        networks.start.repeat(copies, 1),
        TIME * networks.unit.repeat(copies),
        whole=(factors * etas).flatten(),
    )


@threads()
def distances(
    networks: Networks,
    steps: Sequence[int] = STEPS,
    coefficients: Sequence[float] = COEFFICIENTS,
) -> Distances:
    """Gradient descent beside the flows on its modified losses, at the same time."""
    ends, etas, broken = descents(networks, steps)
    flow = modified_flows(networks, etas, coefficients)
    there = flow.theta[0].unflatten(0, (len(coefficients), *etas.shape))
    e = first_error(
        mean_losses(networks.X, networks.y), networks.start, TIME * networks.unit
    )
    missed = (ends[-1] - there[0, -1]) / etas[-1][:, None] - e
    return Distances(
        etas / networks.unit,
        (ends - there).norm(dim=-1),
        missed.norm(dim=-1) / e.norm(dim=-1),
        flow.difference.unflatten(0, (len(coefficients), *etas.shape)),
        broken,
    )


@dataclass(frozen=True)
class Distances:
    """Gradient descent at E step sizes beside C flows, for B networks.

    etas: (E, B), times the sharpness at the start.      distances: (C, E, B), where
    both are at the last time.
    missed: (B,), for the first flow and at the smallest step |distance / eta - e| / |e|
    as vectors, with the derived e.
    difference: (C, E, B), between the flow and the same at a wider tolerance.
    broken: why runs ended early.
    """

    etas: Tensor
    distances: Tensor
    missed: Tensor
    difference: Tensor
    broken: tuple[str, ...] = ()

    @property
    def slopes(self) -> Tensor:
        """Of log distance in log eta between the two smallest steps, (C, B)."""
        return last_slopes(self.etas, self.distances)


def last_slopes(etas: Tensor, distances: Tensor) -> Tensor:
    """Slopes between the last two of E step sizes (E, B), for distances (..., E, B):
    (..., B).
    """
    run = torch.log(etas[-1] / etas[-2])
    return torch.log(distances[..., -1, :] / distances[..., -2, :]) / run


def every_order(batches: int) -> Tensor:
    """All orders of m batches, (m!, m)."""
    return torch.tensor(list(itertools.permutations(range(batches))))


def epochs(
    networks: Networks, etas: Tensor, orders: Tensor
) -> tuple[Tensor, tuple[str, ...]]:
    """Where one epoch ends for every step size (E, B) and order (O, m): (E, B, O, P),
    and what broke down.
    """
    count, batches = orders.shape
    size = networks.y.shape[1] // batches
    copies, members = len(etas), etas.numel()
    rows = (orders[..., None] * size + torch.arange(size)).movedim(1, 0)
    objective = networks.objective(copies * count)
    by_member = etas.T.reshape(-1, 1).expand(-1, count).flatten()
    run = explicit.descend(
        objective,
        networks.start.repeat_interleave(copies * count, 0),
        constant(by_member),
        steps=[batches],
        batches=prescribed(rows.repeat(1, members, 1)),
        max_seconds=math.inf,
    )
    ends = run.theta[0].unflatten(0, (etas.shape[1], copies, count))
    return ends.transpose(0, 1), early_ends("an epoch", run)


def rival_flows(networks: Networks, etas: Tensor, batches: int) -> Flow:
    """Flows for the time m eta on L, with (eta/4) |grad L|^2 and with (eta/4m) sum
    |grad L_i|^2: members (3 E B).
    """
    none = torch.zeros_like(etas)
    copies = len(RIVALS) * len(etas)
    return modified_flow(
        mean_losses(networks.X, networks.y, batches, copies),
        networks.start.repeat(copies, 1),
        batches * etas.repeat(len(RIVALS), 1).flatten(),
        batches=batches,
        whole=torch.cat([none, etas / 4, none]).flatten(),
        parts=torch.cat([none, none, etas / 4]).flatten(),
    )


@threads()
def many_epochs(networks: Networks, epochs: int) -> tuple[Tensor, Tensor]:
    """The mean iterate after several epochs of two batches, over all 2^epochs orders,
    beside the flow of an epoch.

    The time is 1 in units of the inverse sharpness, whatever the number of epochs.
    Returns the distances (B,) to the flow with (eta/8) sum |grad L_i|^2 and to gradient
    flow.
    """
    orders = every_order(2)
    chosen = torch.cartesian_prod(*[torch.arange(2)] * epochs).reshape(-1, epochs)
    batches = orders[chosen].flatten(1)  # (2^epochs, 2 epochs)
    size = networks.y.shape[1] // 2
    rows = (batches.T[..., None] * size + torch.arange(size)).repeat(
        1, len(networks.y), 1
    )
    etas = networks.unit / (2 * epochs)
    copies = len(chosen)
    run = explicit.descend(
        networks.objective(copies),
        networks.start.repeat_interleave(copies, 0),
        constant(etas.repeat_interleave(copies)),
        steps=[2 * epochs],
        batches=prescribed(rows),
        max_seconds=math.inf,
    )
    mean = run.theta[0].unflatten(0, (-1, copies)).mean(1)
    flow = modified_flow(
        mean_losses(networks.X, networks.y, 2, 2),
        networks.start.repeat(2, 1),
        networks.unit.repeat(2),
        batches=2,
        parts=torch.cat([etas / 4, torch.zeros_like(etas)]),
    )
    ends = flow.theta[0].unflatten(0, (2, -1))
    there, plain = (mean - ends).norm(dim=-1)
    return there, plain


# The product model L(a, b) = (a b - 1)^2, whose minima are a hyperbola.

VALLEY_TIME = 12.0


def product_loss(theta: Tensor) -> Tensor:
    """(a b - 1)^2 of theta (..., 2)."""
    return (theta[..., 0] * theta[..., 1] - 1).square()


def product_sharpness(theta: Tensor) -> Tensor:
    """2 (a^2 + b^2), the nonzero eigenvalue of the Hessian at a minimum theta (..., 2)."""
    return 2 * theta.square().sum(-1)


def _product_values(theta: Tensor, _members: Tensor) -> tuple[Tensor, Tensor]:
    rest = theta[:, 0] * theta[:, 1] - 1
    return rest.square(), 2 * rest[:, None] * theta.flip(-1)


def product_descent(start: Sequence[float], eta: float, time: float) -> Tensor:
    """Iterates (K, 2) of gradient descent on the product model up to `time`."""
    steps = list(range(round(time / eta) + 1))
    theta = torch.tensor([start], dtype=torch.float64)
    objective: Any = FunctionObjective(_product_values)
    run = explicit.descend(
        objective, theta, constant(eta), steps=steps, max_seconds=math.inf
    )
    return run.theta[:, 0]


def product_flows(
    start: Sequence[float],
    etas: Sequence[float],
    time: float,
    shares: tuple[float, ...] = (1.0,),
) -> Tensor:
    """Flows (K, E, 2) on the modified losses of gradient descent with each step size,
    on the product model.
    """
    return modified_flow(
        product_loss,
        torch.tensor([start] * len(etas), dtype=torch.float64),
        torch.full((len(etas),), time, dtype=torch.float64),
        whole=torch.tensor(etas, dtype=torch.float64) / 4,
        shares=shares,
    ).theta
