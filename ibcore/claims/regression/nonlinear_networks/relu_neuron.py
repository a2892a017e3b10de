"""One ReLU neuron trained from zero: no regularizer explains it, and its norm does so up to a factor of two."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.demonstrations.relu_neuron import MAX_ANGLE, rise, shape_for, train
from ibcore.dynamics.first_order import gradient_descent
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.models.relu_neuron import ReLUNeuron, neuron_objective, safe_step
from ibcore.oracles.least_interpolant import least_interpolant
from ibcore.oracles.relu_flow import turned_ratio
from ibcore.problems.relu_pairs import Shape, chain, pair, placed
from ibcore.problems.relu_turns import (
    plane_pair,
    teacher_batch,
    turning_data,
    uneven_turns,
)

Array = NDArray[np.float64]

FLOW = 1e-8  # relative error of a flow's end
SAME = 1e-6  # relative distance up to which limits in the plane are the same
FITS = 1e-12  # loss over the mean squared label at which descent counts as converged
FAR = 5.0  # start of the control, in norms of the least weights


@dataclass(frozen=True)
class Links:
    """The flows along chains: relative errors of their ends, and of the fit of either end to the other data set.

    errors, misfits: (links,), the larger of the two flows.   arrivals: (chains,), the error of the last end of a chain.
    """

    errors: Array
    misfits: Array
    arrivals: Array


def _apart(w: Array, goal: Array) -> float:
    return float(np.linalg.norm(w - goal) / np.linalg.norm(goal))


def run_link(low: Array, high: Array, shape: Shape) -> tuple[float, float, Array]:
    """Both flows of a link whose ends should be `low` and `high` (d,): error, misfit, and the ends (2, d)."""
    sets = [placed(data, shape.height, low, high - low) for data in pair(shape)]
    ends = [train(data, tolerance=3e-11).state.numpy() for data in sets]
    misfit = max(ReLUNeuron.on(data.X, data.y).misfit(w) for data in sets for w in ends)
    return max(_apart(ends[0], low), _apart(ends[1], high)), misfit, np.stack(ends)


def run_chain(
    start: Array, end: Array
) -> tuple[list[tuple[float, float, Array]], Array]:
    """Every link of the chain from `start` to `end`: what `run_link` returns, and the last end of the flows."""
    points = chain(start, end, MAX_ANGLE)
    shapes: dict[float, Shape] = {}
    found = []
    for a, b in itertools.pairwise(points):
        low, high = sorted((a, b), key=lambda w: float(np.linalg.norm(w)))
        angle = round(float(np.arccos(np.linalg.norm(low) / np.linalg.norm(high))), 12)
        shapes[angle] = shapes.get(angle) or shape_for(angle)
        found.append(run_link(low, high, shapes[angle]))
    return found, found[-1][2][
        int(np.linalg.norm(points[-1]) > np.linalg.norm(points[-2]))
    ]


def draw_targets(
    setting: Setting, dimension: int, count: int, stretch: float
) -> list[tuple[Array, Array]]:
    """Pairs of vectors (d,): directions uniform, the second 1 to `stretch` times as long as the first."""
    pairs = []
    for seed in setting.seeds(count, f"targets in {dimension} dimensions"):
        draw = torch.Generator().manual_seed(seed)
        a, b = torch.randn(2, dimension, generator=draw, dtype=torch.float64).numpy()
        growth = 1 + (stretch - 1) * float(
            torch.rand(1, generator=draw, dtype=torch.float64)
        )
        pairs.append((a, b * growth * np.linalg.norm(a) / np.linalg.norm(b)))
    return pairs


def run_chains(targets: Sequence[tuple[Array, Array]]) -> Links:
    """All flows along the chains between the two vectors of every pair."""
    links, arrivals = [], []
    for start, end in targets:
        found, last = run_chain(start, end)
        links += found
        arrivals.append(_apart(last, end))
    errors, misfits = np.array([link[:2] for link in links]).T
    return Links(errors, misfits, np.array(arrivals))


def draw_shape(draw: torch.Generator) -> Shape:
    """A pair drawn at random: fast in [5, 10], slow in [0.1, 0.3], height in [2, 3], height * kappa in [1.05, 1.2]."""
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


def run_pairs(setting: Setting, count: int) -> tuple[float, float, float]:
    """Random pairs in random positions: largest error to the flow by pieces, misfit, and the least distance apart."""
    errors, misfits, gaps = [], [], []
    for seed in setting.seeds(count, "pairs"):
        draw = torch.Generator().manual_seed(seed)
        shape = draw_shape(draw)
        a, u = torch.randn(2, 3, generator=draw, dtype=torch.float64).numpy()
        u -= (u @ a) / (a @ a) * a
        up = rise(shape) * np.linalg.norm(a) / np.linalg.norm(u) * u
        error, misfit, ends = run_link(a, a + up, shape)
        errors.append(error)
        misfits.append(misfit)
        gaps.append(_apart(ends[1], ends[0]))
    return max(errors), max(misfits), min(gaps)


def run_planes(setting: Setting, count: int) -> tuple[float, float]:
    """Pairs in the plane: share with limits apart, and largest distance of a limit to the least weights, relative.

    Apart are limits that differ by more than `SAME` of their norm.
    """
    apart, above = [], []
    for seed in setting.seeds(count, "plane"):
        sets = plane_pair(torch.Generator().manual_seed(seed))
        ends = [train(data).state.numpy() for data in sets]
        apart.append(_apart(ends[1], ends[0]))
        above += [
            _apart(w, least_interpolant(data.X, data.y).weights)
            for w, data in zip(ends, sets, strict=True)
        ]
    return float(np.mean(~(np.array(apart) <= SAME))), max(above)


@claim(
    kind="theorem",
    source="Vardi and Shamir 2021, for the statement; the pair, the chain and the proof for the plane are this book's",
    statement="If R(w_inf) <= R(w) for all w of zero loss whenever gradient flow from 0 of a single ReLU neuron ends "
    "at zero loss w_inf, then R is constant on R^d without 0. Here for d >= 3: data sets with the same "
    "weights of zero loss, but different limits, connect any two vectors. In the plane there are none.",
    quick={"pairs": 1, "chains": (3,), "stretch": 1.15, "planes": 3},
    book={"pairs": 10, "chains": (3, 5), "stretch": 2.0, "planes": 30},
    full={
        "pairs": 400,
        "chains": (3,) * 20 + (5,) * 20,
        "stretch": 10.0,
        "planes": 400,
    },
)
def relu_neuron_no_regularizer(
    setting: Setting, *, pairs: int, chains: Sequence[int], stretch: float, planes: int
) -> Evidence:
    """Two flows for each link of chains between random vectors, against their targets in closed form."""
    error, misfit, gap = run_pairs(setting, pairs)
    targets = [
        target
        for dimension in dict.fromkeys(chains)
        for target in draw_targets(
            setting, dimension, list(chains).count(dimension), stretch
        )
    ]
    links = run_chains(targets)
    apart, above = run_planes(setting, planes)
    checks = (
        Check.at_least("pairs: least relative distance of limits", gap, 0.15),
        Check.close("pairs: largest misfit on either data set", 0, misfit, atol=FLOW),
        Check.close("pairs: error to the flow by linear pieces", 0, error, atol=FLOW),
        Check.close(
            "chains: error to the target of a link", 0, links.errors.max(), atol=FLOW
        ),
        Check.close(
            "chains: largest misfit on either data set",
            0,
            links.misfits.max(),
            atol=FLOW,
        ),
        Check.close(
            "chains: error to the end of the chain", 0, links.arrivals.max(), atol=FLOW
        ),
        Check.close("plane: distance to the shortest weights", 0, above, atol=SAME),
    )
    control = Control(
        "plane: share of pairs with limits apart",
        Check.at_most("the limits do not differ", apart, 0),
    )
    data = {"links": links, "targets": targets}
    return Evidence(
        checks, control, data, {"links": len(links.errors), "planes": planes}
    )


@dataclass(frozen=True)
class Batch:
    """Random realizable problems of one shape: X (B, n, d), y (B, n), least weights (B, d), and their worst gap."""

    X: Tensor
    y: Tensor
    least: Tensor
    gap: float


def draw_batch(
    setting: Setting, count: int, points: int, features: int, purpose: str
) -> Batch:
    """`count` problems with a random teacher, and their certified least weights."""
    draw = torch.Generator().manual_seed(
        setting.seeds(1, f"{purpose} {points} {features}")[0]
    )
    X, y = teacher_batch(count, points, features, draw)
    found = [
        least_interpolant(inputs, labels) for inputs, labels in zip(X, y, strict=True)
    ]
    least = torch.from_numpy(np.stack([solution.weights for solution in found]))
    gap = max(max(abs(solution.gap), solution.violation) for solution in found)
    return Batch(
        X.to(setting.device), y.to(setting.device), least.to(setting.device), gap
    )


def descend(batch: Batch, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Weights (B, d) after gradient descent on the mean loss, and which of them fit (B,)."""
    run = gradient_descent(
        lambda w: neuron_objective(batch.X, batch.y, w),
        start,
        safe_step(batch.X),
        steps=steps,
    )
    return run.theta, run.loss <= FITS * batch.y.square().mean(1)


@dataclass(frozen=True)
class Random:
    """Runs on random problems: |w| / |w*| and |w - w*| / |w*| at their ends, which fit, all (B,); worst gap of w*."""

    ratios: Tensor
    distances: Tensor
    fits: Tensor
    gap: float


def run_random(
    setting: Setting, shapes: Sequence[tuple[int, int]], count: int, steps: int
) -> Random:
    """Descent on `count` problems for each of `shapes`, a number of points and a dimension."""
    parts = []
    for points, features in shapes:
        batch = draw_batch(setting, count, points, features, "teachers")
        w, fits = descend(batch, torch.zeros_like(batch.least), steps)
        size = batch.least.norm(dim=1)
        parts.append(
            Random(
                w.norm(dim=1) / size,
                (w - batch.least).norm(dim=1) / size,
                fits,
                batch.gap,
            )
        )
    ratios, distances, fits = (
        torch.cat(column).cpu()
        for column in zip(
            *((part.ratios, part.distances, part.fits) for part in parts), strict=True
        )
    )
    return Random(ratios, distances, fits, max(part.gap for part in parts))


def run_turns(
    setting: Setting, counts: Sequence[int]
) -> dict[int, tuple[float, float]]:
    """For each N the measured and the predicted ratio of a family member drawn at random."""
    found = {}
    for count, seed in zip(counts, setting.seeds(len(counts), "turns"), strict=True):
        draw = torch.Generator().manual_seed(seed)
        turns = uneven_turns(count, 0.1, draw)
        reach, facing = (
            float(v) for v in torch.rand(2, generator=draw, dtype=torch.float64)
        )
        data = turning_data(turns, reach=15 + 10 * reach, facing=2 * np.pi * facing)
        w = train(data, tolerance=1e-6, misfit=1e-8).state
        least = least_interpolant(data.X, data.y).weights
        found[count] = (
            float(w.norm()) / float(np.linalg.norm(least)),
            turned_ratio(turns, 15 + 10 * reach),
        )
    return found


def far_start(setting: Setting, count: int, steps: int) -> float:
    """The control: median ratio of the runs that fit 5 points in 10 dimensions from starts of `FAR` |w*|."""
    batch = draw_batch(setting, count, 5, 10, "far starts")
    draw = torch.Generator().manual_seed(setting.seeds(1, "far directions")[0])
    unit = torch.nn.functional.normalize(
        torch.randn(batch.least.shape, generator=draw, dtype=torch.float64)
    )
    size = batch.least.norm(dim=1, keepdim=True)
    w, fit = descend(batch, FAR * size * unit.to(size), steps)
    return float((w.norm(dim=1) / size[:, 0])[fit].median())


@claim(
    kind="theorem",
    source="Vardi and Shamir 2021, for the bound; the family that approaches it is this book's",
    statement="If gradient flow from 0 of a single ReLU neuron ends at zero loss, its limit is at most twice as long "
    "as the shortest weights of zero loss. The factor cannot be lowered in dimension 3 or more.",
    quick={"shapes": ((5, 4),), "each": 400, "steps": 800, "counts": (8, 40)},
    book={
        "shapes": ((4, 3), (5, 4), (6, 5), (10, 5)),
        "each": 2500,
        "steps": 800,
        "counts": (4, 8, 16, 40),
    },
    full={
        "shapes": ((4, 3), (5, 4), (6, 5), (10, 5)),
        "each": 25000,
        "steps": 20000,
        "counts": (4, 6, 8, 12, 16, 24, 40, 64),
    },
)
def relu_neuron_factor_two(
    setting: Setting,
    *,
    shapes: Sequence[tuple[int, int]],
    each: int,
    steps: int,
    counts: Sequence[int],
) -> Evidence:
    """Random teachers by gradient descent, and the family that turns half around by gradient flow."""
    drawn = run_random(setting, shapes, each, steps)
    turns = run_turns(setting, counts)
    settled = drawn.ratios[drawn.fits]
    typical = int(((settled > 0.995) & (settled < 1.1)).sum())
    measured, predicted = (
        np.array(column) for column in zip(*turns.values(), strict=True)
    )
    quotients = measured / predicted
    checks = (
        Check.close("shortest weights: gap or violation", 0, drawn.gap, atol=1e-9),
        Check.at_most(
            "largest ratio |w_inf| / |w*| of all",
            max(float(drawn.ratios.max()), measured.max()),
            2,
        ),
        Check.at_most(
            "random: largest |w - w*| / |w*|", float(drawn.distances.max()), 1
        ),
        fraction(
            "random: share of ratios 1.00 to 1.1", typical, len(settled), at_least=0.95
        ),
        Check.at_least("family of 8: ratio", turns[8][0], 1.55),
        Check.at_least("family of 40: ratio", turns[40][0], 1.85),
        Check.close(
            "family: measured over predicted ratio",
            1,
            float(quotients[np.abs(quotients - 1).argmax()]),
            rtol=0.01,
        ),
    )
    far = far_start(setting, max(each // 5, 50), steps)
    control = Control(
        "start 5 |w*| from 0: median ratio",
        Check.at_least("longer than twice the shortest", far, 2.5),
    )
    notes = {
        "problems": len(drawn.ratios),
        "not fitted within the steps": int((~drawn.fits).sum()),
    }
    return Evidence(checks, control, {"ratios": settled, "turns": turns}, notes)
