"""Points on a line, ReLU networks trained on them, and where these networks bend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.sphere_flow import sphere_flow
from ibcore.losses import Exponential
from ibcore.measures.linear_regions import Kinks, merged_kinks, neuron_kinks
from ibcore.models import Linear
from ibcore.models.margins import Margins
from ibcore.models.network import Network, of_neurons
from ibcore.oracles.linear_regions import least_regions
from ibcore.oracles.variation_norm import VariationMargin, variation_margin
from ibcore.problems.clusters import Clusters, alternating_clusters
from ibcore.validation import InvalidInput, binary_data

# Kinks within this share of a gap from a larger one count as part of it.
FINE, COARSE = 0.02, 0.5
COARSEST, FINEST, WINDOW = 0.05, 1e-4, 100  # steps on the sphere
MOST_CHANGES = 8  # of a reader's labels: the number of steps grows like its square


def relu_network(inputs: Tensor, width: int) -> Network:
    """f(x) = sum_j a_j relu(w_j.x) on inputs with a constant entry."""
    return Network(inputs, (width,), "relu", biases=False)


@dataclass(frozen=True)
class Line:
    """Points on a line, what theory says of them, and networks before training.

    least: the least number of linear regions.      best: the network of largest margin.
    start: (W, P) for W widths, narrow networks padded with neurons that are zero.
    """

    problem: Clusters
    least: int
    best: VariationMargin
    start: Tensor

    @property
    def net(self) -> Network:
        return relu_network(self.problem.X, self.start.shape[-1] // 3)

    def merged(self, positions: Tensor, jumps: Tensor, radius: float) -> Kinks:
        """Kinks between the outermost points, merged within `radius` times the gap."""
        x = self.problem.x
        reach = radius * self.problem.gap
        return merged_kinks(positions, jumps, float(x.min()), float(x.max()), reach)

    def best_kinks(self) -> Kinks:
        """Those of the network of largest margin."""
        return self.merged(*neuron_kinks(self.best.masses, self.best.directions), FINE)

    def split_margin(self, distance: float) -> float:
        """The largest margin after each kink is torn in two, over what it was before.

        Every kink between the outermost points becomes two of half its jump, `distance`
        gaps apart.
        """
        u, c, x = self.best.directions, self.best.masses, self.problem.x
        places, _ = neuron_kinks(c, u)
        inside = (places > x.min()) & (places < x.max())
        shift = torch.where(inside, distance / 2 * self.problem.gap * u[:, 0], 0.0)
        moved = [torch.stack([u[:, 0], u[:, 1] + s * shift], -1) for s in (1, -1)]
        theta = of_neurons(torch.cat([c, c]) / 2, torch.cat(moved))
        net = relu_network(self.problem.X, 2 * len(c))
        a, w = net.neurons(theta)
        least = (self.problem.y * net.outputs(theta[None])[0]).min()
        norm = (a.abs() * w.norm(dim=-1)).sum()
        return float(least / norm) / self.best.margin


@dataclass(frozen=True)
class TrainedLine(Line):
    """A `Line` after training.

    trained: (W, P), directions at the end.
    margins: (W,), normalized, over the largest possible.
    """

    trained: Tensor
    margins: Tensor

    def kinks(self, radius: float) -> list[Kinks]:
        """Kinks of every network, merged within `radius` times the gap."""
        a, w = self.net.neurons(self.trained)
        rows = zip(a, w, strict=True)
        return [self.merged(*neuron_kinks(*row), radius) for row in rows]

    def misplaced(self) -> Tensor:
        """Largest distance of a kink of the optimum from one of the networks, in gaps,
        (W,).

        Of the merged kinks as many as the optimum has, the largest, are compared;
        infinite where a network has fewer kinks.
        """
        there = self.best_kinks().positions
        distances = torch.full((len(self.trained),), torch.inf, dtype=there.dtype)
        for k, kinks in enumerate(self.kinks(COARSE)):
            largest = kinks.jumps.abs().argsort(descending=True)[: len(there)]
            if len(largest) == len(there):
                found = kinks.positions[largest].sort().values
                distances[k] = (found - there).abs().amax()
        return distances / self.problem.gap


@dataclass(frozen=True)
class Batch:
    """Lines with equally many points, whose networks train together."""

    lines: tuple[Line, ...]
    steps: int


def padded_start(widths: Sequence[int], generator: torch.Generator) -> Tensor:
    """Standard normal weights over the root of the width, (len(widths), 3 max(widths)).

    A narrow network is a wide one whose further neurons are zero, and gradient flow
    never moves a zero neuron.
    """
    a = torch.zeros(len(widths), max(widths), dtype=torch.float64)
    w = torch.zeros(len(widths), max(widths), 2, dtype=torch.float64)
    for row, width in enumerate(widths):
        draw = torch.randn(width, 3, generator=generator, dtype=torch.float64)
        draw = draw / width**0.5
        a[row, :width], w[row, :width] = draw[:, 0], draw[:, 1:]
    return of_neurons(a, w)


def drawn_lines(
    changes: int, each: int, widths: Sequence[int], seeds: Sequence[int]
) -> tuple[Line, ...]:
    """Clusters of `each` points with a random start, for every seed."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    problems = [alternating_clusters(changes, each, one) for one in generators]
    starts = [padded_start(widths, one) for one in generators]
    return tuple(
        Line(
            problem,
            least_regions(problem.x, problem.y),
            variation_margin(problem.X, problem.y),
            start,
        )
        for problem, start in zip(problems, starts, strict=True)
    )


def own_lines(
    X: object, y: object, widths: Sequence[int], seeds: Sequence[int]
) -> tuple[Line, ...]:
    """A reader's points X (n, 1) and y (n,), with a random start for every seed."""
    problem = given_points(X, y)
    best = variation_margin(problem.X, problem.y)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return tuple(
        Line(problem, problem.changes, best, padded_start(widths, one))
        for one in generators
    )


def given_points(X: object, y: object) -> Clusters:
    """Points X (n, 1) with labels y (n,), moved to fill [-2, 2].

    The gap is the least distance between neighbors of different labels.
    Raises `InvalidInput` for several columns, for labels that never change or too
    often, and for a point with both.
    """
    inputs, labels = binary_data(X, y)
    if inputs.shape[1] != 1:
        raise InvalidInput(
            f"X has {inputs.shape[1]} columns, expected points on a line (n, 1). "
            "Choose a column, X[:, [0]]."
        )
    order = inputs[:, 0].argsort()
    x, signs = inputs[order, 0].double(), labels[order].double()
    changes = int((signs[1:] != signs[:-1]).sum())
    if not 1 <= changes <= MOST_CHANGES:
        raise InvalidInput(
            f"from left to right the labels change {changes} times, expected 1 to "
            f"{MOST_CHANGES} changes. Pass labels of both signs that alternate less."
        )
    least_regions(x, signs)
    x = 4 * (x - x[0]) / (x[-1] - x[0]) - 2
    gap = float(x.diff()[signs[1:] != signs[:-1]].min())
    return Clusters(torch.stack([x, torch.ones_like(x)], -1), signs, changes, gap)


def train(
    batch: Batch, device: torch.device, coarsest: float = COARSEST
) -> tuple[TrainedLine, ...]:
    """All networks of a batch, by steps that shrink from `coarsest` to `FINEST`."""
    lines, widths = batch.lines, len(batch.lines[0].start)
    start = torch.cat([line.start for line in lines]).to(device)
    inputs, labels = (
        torch.stack(rows).repeat_interleave(widths, 0).to(device)
        for rows in ([p.problem.X for p in lines], [p.problem.y for p in lines])
    )
    net = lines[0].net.on(inputs)
    run = sphere_flow(
        Margins(net, labels),
        start,
        degree=2,
        steps=batch.steps,
        coarsest=coarsest,
        finest=FINEST,
        window=WINDOW,
    )
    trained, margins = (
        part.cpu().unflatten(0, (-1, widths))
        for part in (run.direction, run.margins[-1])
    )
    return tuple(
        TrainedLine(
            **vars(line), trained=trained[k], margins=2 * margins[k] / line.best.margin
        )
        for k, line in enumerate(lines)
    )


def train_output_layer(line: Line, device: torch.device) -> Kinks:
    """Kinks of the widest network with its hidden layer left at the start."""
    a, w = line.net.neurons(line.start[-1:])
    features = (line.problem.X @ w.mT).relu()
    signed = (line.problem.y[:, None] * features).to(device)
    run = flow(Linear(signed), Exponential(), a.to(device), log_loss=-1e4)
    return line.merged(*neuron_kinks(run.theta[0, 0].cpu(), w[0]), COARSE)
