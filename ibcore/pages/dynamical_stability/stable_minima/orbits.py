"""What is measured above the threshold: orbits on curves, and on the product."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.oracles.two_step import (
    LARGEST_STEP,
    double_well_orbit,
    flip_amplitude,
)
from ibcore.pages.dynamical_stability.stable_minima.objectives import (
    CURVES,
    double_well,
    quartics,
)
from ibcore.pages.dynamical_stability.stable_minima.runs import (
    curve_descent,
    pair_descent,
)

ORBIT_STEPS = (1.02, 1.05, 1.1, 1.15, 1.2, 1.23)
AROUND = (0.98, 0.995, 1.005, 1.02)
"""Step sizes on the double well, in units of the one up to which its orbit attracts."""

EXCESSES = (1e-3, 2e-3)
"""eta f'' - 2 on the quartics."""

NEAR = 0.5
"""A run on a quartic that is farther from its minimum has left it."""

PAIR_STEPS = (1.02, 1.05)


@dataclass(frozen=True)
class Curves:
    """Starts (B,) on the double well for every step; quartics with third and fourth
    derivatives; starts of pairs.

    fourth: (2, Q), with the condition of Chen and Bruna met by the first row and
    reversed in the second.
    """

    starts: Tensor
    third: Tensor
    fourth: Tensor
    pairs: Tensor


@dataclass(frozen=True)
class Orbits:
    """What descent did above its threshold.

    points: (E, B, 2), sizes of the last two iterates on the double well, smaller first,
    for E step sizes.
    slopes: (E, B), product of the slopes of a step at these two.
    below: (B,), distance from the minimum 1 at the step 0.98.      returns: (A, B),
    change over two steps around the largest step of the orbit.      ratios: (2, Q),
    squared half distance of the last two iterates on quartics over the predicted one,
    at both excesses.      near: (2, Q), whether a run on a quartic stays near its
    minimum, at the larger excess.      parabola: (B,), growth of a run on x^2 / 2 over
    1.01^1000.      steepening: (B,), whether a run on x^2 / 2 + x^4 / 4 is finite at
    the end.
    apart: (2, N), |x - y| of pairs at the end; NaN for those that are not bounded.
    on: (2, N), distance of the last two x of pairs from the orbit of the double well.
    """

    points: Tensor
    slopes: Tensor
    below: Tensor
    returns: Tensor
    ratios: Tensor
    near: Tensor
    parabola: Tensor
    steepening: Tensor
    apart: Tensor
    on: Tensor


def draw_curves(setting: Setting, *, starts: int, quartics: int, pairs: int) -> Curves:
    """Starts between -1.5 and 1.5, |f'''| below 1 and a condition of size 1 to 3 with
    f'' = 1, pairs in a square.
    """
    generator = torch.Generator().manual_seed(setting.seeds(1, "two steps")[0])

    def uniform(*shape: int, low: float, high: float) -> Tensor:
        draw = torch.rand(*shape, generator=generator, dtype=torch.float64)
        return low + (high - low) * draw

    third = uniform(quartics, low=-1, high=1)
    size = uniform(quartics, low=1, high=3)
    return Curves(
        uniform(starts, low=-1.5, high=1.5),
        third,
        3 * third.square() + torch.stack([-size, size]),
        uniform(pairs, 2, low=-2, high=2),
    )


def measure_curves(curves: Curves, setting: Setting) -> Orbits:  # noqa: ARG001
    """Four thousand steps on the double well and on the product, twelve thousand on
    quartics.
    """
    steps = torch.tensor(ORBIT_STEPS, dtype=torch.float64)
    points = _double_well(curves.starts, steps)
    ratios, near = _quartics(curves.third, curves.fourth)
    low = torch.full_like(curves.starts, 0.98)
    below = curve_descent(CURVES["double well"], curves.starts, low, [4000])
    parabola = curve_descent(CURVES["parabola"], curves.starts, low + 1.03, [1000])
    growth = parabola.theta[0, :, 0] / curves.starts / 1.01**1000
    steep = curve_descent(CURVES["steepening"], 0.1 * curves.starts, low + 1.03, [4000])
    apart, on = _pairs(curves.pairs)
    return Orbits(
        points.abs().sort(-1).values,
        _slopes(points, steps),
        (below.theta[0, :, 0].abs() - 1).abs(),
        _returns(curves.starts),
        ratios,
        near,
        growth,
        steep.arrived,
        apart,
        on,
    )


def _double_well(starts: Tensor, steps: Tensor) -> Tensor:
    """The last two of 4001 iterates from all starts with all steps, (E, B, 2)."""
    every = steps.repeat_interleave(len(starts))
    run = curve_descent(
        CURVES["double well"], starts.repeat(len(steps)), every, [4000, 4001]
    )
    return run.theta[..., 0].T.reshape(len(steps), len(starts), 2)


def _slopes(points: Tensor, steps: Tensor) -> Tensor:
    """The derivative of two steps on the double well at the measured points (E, B, 2),
    by differentiation, (E, B).
    """
    x = points[..., 0].clone().requires_grad_()
    once = x - steps[:, None] * double_well(x)[1]
    twice = once - steps[:, None] * double_well(once)[1]
    return torch.autograd.grad(twice.sum(), x)[0]


def _returns(starts: Tensor) -> Tensor:
    """|x_(k+2) - x_k| after 4000 steps around the largest step of the orbit, (A, B)."""
    steps = LARGEST_STEP * torch.tensor(AROUND, dtype=torch.float64)
    run = curve_descent(
        CURVES["double well"],
        starts.repeat(len(AROUND)),
        steps.repeat_interleave(len(starts)),
        [4000, 4002],
    )
    return (run.theta[1] - run.theta[0]).abs().reshape(len(AROUND), -1)


def _quartics(third: Tensor, fourth: Tensor) -> tuple[Tensor, Tensor]:
    """Squared half distances over the predicted ones, at both excesses, and who stays
    near, at the larger, (2, Q).
    """
    one = torch.ones_like(third)
    sizes = [flip_amplitude(one, third, fourth[0], e * one) for e in EXCESSES]
    start = torch.cat([sizes[0] / 2, sizes[1] / 2, sizes[1] / 2])
    excess = torch.tensor([*EXCESSES, EXCESSES[1]], dtype=torch.float64)
    run = curve_descent(
        quartics(third.repeat(3), torch.cat([fourth[0], fourth[0], fourth[1]])),
        start,
        2 + excess.repeat_interleave(len(third)),
        [12_000, 12_001],
        leave=NEAR,
    )
    half = ((run.theta[1] - run.theta[0]) / 2).reshape(3, -1)[:2]
    stayed = run.arrived.reshape(3, -1)
    return (half / torch.stack(sizes)).square(), stayed[1:]


def _pairs(starts: Tensor) -> tuple[Tensor, Tensor]:
    """|x - y| at the end and the distance of the last two x from the orbit, for every
    step size, (2, N).
    """
    apart, on = [], []
    for step in PAIR_STEPS:
        states = pair_descent(starts, step, [4000, 4001])
        orbit = double_well_orbit(torch.tensor(step, dtype=torch.float64))
        apart.append((states[0, :, 0] - states[0, :, 1]).abs())
        sizes = states[..., 0].abs().sort(0).values
        on.append((sizes - orbit[:, None]).abs().amax(0))
    return torch.stack(apart), torch.stack(on)
