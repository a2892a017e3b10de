"""Data sets, and what perturbations do to trained and to constructed networks on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.measures.robustness import Neurons, flipped_shares, norms_to_flip
from ibcore.oracles.robustness import (
    block_network,
    block_norm,
    near_bound,
    orthogonal_bound,
    random_share,
)
from ibcore.pages.further.robustness.runs import (
    NEAR,
    Robust,
    Sets,
    in_all_dimensions,
    robust,
    train,
    universal_norms,
)
from ibcore.problems.near_orthogonal import in_their_span, near_orthogonal

POINTS, DIMENSION, FAR_DIMENSION, WIDE_DIMENSION = 20, 400, 100_000, 4000
SCALES = (1.0, 0.1)  # of the start
BLOCKS = (1, 2, 5, 10)
SHOWN = 40  # points of the sets on which trained and constructed networks are compared


@dataclass(frozen=True)
class Problems:
    """B data sets of every kind, and seeds.

    X: (B, 20, 400), nearly orthogonal.      near, orthogonal, far: in coordinates of
    their span; far in 100,000 dimensions.      wide: in 4,000 dimensions, for every
    number of points.
    """

    X: Tensor
    near: Sets
    basis: Tensor
    orthogonal: Sets
    far: Sets
    wide: dict[int, Sets]
    starts: tuple[int, ...]
    directions: int


@dataclass(frozen=True)
class Perturbed:
    """What flips the points of trained networks, in units of sqrt(d/n) where nothing
    else is said; starts S = 2.

    near: (S, B, n) along the universal direction, in 400 dimensions.      shuffled: (S,
    B), the share of points that the direction of shuffled labels flips within 2.
    shares: (3, S, B), flipped by random directions of length 2 sqrt(d/n), sqrt(d), 3
    sqrt(d).      derived: (S, B) for the last. orthogonal, orthogonal_bound, far,
    far_bound: (B, n).      built: (4, B, n), over the formula.      rho: (B,).
    wide: the norms (B, n) for every number of points.      trained_size: (B,), squared
    norm at margin 1, 40 points.
    robust: constructed networks for every number of points.
    losses: log L of all runs to 1e-150, and wide_losses of those to 1e-20.
    """

    near: Tensor
    shuffled: Tensor
    shares: Tensor
    derived: Tensor
    orthogonal: Tensor
    orthogonal_bound: Tensor
    built: Tensor
    far: Tensor
    far_bound: Tensor
    rho: Tensor
    wide: dict[int, Tensor]
    robust: dict[int, Robust]
    trained_size: Tensor
    losses: Tensor
    wide_losses: Tensor
    broken: tuple[str, ...]

    @property
    def points(self) -> Tensor:
        """The numbers of points of the wide data sets, (N,)."""
        return torch.tensor(list(self.wide), dtype=torch.float64)

    @property
    def slopes(self) -> Tensor:
        """Exponents in n of the median norm, (B,)."""
        log_n = torch.log(self.points)
        rows = [
            torch.log(norms.median(-1).values / math.sqrt(n))
            for n, norms in self.wide.items()
        ]
        centered = log_n - log_n.mean()
        return (centered[:, None] * torch.stack(rows)).sum(0) / centered.square().sum()

    @property
    def ratios(self) -> Tensor:
        """The radius of the constructed network over the largest norm that flips the
        trained one, 40 points, (B,).
        """
        largest = self.wide[SHOWN].amax(-1) / math.sqrt(SHOWN)
        return self.robust[SHOWN].radius / largest


def draw_problems(
    setting: Setting, *, datasets: int, points: tuple[int, ...], directions: int
) -> Problems:
    """Uniform inputs on the sphere of radius sqrt(d), in 400, 4,000 and 100,000
    dimensions, and orthogonal ones.
    """
    device = setting.device
    X, y = near_orthogonal(setting.seeds(datasets, "robustness"), POINTS, DIMENSION)
    X, y = X.to(device), y.to(device)
    inputs, basis = in_their_span(X)
    exact, labels = near_orthogonal(
        setting.seeds(datasets, "robustness orthogonal"),
        POINTS,
        DIMENSION,
        exactly=True,
    )
    return Problems(
        X,
        Sets(inputs, y, DIMENSION),
        basis,
        Sets(in_their_span(exact)[0].to(device), labels.to(device), DIMENSION),
        Sets.draw(
            setting.seeds(datasets, "robustness far"), POINTS, FAR_DIMENSION, device
        ),
        {
            n: Sets.draw(
                setting.seeds(datasets, f"robustness {n}"), n, WIDE_DIMENSION, device
            )
            for n in points
        },
        tuple(setting.seeds(6 * datasets + 3, "robustness starts")),
        directions,
    )


def measure_perturbations(problems: Problems, setting: Setting) -> Perturbed:  # noqa: ARG001
    """Trains on all data sets and finds what flips their points."""
    count, seeds = len(problems.X), problems.starts
    small = torch.full((count,), SCALES[1], dtype=torch.float64)
    both = torch.tensor(SCALES, dtype=torch.float64).repeat_interleave(count)
    near = problems.near.repeated(2)
    main = train(near, seeds[: 2 * count], both)
    norms = universal_norms(main.net, near)
    whole = in_all_dimensions(
        main.net, problems.basis.repeat(2, 1, 1), seeds[2 * count : 4 * count], both
    )
    straight = train(
        problems.orthogonal, seeds[4 * count : 5 * count], small, biases=False
    )
    far = train(problems.far, seeds[4 * count : 5 * count], small)
    runs = {
        n: train(sets, seeds[5 * count : 6 * count], small, NEAR)
        for n, sets in problems.wide.items()
    }
    rho, bound = near_bound(problems.far.inputs, problems.far.y, FAR_DIMENSION)
    shown = problems.wide[SHOWN]
    margins = shown.y * runs[SHOWN].net.outputs(shown.inputs)
    trained = [main, straight, far]
    return Perturbed(
        norms.unflatten(0, (2, count)),
        _shuffled(main.net, near, seeds[-1]).unflatten(0, (2, count)),
        _random(whole, problems, seeds[-2]).unflatten(1, (2, count)),
        random_share(norms * near.unit, 3 * DIMENSION**0.5, DIMENSION).unflatten(
            0, (2, count)
        ),
        universal_norms(straight.net, problems.orthogonal),
        orthogonal_bound(problems.orthogonal.y),
        _built(problems.orthogonal),
        universal_norms(far.net, problems.far),
        bound,
        rho,
        {n: universal_norms(runs[n].net, sets) for n, sets in problems.wide.items()},
        {n: robust(sets, seeds[-3]) for n, sets in problems.wide.items()},
        runs[SHOWN].net.squared_norm / margins.amin(-1),
        torch.cat([run.log_loss for run in trained]),
        torch.stack([run.log_loss for run in runs.values()]),
        tuple(word for run in (*trained, *runs.values()) for word in run.broken),
    )


def _shuffled(net: Neurons, sets: Sets, seed: int) -> Tensor:
    """The share of points that the direction of shuffled labels flips within 2
    sqrt(d/n), (B,).
    """
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(POINTS, generator=generator) for _ in sets.y]
    labels = sets.y.gather(1, torch.stack(orders).to(sets.y.device))
    return flipped_within(net, sets, sets.along(labels))


def flipped_within(net: Neurons, sets: Sets, vector: Tensor) -> Tensor:
    """The share of points that are flipped along -y_i `vector` (B, r) within 2
    sqrt(d/n), (B,).
    """
    norms = norms_to_flip(net, sets.inputs, sets.y, sets.against(vector)) / sets.unit
    return torch.where(norms.isnan(), math.nan, (norms <= 2).to(norms)).mean(-1)


def _random(net: Neurons, problems: Problems, seed: int) -> Tensor:
    """Shares flipped by random directions of three lengths, (3, 2 B)."""
    generator = torch.Generator().manual_seed(seed)
    X, y = problems.X.repeat(2, 1, 1), problems.near.y.repeat(2, 1)
    root = DIMENSION**0.5
    lengths = ((2 * problems.near.unit, 0.1), (root, 0.1), (3 * root, 1.0))
    return torch.stack(
        [
            flipped_shares(
                net, X, y, length, round(part * problems.directions), generator
            )
            for length, part in lengths
        ]
    )


def _built(sets: Sets) -> Tensor:
    """What flips the constructed KKT points over the formula, (4, B, n)."""
    rows = []
    for block in BLOCKS:
        a, w = block_network(sets.inputs, sets.y, sets.dimension, block)
        net = Neurons(a, torch.zeros_like(a), w)
        rows.append(universal_norms(net, sets) / block_norm(POINTS, block))
    return torch.stack(rows)
