"""Self-stabilization: where the minimum is too sharp, descent jumps about the solution
of a convex program.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.stabilized_valley import Valley
from ibcore.pages.since.large_steps.valleys import (
    PLACES,
    SMALL,
    Averages,
    Runs,
    averages,
    deviations,
    draw_valleys,
    place,
    states,
)


@dataclass(frozen=True)
class Problem:
    """B valleys, the number of steps, and a seed for deviations."""

    valleys: tuple[Valley, ...]
    steps: int
    seed: int
    notes: dict[str, int]


@dataclass(frozen=True)
class Stabilized:
    """What B valleys did with F step sizes: of the way from the stable step to the
    critical one half, nine tenths and eleven tenths; and with a step of 0.9 of the
    stable one.

    orbit: (F, B), how far a step from the program's solution is from its mirror image,
    over the length of both.
    linear: (F, B), distance of a deviation after 100 steps from its derivative, over
    that.
    off_y: (F, B), distance of the mean of y from the program's, over that of the
    program's from the target.
    square, edge: (F, B), mean of x^2 over 2 mu, and of S eta / 2.
    small: (2, B), with the small step, distance from the target over the target's
    length, and |x|.
    certified: (F, B), of the programs.
    """

    orbit: Tensor
    linear: Tensor
    off_y: Tensor
    square: Tensor
    edge: Tensor
    small: Tensor
    certified: Tensor
    notes: dict[str, int]


def draw_problem(setting: Setting, *, valleys: int, steps: int) -> Problem:
    """Valleys with random widths, targets and pulls."""
    drawn, notes = draw_valleys(setting, valleys, steps)
    seed = setting.seeds(1, "deviations")[0]
    return Problem(tuple(drawn), steps, seed, notes)


def measure_runs(problem: Problem, setting: Setting) -> Stabilized:
    """Descent from beside the valley with every step size, and from the orbit."""
    valleys = [valley for _ in PLACES for valley in problem.valleys]
    sizes = [place(valley, share) for share in PLACES for valley in problem.valleys]
    runs = Runs.of(valleys, sizes, setting.device)
    small = Runs.of(
        problem.valleys,
        [SMALL * valley.stable_step for valley in problem.valleys],
        setting.device,
    )
    means = averages(runs, problem.steps)
    orbit, linear = (
        _off_orbit(runs),
        _off_linear(*deviations(runs, valleys, problem.seed)),
    )
    off_y, square, edge = _of_means(runs, means)
    end = states(small, small.begin, [problem.steps])[0]
    off = (end[:, 1:] - small.target).norm(dim=-1) / small.target.norm(dim=-1)
    return Stabilized(
        _by_place(orbit),
        _by_place(linear),
        _by_place(off_y),
        _by_place(square),
        _by_place(edge),
        torch.stack([off, end[:, 0].abs()]),
        _by_place(runs.certified),
        problem.notes,
    )


def _by_place(numbers: Tensor) -> Tensor:
    """Numbers of all runs, (F B,), as (F, B)."""
    return numbers.unflatten(0, (len(PLACES), -1))


def _off_orbit(runs: Runs) -> Tensor:
    mirrored = torch.cat([-runs.orbit[:, :1], runs.orbit[:, 1:]], -1)
    after = states(runs, runs.orbit, [1])[0]
    return (after - mirrored).norm(dim=-1) / mirrored.norm(dim=-1)


def _off_linear(found: Tensor, derived: Tensor) -> Tensor:
    return (found - derived).norm(dim=-1) / derived.norm(dim=-1)


def _of_means(runs: Runs, means: Averages) -> tuple[Tensor, Tensor, Tensor]:
    way = (runs.y - runs.target).norm(dim=-1)
    off = (means.y - runs.y).norm(dim=-1) / way
    return off, means.square / (2 * runs.multiplier), means.edge


@claim(
    kind="theorem",
    source="Damian, Nichani and Lee 2023 (abstract read: the constraint). For the "
    "valley of the page the correspondence and its stability are proved there",
    statement=r"Gradient descent with step $\eta$ on $L = \frac12 S(y)\, x^2 + "
    r"f(y)$ has an orbit that jumps between $(\pm x, y)$ exactly where $y$ solves "
    r"the conditions of $\min f$ subject to $S \le 2/\eta$ with the multiplier $\mu "
    r"= x^2/2 > 0$. From nearby it comes to this orbit if the derivative of the "
    "mirrored step there has a spectral radius below 1, and leaves it if above.",
    quick={"valleys": 8, "steps": 10000},
    book={"valleys": 12, "steps": 10000},
    full={"valleys": 200, "steps": 20000},
    draw=draw_problem,
    measure=measure_runs,
)
def self_stabilization(measured: Stabilized) -> Evidence:
    """The orbit, its derivative, the averages on both sides of the threshold, and a
    small step.
    """
    checks = (
        *_orbits(measured.certified, measured.orbit, measured.linear),
        *_means(measured.off_y[:2], measured.square[:2], measured.edge[:2]),
        *_small(measured.small),
    )
    control = Control(
        "a step of 1.1 of the way to the critical one, where the orbit is unstable",
        Check.share(
            "mean of y: distance from the program's over its way from the target at "
            "most 0.01",
            measured.off_y[2],
            at_most=0.01,
            most=0.25,
            tag="derived",
            reason="ten times the bar of the claim: the run circles about the orbit, "
            "and a circle of this size moves the mean by some percent of the way",
        ),
    )
    return Evidence(checks, control, measured.notes)


def _orbits(certified: Tensor, orbit: Tensor, linear: Tensor) -> tuple[Check, ...]:
    """Numbers (F, B) of the program, of one step from its solution, and of 100 steps
    from nearby.
    """
    return (
        Check.each(
            "program: relative gap or violation",
            certified.flatten(),
            at_most=1e-9,
            tag="derived",
            reason="the multiplier is finished by a scalar equation to rounding; "
            "ten thousand times what that leaves",
            precision=True,
        ),
        Check.each(
            "one step from the program's solution: distance from its mirror image",
            orbit.flatten(),
            at_most=1e-10,
            tag="proved",
            math=r"one step from $(\sqrt{2\mu}, y)$ of the program: distance from "
            r"$(-\sqrt{2\mu}, y)$",
            reason="the identity is exact; rounding of the program and of the step, a "
            "hundred thousand times",
            precision=True,
        ),
        Check.each(
            "100 steps from nearby: distance from the derivative, over that",
            linear.flatten(),
            at_most=1e-3,
            tag="derived",
            reason=r"the deviation is $10^{-6}$ at the start; the next order is that, "
            "times the steps and times second derivatives of at most 10",
            repeats=0.4,
        ),
    )


def _means(off_y: Tensor, square: Tensor, edge: Tensor) -> tuple[Check, ...]:
    """Numbers (2, B) at one half and nine tenths of the way to the critical step."""
    reason = (
        "the deviation from the orbit has fallen by 12 e-folds at least, to below 1e-5 "
        "of what it was when the run came near; a hundred times that"
    )
    return (
        Check.each(
            "mean of y: distance from the program's over its way from the target",
            off_y.flatten(),
            at_most=1e-3,
            tag="derived",
            reason=reason,
            precision=True,
        ),
        Check.each(
            "mean of x^2 over 2 mu",
            square.flatten(),
            equals=1,
            atol=1e-3,
            tag="derived",
            math=r"mean of $x^2$ over $2\mu$",
            reason=reason,
        ),
        Check.each(
            "mean of S eta / 2",
            edge.flatten(),
            equals=1,
            atol=1e-3,
            tag="derived",
            math=r"mean of $\eta S / 2$",
            reason=reason,
        ),
    )


def _small(small: Tensor) -> tuple[Check, ...]:
    """With the step of 0.9 of the stable one, distance from the target and |x|, (2,
    B).
    """
    return (
        Check.each(
            "step of 0.9 of the stable one: distance of y from the target, and |x|",
            small.flatten(),
            at_most=1e-6,
            tag="derived",
            math=r"$\eta$ of 0.9 of $2/S(y^*)$: distance of $y$ from $y^*$, and $|x|$",
            reason=r"the constraint is not active; $x$ falls by $|1 - 1.8|$ and $y - "
            r"y^*$ by $1 - \eta\kappa$ in each step, in all by far more than this",
            precision=True,
        ),
    )
