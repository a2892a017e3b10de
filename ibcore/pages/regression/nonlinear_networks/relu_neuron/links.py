"""Pairs of data sets with the same fits and different limits, and chains of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq

from ibcore.claim import Setting
from ibcore.models.square_fields import OneReLU
from ibcore.oracles.least_interpolant import least_interpolant
from ibcore.oracles.relu_flow import neuron_flow
from ibcore.pages.regression.nonlinear_networks.relu_neuron.runs import apart, end
from ibcore.problems.relu_pairs import NeuronData, Shape, chain, pair, placed
from ibcore.problems.relu_turns import plane_pair

Array = NDArray[np.float64]
MAX_ANGLE = 0.39  # of one link, in radians; the default shape reaches 0.399


def rise(shape: Shape) -> float:
    """tan of the angle between the limits of a pair, from the flow piece by piece."""
    second = pair(shape)[1]
    return float(-neuron_flow(second.X, second.y).limit[2] / np.hypot(1, shape.height))


def shape_for(angle: float, shape: Shape | None = None) -> Shape:
    """The `shape` with the tilt in (0, 0.5] whose limits are `angle` (radians) apart."""
    shape = shape or Shape()
    goal = np.tan(angle)
    tilt = brentq(
        lambda value: rise(replace(shape, tilt=value)) - goal,
        1e-6,
        0.5,
        xtol=1e-15,
        rtol=1e-14,
    )
    return replace(shape, tilt=float(tilt))


@dataclass(frozen=True)
class Link:
    """Two data sets with the same fits; their flows should end at `low`, `high` (d,)."""

    sets: tuple[NeuronData, NeuronData]
    low: Array
    high: Array

    @classmethod
    def of(cls, low: Array, high: Array, shape: Shape) -> Link:
        """The pair of this `shape`, placed; high - low must be orthogonal to low."""
        first, second = (
            placed(data, shape.height, low, high - low) for data in pair(shape)
        )
        return cls((first, second), low, high)

    def trained(self) -> Limits:
        """Both flows, as closely as the integrator can follow them."""
        ends = np.stack([end(data, tolerance=3e-11) for data in self.sets])
        errors = [apart(ends[0], self.low), apart(ends[1], self.high)]
        misfits = [
            OneReLU.on(data.X, data.y).misfit(w) for data in self.sets for w in ends
        ]
        return Limits(ends, float(np.amax(errors)), float(np.amax(misfits)))


@dataclass(frozen=True)
class Limits:
    """Where both flows of a link ended, (2, d), NaN for one that did not.

    error: to its target, relative.      misfit: on either data set.      The larger of
    the two flows.
    """

    ends: Array
    error: float
    misfit: float

    @property
    def gap(self) -> float:
        """The distance of the two limits, over the length of the first."""
        return apart(self.ends[1], self.ends[0])


@dataclass(frozen=True)
class Chain:
    """The links between two vectors (d,), in order.

    rises: whether the last link is passed from its lower to its higher end.
    """

    start: Array
    end: Array
    links: tuple[Link, ...]
    rises: bool

    @classmethod
    def between(cls, start: Array, goal: Array) -> Chain:
        """Links of `MAX_ANGLE` at most, with the shapes that their angles ask for."""
        points = chain(start, goal, MAX_ANGLE)
        shapes: dict[float, Shape] = {}
        links = []
        for ends in itertools.pairwise(points):
            low, high = sorted(ends, key=_length)
            angle = round(float(np.arccos(_length(low) / _length(high))), 12)
            shapes[angle] = shapes.get(angle) or shape_for(angle)
            links.append(Link.of(low, high, shapes[angle]))
        rises = _length(points[-1]) > _length(points[-2])
        return cls(start, goal, tuple(links), rises)


def _length(w: Array) -> float:
    return float(np.linalg.norm(w))


def draw_chains(
    setting: Setting, dimensions: Sequence[int], stretch: float
) -> tuple[Chain, ...]:
    """A chain between random vectors in each of the `dimensions`."""
    return tuple(
        Chain.between(*target)
        for dimension in dict.fromkeys(dimensions)
        for target in draw_targets(
            setting, dimension, list(dimensions).count(dimension), stretch
        )
    )


def draw_targets(
    setting: Setting, dimension: int, count: int, stretch: float
) -> list[tuple[Array, Array]]:
    """Pairs of vectors (d,) in random directions, the second up to `stretch` times
    longer.
    """
    pairs = []
    for seed in setting.seeds(count, f"targets in {dimension} dimensions"):
        draw = torch.Generator().manual_seed(seed)
        a, b = torch.randn(2, dimension, generator=draw, dtype=torch.float64).numpy()
        share = float(torch.rand(1, generator=draw, dtype=torch.float64))
        growth = 1 + (stretch - 1) * share
        pairs.append((a, b * growth * np.linalg.norm(a) / np.linalg.norm(b)))
    return pairs


def draw_pairs(setting: Setting, count: int) -> tuple[Link, ...]:
    """Random pairs in random positions in three dimensions."""
    links = []
    for seed in setting.seeds(count, "pairs"):
        draw = torch.Generator().manual_seed(seed)
        shape = draw_shape(draw)
        a, u = torch.randn(2, 3, generator=draw, dtype=torch.float64).numpy()
        u -= (u @ a) / (a @ a) * a
        up = rise(shape) * np.linalg.norm(a) / np.linalg.norm(u) * u
        links.append(Link.of(a, a + up, shape))
    return tuple(links)


def draw_shape(draw: torch.Generator) -> Shape:
    """A random pair, uniform in ranges of its five numbers.

    fast: [5, 10].   slow: [0.1, 0.3].   height: [2, 3].   height * kappa: [1.05, 1.2].
    tilt: [0.4, 0.8].
    """
    fast, slow, height, slack, tilt = (
        float(v) for v in torch.rand(5, generator=draw, dtype=torch.float64)
    )
    tau = 1 + height
    return Shape(
        5 + 5 * fast,
        0.1 + 0.2 * slow,
        tau,
        (1.05 + 0.15 * slack) / tau,
        0.4 + 0.4 * tilt,
    )


@dataclass(frozen=True)
class Plane:
    """Two data sets in the plane with the same fits, and the shortest of these (2,)."""

    sets: tuple[NeuronData, NeuronData]
    shortest: tuple[Array, Array]

    @classmethod
    def drawn(cls, seed: int) -> Plane:
        """A random pair; the shortest weights are computed on each data set."""
        first, second = plane_pair(torch.Generator().manual_seed(seed))
        shortest = (
            least_interpolant(first.X, first.y).weights,
            least_interpolant(second.X, second.y).weights,
        )
        return cls((first, second), shortest)
