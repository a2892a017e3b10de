"""Univariate networks trained with weight decay on a few points, and networks built for
a given polygon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.directions import Adam
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import FunctionObjective
from ibcore.dynamics.paces import Cosine
from ibcore.measures.roughness import roughness
from ibcore.models.network import Network
from ibcore.oracles.path_norm import Penalized, least_path_norm, penalized
from ibcore.problems.curves import Points, points, scattered_points
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_number

COUNT = 6
UNIT = 6.0
"""The least cost of every data set, by the unit of its labels."""

STRENGTHS = (1e-3, 3e-4)
WIDTH, STEPS, STEP = 128, 4500, 0.01
_REACH = 1.2


@dataclass(frozen=True)
class Sets:
    """Data sets (D, n): `alternating` ones first, then `alike`, then tilted ones; how
    many draws were rejected.

    Alternating: all neighboring bends of the polygon differ in sign. Alike: two
    neighboring ones agree. Tilted: |D| > V. The first two kinds have V > |D|. Labels
    are in the unit in which the least cost is 6, and the strongest penalty leaves the
    signs of all bends, and of |D| - V, as they are.
    """

    points: Points
    alternating: int
    alike: int
    rejected: int

    @property
    def plain(self) -> Points:
        """The sets with V > |D|."""
        return self.points.first(self.alternating + self.alike)


def draw_sets(setting: Setting, alternating: int, alike: int, tilted: int) -> Sets:
    """Normal labels at jittered inputs; for tilted sets 0.15 of them and a line of
    slope 1.5.
    """
    found: list[Points] = []
    rejected = 0
    for kind, count in (
        ("alternating", alternating),
        ("alike", alike),
        ("tilted", tilted),
    ):

        def keep(generator: torch.Generator, kind: str = kind) -> Points | None:
            data = scattered_points(1, COUNT, generator)
            if kind == "tilted":
                data = Points(data.x, 0.15 * data.y + 1.5 * data.x)
            data = in_units(data)
            return data if _is(kind, data) else None

        drawn, lost = setting.draw(count, f"parameter norms {kind}", keep)
        found, rejected = found + drawn, rejected + lost
    x, y = (torch.cat([getattr(one, name) for one in found]) for name in "xy")
    return Sets(Points(x, y), alternating, alike, rejected)


def in_units(data: Points) -> Points:
    """The same with labels in the unit in which the least cost is 6."""
    value = least_path_norm(data.x, data.y).value
    return Points(data.x, data.y * (UNIT / value)[..., None])


def alike_gaps(data: Points) -> Tensor:
    """Which gaps have bends of equal sign at both ends, (D, n - 1); the first and the
    last never have.
    """
    bends = least_path_norm(data.x, data.y).slopes.diff()
    pairs = bends[..., 1:] * bends[..., :-1] > 0
    return torch.nn.functional.pad(pairs, (1, 1), value=False)


def _is(kind: str, data: Points) -> bool:
    tilted = bool(least_path_norm(data.x, data.y).pattern[0, -1] != 0)
    alike = bool(alike_gaps(data).any())
    exact = bool(penalized(data.x, data.y, STRENGTHS[0]).exact)
    right = {
        "alternating": not tilted and not alike,
        "alike": not tilted and alike,
        "tilted": tilted,
    }
    return right[kind] and exact


def network(data: Points, width: int = WIDTH) -> Network:
    """The network c + sum_j a_j relu(w_j x + b_j) of `width` neurons on the points."""
    return Network(data.inputs, (width,), "relu")


def spread_start(data: Points, width: int, seeds: Sequence[int]) -> Tensor:
    """Normal a and w of variance 9 / width, bends uniform over the points and a tenth
    more, c = 0: (D, 3 width + 1).
    """
    middle = (data.x[:, -1:] + data.x[:, :1]) / 2
    reach = _REACH * (data.x[:, -1:] - data.x[:, :1]) / 2
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        a, w = (
            3
            / math.sqrt(width)
            * torch.randn(2, width, generator=generator, dtype=torch.float64)
        )
        bends = 2 * torch.rand(width, generator=generator, dtype=torch.float64) - 1
        rows.append(torch.stack([w, bends, a]))
    w, bends, a = torch.stack(rows).unbind(1)
    b = -w * (middle + reach * bends)
    return torch.cat([w, b, a, torch.zeros_like(a[:, :1])], -1)


def decayed_objective(
    model: Network,
    targets: Tensor,
    strength: Tensor,
    *,
    biases: bool = False,
) -> FunctionObjective:
    """L + (strength/2) sum_j (w_j^2 + a_j^2), strength (B,).

    With `biases` the b_j are penalized as well.
    """
    width = model.widths[0]
    counts = torch.ones(model.dimension, dtype=torch.float64)
    counts[-1] = 0
    counts[width : 2 * width] = float(biases)
    decay = strength[:, None] * counts

    def values(theta: Tensor, members: Tensor) -> tuple[Tensor, ...]:
        outputs, pull = model.select(members).vjp(theta)
        residuals = outputs - targets[members]
        push = decay[members] * theta
        loss = residuals.square().mean(-1) + (push * theta).sum(-1) / 2
        gradient = pull(2 * residuals / residuals.shape[-1]) + push
        return loss, gradient, residuals

    return FunctionObjective(values)


@threads()
def decay_weights(
    data: Points,
    start: Tensor,
    strength: Tensor,
    *,
    biases: bool = False,
    steps: int = STEPS,
) -> Run:
    """Adam with a step that falls along half a cosine, on data sets (B, n) with a start
    and a strength each.
    """
    width = (start.shape[-1] - 1) // 3
    return descend(
        decayed_objective(network(data, width), data.y, strength, biases=biases),
        start,
        Cosine(STEP, steps),
        steps=[steps],
        direction=Adam(beta2=0.98),
        max_seconds=math.inf,
    )


@dataclass(frozen=True)
class Norms:
    """Three sizes of networks: cost = sum (w^2 + a^2)/2, path = sum |a w|, function =
    max(int |f''|, |D|).
    """

    cost: Tensor
    path: Tensor
    function: Tensor


def norms(theta: Tensor) -> Norms:
    """Of `theta` (..., 3m + 1), w, b, a and c in turn; D = f'(-inf) + f'(inf) is sum_j
    a_j w_j.
    """
    w, _, a = theta[..., :-1].chunk(3, -1)
    return Norms(
        (w.square() + a.square()).sum(-1) / 2,
        (a * w).abs().sum(-1),
        torch.maximum(variation(theta), (a * w).sum(-1).abs()),
    )


def variation(theta: Tensor) -> Tensor:
    """int |f''| over the whole line, of networks (..., 3m + 1)."""
    w, b, a = theta[..., :-1].chunk(3, -1)
    bends = torch.where(w == 0, math.inf, -b / torch.where(w == 0, 1.0, w))
    ends = torch.full_like(bends[..., 0], math.inf)
    return roughness(bends, a * w.abs(), -ends, ends)


def values_at(theta: Tensor, x: Tensor) -> Tensor:
    """f of networks (B, 3m + 1) at x (B, k), (B, k)."""
    width = (theta.shape[-1] - 1) // 3
    return Network(x[..., None], (width,), "relu").outputs(theta)


def departures(theta: Tensor, data: Points) -> tuple[Tensor, Tensor]:
    """How far f is from the polygon through its own values, (B, n - 1), and how far its
    variation lets it be.

    The largest distance at 40 places of every gap. The bound is that of a gap in which
    the polygon has no neighbors that bend alike: half of int |f''| - V of its values,
    at the ends all of it, times the length; infinite elsewhere.
    """
    share = torch.linspace(0, 1, 41, dtype=torch.float64)
    gaps = data.x.diff()
    grid = data.x[:, :-1, None] + gaps[..., None] * share
    f = values_at(theta, grid.flatten(1)).unflatten(-1, grid.shape[1:])
    line = torch.lerp(f[..., :1], f[..., -1:], share)
    own = Points(data.x, torch.cat([f[..., 0], f[:, -1:, -1]], -1))
    least = least_path_norm(own.x, own.y).variation
    excess = (variation(theta) - least).clamp(min=0)
    factor = torch.full_like(gaps, 0.5)
    factor[:, [0, -1]] = 1.0
    bound = torch.where(alike_gaps(own), math.inf, factor * gaps * excess[:, None])
    return (f - line).abs().amax(-1), bound


def built(x: Tensor, y: Tensor, places: Tensor, jumps: Tensor, tilt: Tensor) -> Tensor:
    """The network of cost sum |jumps| with f(x_1) = y_1, these bends and f'(-inf) +
    f'(inf) = tilt, (6K + 1,).

    places, jumps: (K,), sum |jumps| at least |tilt|. Every bend is shared by a neuron
    that looks right and one that looks left, so that right minus left is |jump| tilt /
    sum |jumps|.
    """
    lean = torch.sign(jumps) * tilt / jumps.abs().sum()
    right, left = (1 + lean) / 2 * jumps, (1 - lean) / 2 * jumps
    masses = torch.cat([right, left])
    w = torch.cat([right.abs().sqrt(), -left.abs().sqrt()])
    a = masses.sign() * w.abs()
    b = -w * torch.cat([places, places])
    theta = torch.cat([w, b, a, w.new_zeros(1)])
    theta[-1] = y[0] - values_at(theta[None], x[None, :1])[0, 0]
    return theta


@threads()
def two_interpolants(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Networks of least cost: the polygon, and the same with the corners of its first
    alike gap replaced by one.

    For one data set (n,) with V > |D| that has such a gap.
    """
    data = Points(x[None], y[None])
    least = least_path_norm(x, y)
    gap = int(alike_gaps(data)[0].nonzero()[0, 0])
    bends = least.slopes.diff()
    first, second = bends[gap - 1], bends[gap]
    corner = (first * x[gap] + second * x[gap + 1]) / (first + second)
    places = torch.cat([x[1:gap], corner[None], x[gap + 2 : -1]])
    jumps = torch.cat([bends[: gap - 1], (first + second)[None], bends[gap + 1 :]])
    return (
        built(x, y, x[1:-1], bends, least.tilt),
        built(x, y, places, jumps, least.tilt),
    )


@dataclass(frozen=True)
class OwnFit:
    """Networks on one data set: the points in units, norms of the networks, and what
    the program allows.
    """

    points: Points
    theta: Tensor
    norms: Norms
    program: Penalized


@threads()
def fit_own(
    x: object,
    y: object,
    strength: float = STRENGTHS[0],
    *,
    seeds: Sequence[int] = range(4),
    biases: bool = False,
    shift: float = 0.0,
) -> OwnFit:
    """Train networks with weight decay on points of your own, `x` and `y` (n,), from a
    start for every seed.

    Inputs are mapped to [-1, 1] and moved by `shift`, and labels are divided so that
    the least cost is 6. With `biases` these are penalized too. Raises `InvalidInput` as
    `ibcore.problems.curves.points` does, and for labels that are all equal.
    """
    data = points(x, y)
    first, last = data.x[:, :1], data.x[:, -1:]
    data = Points(2 * (data.x - first) / (last - first) - 1, data.y)
    if not float(least_path_norm(data.x, data.y).value) > 0:
        raise InvalidInput("all labels are equal, so no network is needed. Vary y.")
    data = in_units(data)
    data = Points(data.x + shift, data.y)
    many = Points(*(part.expand(len(seeds), -1) for part in (data.x, data.y)))
    run = decay_weights(
        many,
        spread_start(many, WIDTH, seeds),
        torch.full((len(seeds),), positive_number("strength", strength)).double(),
        biases=biases,
    )
    program = penalized(data.x[0], data.y[0], strength)
    return OwnFit(data, run.last, norms(run.last), program)
