"""Networks trained past the edge of stability, and the valley along which two methods
drift.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.directions import Gradient, Momentum
from ibcore.dynamics.logged import Logged
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.trajectory import REACHED
from ibcore.losses import Loss, SoftmaxCrossEntropy, Square
from ibcore.measures.sharpness import Sharpness
from ibcore.models.network import Network
from ibcore.oracles.momentum_stability import largest_stable_curvature
from ibcore.problems.curves import chebyshev_points
from ibcore.problems.digits import CLASSES, digits_split
from ibcore.threads import threads
from ibcore.validation import regression_data

NEAR = 0.99  # of the bound: from here on a run is at the edge
BEFORE = 0.8  # of the bound: up to here it is before the edge; between two looks a spike can add a fifth


@dataclass(frozen=True)
class Method:
    """Gradient descent, with momentum `beta` of the heavy ball or of Nesterov."""

    beta: float = 0.0
    nesterov: bool = False

    @property
    def words(self) -> str:
        """The name of the method after that of a task."""
        return f", {'Nesterov' if self.nesterov else 'heavy ball'} {self.beta:g}"

    @property
    def direction(self) -> Gradient | Momentum:
        return Momentum(self.beta, self.nesterov) if self.beta else Gradient()

    def bound(self, step_size: float) -> float:
        """The largest curvature at which a step is stable."""
        return largest_stable_curvature(step_size, self.beta, nesterov=self.nesterov)


@dataclass(frozen=True)
class Batch:
    """What is trained at once: for every step size in `step_sizes` the S `starts` (S,
    P) of one network on one task.
    """

    name: str
    network: Network
    loss: Loss
    targets: Tensor
    starts: Tensor
    step_sizes: tuple[float, ...]
    steps: int
    every: int = 50
    method: Method = field(default_factory=Method)

    @property
    def objective(self) -> Objective:
        return Objective(self.network, self.loss, self.targets)

    @property
    def looks(self) -> tuple[int, ...]:
        """The steps at which the sharpness is taken, about every `every`th, even and
        odd ones in turn.

        At the edge iterates jump with period two; even steps alone would see one side
        of the jump.
        """
        even = self.every % 2 == 0
        stops = range(0, self.steps + 1, self.every)
        return tuple(
            stop + int(even and k % 2 == 1 and stop < self.steps)
            for k, stop in enumerate(stops)
        )


@dataclass(frozen=True)
class Course:
    """S runs of one kind with one step size.

    bound: the curvature up to which the method is stable.      at: (K,) steps at which
    the sharpness was taken.
    sharpness: (K, S), NaN after a run has diverged.      log_loss: (T, S), log L before
    each of T steps.
    last: (S, P), where the runs ended.      broken: why runs ended early.
    """

    name: str
    step_size: float
    bound: float
    at: Tensor
    sharpness: Tensor
    log_loss: Tensor
    last: Tensor
    broken: tuple[str, ...] = ()

    @property
    def ratio(self) -> Tensor:
        """The sharpness over the bound, (K, S)."""
        return self.sharpness / self.bound

    @property
    def late(self) -> int:
        """The place in `at` at which the last quarter begins."""
        return len(self.at) - len(self.at) // 4

    @property
    def settled(self) -> Tensor:
        """The ratio averaged over the last quarter, (S,)."""
        return self.ratio[self.late :].mean(0)

    @property
    def reached(self) -> Tensor:
        """Which runs came to the bound before the last quarter, (S,)."""
        return (self.ratio[: self.late] >= NEAR).any(0)

    def rises_before(self) -> Tensor:
        """How often the loss rose before the last look at a ratio below `BEFORE`, (S,);
        NaN where there was none.
        """
        last = _first(self.ratio >= BEFORE) - 1
        early = torch.arange(len(self.rose))[:, None] < self.at[last.clamp_min(0)]
        rises = torch.where(early, self.rose, 0.0).sum(0)
        return torch.where(last > 0, rises, math.nan)

    def rises_after(self) -> Tensor:
        """The share of the steps since the ratio came to `NEAR` that raised the loss,
        (S,); NaN where it never did.
        """
        late = torch.arange(len(self.rose))[:, None] >= self.arrival
        return torch.where(late, self.rose, 0.0).sum(0) / late.sum(0)

    def fall(self) -> Tensor:
        """The mean loss over the last quarter over the loss when the ratio came to
        `NEAR`, (S,); NaN likewise.
        """
        loss, steps = self.log_loss.exp(), len(self.log_loss)
        then = loss.gather(0, self.arrival.clamp_max(steps - 1)[None])[0]
        ratio = loss[steps - steps // 4 :].mean(0) / then
        return torch.where(self.arrival < steps, ratio, math.nan)

    @property
    def arrival(self) -> Tensor:
        """The step at which the ratio was first seen at `NEAR` or above, (S,); past the
        end where it never was.
        """
        beyond = self.at.new_tensor([int(self.at[-1]) + 1])
        return torch.cat([self.at, beyond])[_first(self.ratio >= NEAR)]

    @property
    def rose(self) -> Tensor:
        """1 where one of T - 1 steps raised the loss and 0 where not, (T - 1, S); NaN
        where the loss is not known.
        """
        change = self.log_loss.diff(dim=0)
        return torch.where(change.isnan(), math.nan, (change > 0).double())

    @property
    def peak(self) -> Tensor:
        """The largest ratio, (S,)."""
        return self.ratio.amax(0)


def _first(truth: Tensor) -> Tensor:
    """The first place of each column of (K, S) that is true, K where none is."""
    places = torch.arange(len(truth))[:, None].expand(truth.shape)
    return torch.where(truth, places, len(truth)).amin(0)


@threads()
def follow(batch: Batch) -> tuple[Course, ...]:
    """Train a batch: one course for every step size."""
    count, steps = len(batch.starts), batch.steps
    sizes = batch.starts.new_tensor(batch.step_sizes)
    sizes = sizes.repeat_interleave(count)
    start = batch.starts.repeat(len(batch.step_sizes), 1)
    pace = Logged.of(constant(sizes), start, steps)
    run = explicit.descend(
        batch.objective,
        start,
        pace,
        steps=batch.looks,
        direction=batch.method.direction,
        watch={"sharpness": Sharpness(tolerance=1e-3, most=100)},
        max_seconds=math.inf,
    )
    table, numbers = pace.table, range(len(batch.step_sizes))
    return tuple(_course(batch, number, run, table) for number in numbers)


def _course(batch: Batch, number: int, run: explicit.Run, table: Tensor) -> Course:
    """The runs with step size `number` of a batch."""
    count, size = len(batch.starts), batch.step_sizes[number]
    part = slice(number * count, (number + 1) * count)
    name = f"{batch.name}, step {size:g}"
    return Course(
        name,
        size,
        batch.method.bound(size),
        torch.tensor(batch.looks),
        run.watched["sharpness"][:, part].cpu(),
        table[:, part].cpu(),
        run.last[part].cpu(),
        tuple(f"{name}: {word}" for word in run.status[part] if word != REACHED),
    )


def starts_of(network: Network, seeds: Sequence[int]) -> Tensor:
    """PyTorch's default start of a network for every seed, (S, P)."""
    return torch.cat(
        [network.initial(1, torch.Generator().manual_seed(seed)) for seed in seeds]
    )


def chebyshev(
    activation: str,
    seeds: Sequence[int],
    step_sizes: tuple[float, ...],
    steps: int,
    device: torch.device,
    *,
    method: Method | None = None,
    every: int = 50,
) -> Batch:
    """Networks 1-20-20-1 on 20 points of the Chebyshev polynomial of degree 3, with the
    square loss.
    """
    points = chebyshev_points(3, 20).to(device)
    network = Network(points.inputs[0], (20, 20), activation)
    return Batch(
        f"Chebyshev, {activation}" + (method.words if method else ""),
        network,
        Square(),
        points.y[0],
        starts_of(network, seeds),
        step_sizes,
        steps,
        every,
        method or Method(),
    )


def signs(
    seeds: Sequence[int], step_size: float, steps: int, device: torch.device
) -> Batch:
    """Networks 1-20-20-2 that tell the sign of the same polynomial at its 20 points,
    with cross-entropy.
    """
    points = chebyshev_points(3, 20).to(device)
    network = Network(points.inputs[0], (20, 20), "tanh", out=2)
    return Batch(
        "signs, tanh",
        network,
        SoftmaxCrossEntropy(),
        (points.y[0] > 0).long(),
        starts_of(network, seeds),
        (step_size,),
        steps,
    )


def digits(
    activation: str,
    seeds: Sequence[int],
    step_sizes: tuple[float, ...],
    steps: int,
    device: torch.device,
    *,
    examples: int = 300,
    widths: tuple[int, ...] = (32, 32),
    data_seed: int = 0,
) -> Batch:
    """Networks 64-32-32-10 on handwritten digits with centered pixels, with the square
    loss on one-hot targets.
    """
    data = digits_split(
        examples, 100, torch.Generator().manual_seed(data_seed), device=device
    )
    network = Network(data.X_train, widths, activation, out=CLASSES)
    targets = torch.nn.functional.one_hot(data.y_train, CLASSES).to(data.X_train)
    return Batch(
        f"digits, {activation}",
        network,
        Square(),
        targets,
        starts_of(network, seeds),
        step_sizes,
        steps,
        every=100,
    )


def own_points(
    X: object,
    y: object,
    activation: str,
    seeds: Sequence[int],
    step_sizes: tuple[float, ...],
    steps: int,
) -> Batch:
    """Networks d-20-20-1 on a reader's own X (n, d) and y (n,), with the square loss.

    Raises `InvalidInput` for data that are not finite or do not fit each other.
    """
    inputs, targets = regression_data(X, y)
    network = Network(inputs, (20, 20), activation)
    starts = starts_of(network, seeds)
    name = f"own data, {activation}"
    return Batch(name, network, Square(), targets, starts, step_sizes, steps)
