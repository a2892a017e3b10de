"""Data for one ReLU neuron: a family that turns the weights half around, pairs in the
plane, random teachers.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.problems.relu_pairs import NeuronData
from ibcore.validation import (
    InvalidInput,
    not_drawn,
    positive_integer,
    positive_number,
    real_tensor,
)

Array = NDArray[np.float64]
_ROUNDS = 1000


def even_turns(count: int) -> Array:
    """`count` equal angles, (count,), that add up to pi (1 - 1 / (2 count))."""
    return np.full(
        positive_integer("count", count, least=2), math.pi * (1 - 0.5 / count) / count
    )


def uneven_turns(count: int, spread: float, generator: torch.Generator) -> Array:
    """`even_turns` multiplied by factors uniform in 1 +- `spread`, then scaled to the
    same sum.
    """
    even = even_turns(count)
    factors = 1 + spread * (
        2 * torch.rand(count, generator=generator, dtype=torch.float64).numpy() - 1
    )
    return even * factors * (count / factors.sum())


def turning_data(
    turns: object,
    *,
    reach: float = 20.0,
    separation: float = 1000.0,
    facing: float = 0.0,
) -> NeuronData:
    """One point of positive label and N points of label 0 in three dimensions that act
    one after the other.

    turns: angles phi_k (N,) above 0 with a sum below pi.   reach: r, the least weights
    that fit are (1, z) with z = r (cos facing, sin facing).   separation: M > 1, the
    ratio of the rates of neighboring points. Point k is M^(-(k-1)/2) (a_k.z, -a_k) with
    the unit vector a_k at the angle facing + pi/2 - phi_1 - ... - phi_k; at w_1 = 1 it
    asks for a_k.v >= 0, where v = (w_2, w_3) - z. The first point is c e_1 with label c
    = 3 r sqrt(M).
    """
    phi = real_tensor("turns", turns, ndim=1).detach().cpu().double().numpy()
    if (
        not (phi > 0).all()
        or not phi.sum() < math.pi
        or not phi.sum() - phi[0] / 2 > math.pi / 2
        or not separation > 1
    ):
        raise InvalidInput(
            f"turns have the sum {phi.sum():.3g} and separation is {separation:g}; "
            "expected angles above 0 whose sum is between pi/2 and pi, and a "
            "separation above 1."
        )
    angles = math.pi / 2 - np.cumsum(phi)
    lead = 3 * positive_number("reach", reach) * math.sqrt(separation)
    scale = separation ** (-np.arange(len(phi)) / 2)
    first = scale * reach * np.cos(angles)
    rest = -scale[:, None] * np.stack(
        [np.cos(angles + facing), np.sin(angles + facing)], 1
    )
    return NeuronData(
        np.vstack([[lead, 0, 0], np.column_stack([first, rest])]),
        np.append(lead, np.zeros(len(phi))),
    )


def plane_pair(generator: torch.Generator) -> tuple[NeuronData, NeuronData]:
    """Two data sets in the plane with the same weights of zero loss, rotated and scaled
    at random.

    Before that, the weights are w_1 = 1 and low <= w_2 <= high, with low and high > low
    uniform in [-1.5, 1.5] and at least 0.1 apart. Each set has two points of positive
    label on the first axis, and for either end of the interval one point of label 0
    that gives it and one that asks for less.
    """
    low, gap, angle, scale = (
        float(v) for v in torch.rand(4, generator=generator, dtype=torch.float64)
    )
    low = -1.5 + 2.9 * low
    high = low + 0.1 + (1.4 - low) * gap
    turn = np.array(
        [
            [math.cos(2 * math.pi * angle), math.sin(2 * math.pi * angle)],
            [-math.sin(2 * math.pi * angle), math.cos(2 * math.pi * angle)],
        ]
    )
    size = 10 ** (2 * scale - 1)

    def one() -> NeuronData:
        seen, below, above, slack = torch.rand(
            4, 2, generator=generator, dtype=torch.float64
        ).numpy()
        lengths = 0.5 + 1.5 * seen
        ends = np.array([low, low - slack[0], high, high + slack[1]])
        sides = np.array([-1, -1, 1, 1]) * (0.5 + 1.5 * np.concatenate([below, above]))
        X = np.concatenate(
            [np.stack([lengths, 0 * lengths], 1), np.stack([-ends * sides, sides], 1)]
        )
        return NeuronData(X @ turn, size * np.append(lengths, np.zeros(4)))

    return one(), one()


def teacher_batch(
    count: int, points: int, features: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Gaussian inputs (count, points, features) with the outputs (count, points) of
    Gaussian ReLU neurons.

    Problems whose labels are all 0 are drawn again: there w = 0 fits.
    """
    kept: list[tuple[Tensor, Tensor]] = []
    missing = positive_integer("count", count)
    points = positive_integer("points", points)
    features = positive_integer("features", features)
    for _ in range(_ROUNDS):
        X = torch.randn(
            missing, points, features, generator=generator, dtype=torch.float64
        )
        teacher = torch.randn(
            missing, features, 1, generator=generator, dtype=torch.float64
        )
        y = (X @ teacher)[..., 0].relu()
        alive = (y > 0).any(1)
        kept.append((X[alive], y[alive]))
        missing -= int(alive.sum())
        if missing == 0:
            break
    else:
        raise not_drawn(
            f"{count} problems of {points} points with a label above 0",
            _ROUNDS,
            "Take more points or another generator.",
        )
    return torch.cat([X for X, _ in kept]), torch.cat([y for _, y in kept])
