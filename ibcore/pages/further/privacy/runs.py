"""Networks trained with weight decay on a few points, and what an attacker reads off
their parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.directions import Momentum
from ibcore.dynamics.objective import FunctionObjective
from ibcore.dynamics.paces import constant
from ibcore.losses import softplus
from ibcore.measures.reconstruction import (
    Candidates,
    Layers,
    candidates,
    distances,
    distinct_neurons,
    outside,
    random_points,
    row_space,
)
from ibcore.models.base import Model
from ibcore.models.network import Network
from ibcore.oracles.twin_data import twin_inputs
from ibcore.problems.digits import CLASSES, digits_split
from ibcore.validation import InvalidInput, real_tensor

WIDTH = 60
DECAY = 0.005
STRONGER = 0.01  # decay with 20 outputs, so that training is as fast
FEW, MANY = (6, 10), (10, 20)  # points and outputs
HELD = 100
REST = 3e-9  # length of the gradient at which training stops
MOST_STEPS = 60_000
EARLY = 30
CLOSE = 1e-2
NOISES = (1e-6, 1e-4, 1e-2)
_POOL = 200


@dataclass(frozen=True)
class Group:
    """B networks of one hidden layer with tanh, with training data of their own.

    inputs: (B, n, d).      held: (B, h, d), other points of the same kind.      signs:
    (B, n, K), labels +-1.
    start: (B, P).
    """

    inputs: Tensor
    held: Tensor
    signs: Tensor
    start: Tensor
    decay: float = DECAY
    width: int = WIDTH

    @property
    def model(self) -> Network:
        return Network(self.inputs, (self.width,), "tanh", self.signs.shape[-1])

    @property
    def objective(self) -> FunctionObjective:
        """(1/n) sum_i sum_k log(1 + exp(-y_ik f_k(x_i))) + (decay/2) |theta|^2, with
        its gradient.
        """
        model, examples = self.model, self.inputs.shape[1]

        def values(theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
            signs = self.signs[members]
            outputs, pull = model.select(members).vjp(theta)
            margins = signs * outputs.reshape(signs.shape)
            loss = softplus(-margins).sum((1, 2)) / examples
            weights = -signs * torch.sigmoid(-margins) / examples
            return (
                loss + self.decay / 2 * theta.square().sum(-1),
                pull(weights.reshape(outputs.shape)) + self.decay * theta,
            )

        return FunctionObjective(values)

    def layers(self, theta: Tensor) -> list[Layers]:
        """The parameters (B, P) network by network."""
        d, outputs = self.inputs.shape[-1], self.signs.shape[-1]
        inner, shift, outer, top = theta.split(
            [self.width * d, self.width, outputs * self.width, outputs], -1
        )
        matrices = inner.unflatten(1, (-1, d)), outer.unflatten(1, (outputs, -1))
        parts = zip(matrices[0], shift, matrices[1], top, strict=True)
        return [Layers(*part) for part in parts]

    def on(self, inputs: Tensor) -> Group:
        """The same networks and labels on other inputs (B, n, d)."""
        return replace(self, inputs=inputs)


@dataclass(frozen=True)
class Problems:
    """Random signs for 6 points and 10 outputs, and for 10 and 20; one-hot labels; one
    output.
    """

    few: Group
    many: Group
    onehot: Group
    single: Group


@dataclass(frozen=True)
class Outcome:
    """What became of B networks with n points each, and what the attacker found.

    identity: (B,), decay |theta - sum_i c_i grad f(x_i)|.
    rank, outer_rank, neurons: (B,), ranks of [W b] and [V c], and the number of
    distinct neurons.
    spans: (2, B), how far (x_i, 1) and (tanh(W x_i + b), 1) lie outside the two row
    spaces at most, over the bound |gradient| / (decay sigma_n); NaN where a rank is not
    n.
    found, held, drawn: (B, n), relative distance of every training point to the nearest
    candidate of the attacker, to the nearest of the held-out points, and to the nearest
    of as many random candidates.
    """

    identity: Tensor
    rank: Tensor
    outer_rank: Tensor
    neurons: Tensor
    spans: Tensor
    found: Tensor
    held: Tensor
    drawn: Tensor

    @property
    def solved(self) -> Tensor:
        """Networks of which every point was found within one percent, (B,)."""
        return (self.found < CLOSE).all(-1)

    @property
    def enough(self) -> Tensor:
        """Networks with more distinct neurons than 2 (n - 1), as the count of equations
        asks, (B,).
        """
        return self.neurons > 2 * (self.found.shape[1] - 1)


def drawn(seeds: Sequence[int], device: torch.device) -> Problems:
    """Handwritten digits, the pixels centered, of mean squared length one."""
    splits, generators = [], [torch.Generator().manual_seed(seed) for seed in seeds]
    for generator in generators:
        split = digits_split(_POOL, HELD, generator)
        splits.append((split.X_train / 8, split.y_train, split.X_test / 8))
    inputs, classes, held = (torch.stack(part) for part in zip(*splits, strict=True))
    return _problems(inputs.to(device), classes, held.to(device), generators)


def own(X: object, y: object, seeds: Sequence[int], device: torch.device) -> Problems:
    """Rows of a reader's X (N, d), centered, of mean squared length one; y (N,) are
    classes, numbered modulo ten.
    """
    points = real_tensor("X", X, ndim=2).double()
    least = 4 * MANY[0]
    if len(points) < least or points.shape[1] < MANY[0] - 1:
        raise InvalidInput(
            f"X has shape {tuple(points.shape)}, expected at least {least} rows and "
            f"{MANY[0] - 1} columns: the rank of the first layer tells ten points only "
            "where ten points can be independent."
        )
    labels = torch.from_numpy(np.unique(np.asarray(y), return_inverse=True)[1])
    if len(labels) != len(points):
        raise InvalidInput(
            f"y has {len(labels)} labels for {len(points)} rows of X; give one each."
        )
    points = points - points.mean(0)
    points = points / points.square().sum(-1).mean().sqrt()
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    orders = [torch.randperm(len(points), generator=g) for g in generators]
    inputs = torch.stack([points[order] for order in orders]).to(device)
    classes = torch.stack([labels[order] % CLASSES for order in orders])
    held = inputs[:, MANY[0] : MANY[0] + HELD]
    return _problems(inputs[:, : MANY[0]], classes, held, generators)


def _problems(
    inputs: Tensor,
    classes: Tensor,
    held: Tensor,
    generators: Sequence[torch.Generator],
) -> Problems:
    """The four groups on the first of the inputs (B, N, d)."""
    number = torch.arange(CLASSES)
    onehot = 2.0 * (classes[:, : FEW[0], None] == number).double() - 1
    few, many = inputs[:, : FEW[0]], inputs[:, : MANY[0]]
    wide = group(many, held, random_signs(*MANY, generators), generators)
    return Problems(
        group(few, held, random_signs(*FEW, generators), generators),
        replace(wide, decay=STRONGER),
        group(few, held, onehot, generators),
        group(few, held, random_signs(FEW[0], 1, generators), generators),
    )


def random_signs(
    points: int, outputs: int, generators: Sequence[torch.Generator]
) -> Tensor:
    """Labels (B, n, K), +1 or -1 with equal chance."""
    shape = (points, outputs)
    draws = [torch.randint(2, shape, generator=g) for g in generators]
    return 2.0 * torch.stack(draws).double() - 1


def group(
    inputs: Tensor, held: Tensor, signs: Tensor, generators: Sequence[torch.Generator]
) -> Group:
    """Networks with PyTorch's default start."""
    model = Network(inputs[0], (WIDTH,), "tanh", signs.shape[-1])
    start = torch.cat([model.initial(1, generator) for generator in generators])
    return Group(inputs, held, signs.to(inputs), start.to(inputs))


def train(problem: Group, *, steps: int | None = None) -> Tensor:
    """Parameters (B, P) where the gradient is at most `REST` long, or after so many
    steps of Nesterov's method.
    """
    run = explicit.descend(
        problem.objective,
        problem.start,
        constant(step_size(problem.signs.shape[-1])),
        direction=Momentum(0.98, nesterov=True),
        until=lambda point: point.gradient.norm(dim=-1) <= REST,
        ask_every=25,
        max_steps=MOST_STEPS if steps is None else steps,
        max_seconds=math.inf,
    )
    return run.last


def step_size(outputs: int) -> float:
    """A step below the stability limit: the curvature of the loss grows with the number
    of outputs.
    """
    return 0.6 if outputs == 1 else min(0.3, 3 / outputs)


def combination(problem: Group, theta: Tensor) -> Tensor:
    """sum_i c_i grad f(x_i), (B, P), with the coefficients of stationarity, by
    automatic differentiation.
    """
    model = problem.model
    outputs = model.outputs(theta)
    margins = problem.signs * outputs.reshape(problem.signs.shape)
    factor = 1 / (problem.decay * problem.inputs.shape[1])
    weights = factor * problem.signs * torch.sigmoid(-margins)
    return Model.pullback(model, theta, weights.reshape(outputs.shape))


def identity_gap(problem: Group, theta: Tensor) -> Tensor:
    """decay |theta - sum_i c_i grad f(x_i)|, (B,)."""
    return problem.decay * (theta - combination(problem, theta)).norm(dim=-1)


def attack(
    problem: Group, theta: Tensor, points: int | None = None
) -> list[Candidates]:
    """What an attacker finds who is given theta (B, P), and perhaps the number of
    points, and nothing else.
    """
    return [
        candidates(layers, torch.Generator().manual_seed(number), points=points)
        for number, layers in enumerate(problem.layers(theta))
    ]


def outcome(problem: Group, theta: Tensor) -> Outcome:
    """The attack on networks with parameters theta (B, P), judged with the training
    data in hand.
    """
    gradient = problem.objective.at(theta).gradient.norm(dim=-1)
    rows = []
    every = zip(problem.layers(theta), attack(problem, theta), strict=True)
    for place, (layers, found) in enumerate(every):
        points = problem.inputs[place]
        generator = torch.Generator().manual_seed(10_000 + place)
        chance, _ = random_points(layers, len(problem.held[place]), generator)
        rows.append(
            (
                theta.new_tensor(found.rank),
                theta.new_tensor(found.outer_rank),
                theta.new_tensor(distinct_neurons(layers)),
                _spans(layers, points, float(gradient[place]) / problem.decay),
                distances(points, found.points),
                distances(points, problem.held[place]),
                distances(points, chance),
            )
        )
    rank, outer, neurons, spans, found_, held, chance_ = (
        torch.stack(part) for part in zip(*rows, strict=True)
    )
    gap = identity_gap(problem, theta)
    return Outcome(gap, rank, outer, neurons, spans.T, found_, held, chance_)


def _spans(layers: Layers, points: Tensor, error: float) -> Tensor:
    """How far what should lie in the two row spaces lies outside, over the bound error
    / sigma_n, (2,).
    """
    count = len(points)
    with_one = torch.cat([points, torch.ones_like(points[:, :1])], 1)
    ratios = []
    for matrix, vectors in (
        (layers.below, with_one),
        (layers.above, layers.hidden(points)),
    ):
        basis, rank = row_space(matrix)
        if rank != count:
            ratios.append(points.new_tensor(math.nan))
            continue
        off = outside(vectors, basis).norm(dim=-1) / vectors.norm(dim=-1)
        least = torch.linalg.svdvals(matrix)[count - 1]
        ratios.append(off.max() * least / error)
    return torch.stack(ratios)


def twin(problem: Group, theta: Tensor) -> Group:
    """Other training inputs, as near to held-out points as can be, with the same
    stationary parameters (B, P).
    """
    parts = []
    for place, layers in enumerate(problem.layers(theta)):
        points = problem.inputs[place]
        wanted = problem.held[place, : len(points)]
        _, rank = row_space(layers.below)
        parts.append(twin_inputs(points, wanted, layers.below, rank))
    return problem.on(torch.stack(parts))


def noisy(theta: Tensor, size: float, seed: int) -> Tensor:
    """theta (B, P) with normal noise, independent in all parameters, of length `size`
    |theta| in the mean square.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(theta.shape, generator=generator, dtype=torch.float64)
    length = theta.norm(dim=-1, keepdim=True) / theta.shape[-1] ** 0.5
    return theta + size * length * noise.to(theta)


def noise_curve(
    problem: Group, theta: Tensor, sizes: Sequence[float] = NOISES
) -> Tensor:
    """Distances of the points to the attacker's nearest candidates under noise on
    theta, (S, B, n).

    The attacker is told the number of points, which noise would hide.
    """
    rows, count = [], problem.inputs.shape[1]
    for size in sizes:
        found = attack(problem, noisy(theta, size, seed=1), count)
        pairs = zip(problem.inputs, found, strict=True)
        rows.append(torch.stack([distances(x, f.points) for x, f in pairs]))
    return torch.stack(rows)
