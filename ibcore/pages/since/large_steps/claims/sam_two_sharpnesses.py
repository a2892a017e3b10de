"""Sharpness-aware minimization: all examples in a step lower the largest eigenvalue,
one example the trace.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.measures.rates import slope
from ibcore.oracles.sharpness_drift import Line, jump
from ibcore.pages.since.large_steps.ravines import (
    START,
    TIMES,
    Jumps,
    draw_lines,
    of_each,
    on_quadratics,
    with_all,
    with_one,
    without_radius,
)

COARSE, FINE, NOISY = 0.2, 0.1, 0.15  # with all examples, and with one
RADIUS = 0.1  # on quadratics


@dataclass(frozen=True)
class Problem:
    """B lines of minima and as many quadratics, inputs (B, n, d); `runs` with single
    examples for each line, with random numbers of `seed`.
    """

    lines: tuple[Line, ...]
    inputs: Tensor
    runs: int
    seed: int
    notes: dict[str, int]


@dataclass(frozen=True)
class Drifts:
    """What happened to y beside B lines of minima, from y = 1.3.

    flattest: (B,), where the largest eigenvalue is least.      rest: (B,), where the
    force with one example in each step vanishes.
    law: (K, B), y with all examples as derived, at the times `TIMES`.
    coarse, fine: (K, B), y of runs with all examples and radius 0.2 and 0.1.
    one: (B,), y of runs with one example in each step, averaged.      plain: (B,), how
    far descent without a radius moved it.
    jumps: the ends of runs on quadratics.
    """

    flattest: Tensor
    rest: Tensor
    law: Tensor
    coarse: Tensor
    fine: Tensor
    one: Tensor
    plain: Tensor
    jumps: Jumps
    notes: dict[str, int]

    def error(self, path: Tensor) -> Tensor:
        """The distance (K, B) of a path from the law, over the whole way to go."""
        return (path - self.law).abs() / (START - self.flattest)

    def off_rest(self, end: Tensor) -> Tensor:
        """The distance (B,) of an end from that of single examples, over the distance
        of both ends.
        """
        return (end - self.rest).abs() / (self.rest - self.flattest).abs()


def draw_problem(setting: Setting, *, lines: int, runs: int) -> Problem:
    """Random curvatures along a line of minima, and random quadratics."""
    found, inputs, notes = draw_lines(setting, lines)
    seed = setting.seeds(1, "single examples")[0]
    return Problem(tuple(found), inputs, runs, seed, notes)


def measure_drifts(problem: Problem, setting: Setting) -> Drifts:
    """Runs with all examples at two radii, with one example, without a radius, and on
    quadratics.
    """
    lines, device = problem.lines, setting.device
    return Drifts(
        of_each(lines, lambda line: line.center[0]),
        of_each(lines, Line.rest_of_one),
        of_each(lines, lambda line: line.path_of_all(START, TIMES)).T,
        with_all(lines, COARSE, device),
        with_all(lines, FINE, device),
        with_one(lines, NOISY, problem.runs, problem.seed, device),
        without_radius(lines, device),
        on_quadratics(problem.inputs, RADIUS, problem.seed),
        problem.notes,
    )


@claim(
    kind="theorem",
    source="Wen, Ma and Li 2023 (abstract read, theorems recalled: both limits); "
    "Bartlett, Long and Bousquet 2023 (abstract read: the jump on quadratics, whose "
    "stability is proved on the page). The laws at finite step size are derived on the "
    "page",
    statement="Sharpness-aware minimization with small radius $\\rho$ and small step "
    r"$\eta$ drifts along a manifold of minima, in the time $\tau = \eta \rho^2 k$ "
    r"after $k$ steps: with all examples in each step along $-\frac12 \nabla "
    r"\lambda_1$ of the Hessian where its largest eigenvalue $\lambda_1$ is simple, "
    "with one random example in each step and outputs in $\\mathbb{R}$ along "
    r"$-\frac12 \nabla \operatorname{tr} H$.",
    quick={"lines": 8, "runs": 48},
    book={"lines": 12, "runs": 64},
    full={"lines": 100, "runs": 256},
    draw=draw_problem,
    measure=measure_drifts,
)
def sam_two_sharpnesses(measured: Drifts) -> Evidence:
    """The jump on quadratics, the drift with all examples, its order, the end with one
    example.
    """
    checks = (
        *_jumps(measured.jumps),
        *_drift(measured.error(measured.coarse), measured.error(measured.fine)),
        *_ends(measured.off_rest(measured.one), measured.plain),
    )
    control = Control(
        "all examples in each step, judged by the end that the trace predicts",
        Check.share(
            "distance from that end over the distance of both predicted ends at most "
            "0.1",
            measured.off_rest(measured.fine[-1]),
            at_most=0.1,
            most=0.25,
            tag="derived",
            reason="it goes on to where the largest eigenvalue is least, which would "
            "be the distance 1; at the time 2 it has nearly arrived",
        ),
    )
    return Evidence(checks, control, measured.notes)


def _jumps(jumps: Jumps) -> tuple[Check, ...]:
    """Ends on quadratics of largest curvature 1, with steps of 1."""
    size = jump(1.0, 1.0, RADIUS)
    reason = (
        "near the jump a direction of curvature $q$ shrinks by $|1 - q - q^2|$ in each "
        "step, at most 0.98 for $0.02 \\le q \\le 0.8$, which leaves $10^{-9}$ after 1,000"
    )
    return (
        Check.each(
            "quadratics: |x| along the steepest direction over eta rho h / (2 - eta h)",
            jumps.along / size,
            equals=1,
            atol=1e-6,
            tag="derived",
            math=r"quadratics: $|x|$ along the steepest direction over $\eta \rho h / "
            r"(2 - \eta h)$",
            reason=reason,
        ),
        Check.each(
            "quadratics: distance from the steepest direction over the same",
            jumps.across / size,
            at_most=1e-6,
            tag="derived",
            reason=reason,
            precision=True,
        ),
    )


def _drift(coarse: Tensor, fine: Tensor) -> tuple[Check, ...]:
    """Distances (K, B) from the law over the whole way, at two radii."""
    radii = torch.tensor([COARSE, FINE], dtype=torch.float64).log()
    orders = slope(radii, torch.stack([coarse[1], fine[1]], -1).log())
    return (
        Check.each(
            "all examples: distance of y from its law over the whole way, rho = 0.1",
            fine.flatten(),
            at_most=2e-3,
            tag="derived",
            math=r"all examples: distance of $y$ from its law over the whole way, "
            r"$\rho = 0.1$",
            reason=r"corrections are of order $\rho^2 = 0.01$; their factor is at most "
            "0.06 for these curvatures, as a study with four radii shows, and three "
            "times that is allowed",
        ),
        Check.share(
            "order of this distance in rho within 0.1 of 2, at the time 1",
            orders,
            equals=2,
            atol=0.1,
            least=0.9,
            tag="derived",
            math=r"order of this distance in $\rho$ within 0.1 of 2, at $\tau = 1$",
            reason=r"the next order is $\rho^4$, about $\rho^2 = 0.04$ of the first at $\rho = "
            "0.2$",
        ),
    )


def _ends(off_rest: Tensor, plain: Tensor) -> tuple[Check, ...]:
    """Ends (B,) with one example over the distance of both predictions, and what plain
    descent moves.
    """
    return (
        Check.each(
            "one example: distance of y from its end over the distance of both "
            "predicted ends",
            off_rest,
            at_most=0.1,
            tag="derived",
            repeats=0.45,
            math="one example: distance of $y$ from its end over the distance of both "
            "predicted ends",
            reason="the drift has noise: its mean over the runs and over half of the "
            "time has a standard deviation of about 0.01 of this distance; the bias, "
            r"of order $\rho^2$, is as large",
        ),
        Check.each(
            "without a radius: y moves by",
            plain,
            at_most=1e-5,
            tag="proved",
            math=r"$\rho = 0$: $y$ moves by",
            reason=r"$\sum_k \frac\eta2 |h_i'| x_i^2$ with $|x_i| \le 10^{-3} (1 - "
            r"\eta h_i)^k$, which is at most $|h_i'| / (2 h_i) \cdot 10^{-6}$ for each "
            "of two examples",
            precision=True,
        ),
    )
