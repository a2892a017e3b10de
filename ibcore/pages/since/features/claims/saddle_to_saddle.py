"""Plateaus and jumps of gradient flow in diagonal networks, against an algorithm that
knows no flow.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence, attempt
from ibcore.oracles.basis_pursuit import basis_pursuit
from ibcore.pages.since.features.saddles import (
    Descent,
    Problem,
    drawn,
    followed,
    own,
)
from ibcore.validation import InvalidInput

LARGE, SMALL = 300.0, 3.0  # log(1/alpha)
UNFITTED = 1e-6  # of y, from which on it counts as not fitted
SETTLED = 20.0  # exponent from which on a plateau counts as one


@dataclass(frozen=True)
class Visits:
    """What the flow did at the predicted saddles of B problems, their plateaus one
    after another: (K,) each.

    misses: distance from the saddle in the middle of its plateau, over the largest
    entry of all saddles.      early: the same from alpha = e^-3.
    exponents: how often a deviation is divided by e until then, as predicted.
    delays: (t_k - T_k) v_k log(1/alpha) of the jumps that lie far enough apart, with
    v_k the speed of the coordinate that brings a jump about.      close: jumps that do
    not.
    ends: (B,), distance of the last saddle from the least l1 interpolant, over its
    largest entry.      violation: (B,), the largest of the
    conditions of the saddles.
    """

    misses: Tensor
    early: Tensor
    exponents: Tensor
    delays: Tensor
    close: int
    ends: Tensor
    violation: Tensor
    broken: tuple[str, ...]


def draw_problems(setting: Setting, *, problems: int) -> list[Problem]:
    """Six equations in ten unknowns, with standard normal entries and a dense truth."""
    return drawn(setting.seeds(problems, "saddle to saddle"))


def own_problem(
    setting: Setting,  # noqa: ARG001
    X: object,
    y: object,
    *,
    problems: int,  # noqa: ARG001
) -> list[Problem]:
    """A reader's X (n, d) and y (n,), each divided by its root mean square.

    Raises `InvalidInput` where no beta fits y.
    """
    problem = own(X, y)
    left = (problem.X @ problem.path.saddles[-1] - problem.y).norm()
    if float(left) > UNFITTED * float(problem.y.norm()):
        raise InvalidInput(
            "no linear predictor fits y, and the claim compares the end of the path "
            "with the least l1 interpolant. Pass fewer examples than features."
        )
    return [problem]


def measure_visits(problems: list[Problem], setting: Setting) -> Visits:  # noqa: ARG001
    """Flow from alpha = e^-300 and from e^-3 until a quarter beyond the last jump."""
    runs = [followed(problem, LARGE) for problem in problems]
    rough = [followed(problem, SMALL) for problem in problems]
    ends, lost = attempt(_distance, problems)
    return Visits(
        torch.cat([run.misses for run in runs]),
        torch.cat([run.misses for run in rough]),
        torch.cat([run.exponents for run in runs]),
        torch.cat([run.delays[run.apart] for run in runs]),
        sum(int((~run.apart).sum()) for run in runs),
        torch.tensor([float(end) for end in ends], dtype=torch.float64),
        torch.stack([problem.path.violation.amax() for problem in problems]),
        (*_ended("flow", runs), *_ended("flow from e^-3", rough), *lost),
    )


def _distance(problem: Problem) -> float:
    """Of the last saddle from the least l1 interpolant."""
    best = basis_pursuit(problem.X, problem.y).primal
    return float((problem.path.saddles[-1] - best).abs().max() / best.abs().max())


def _ended(name: str, runs: list[Descent]) -> tuple[str, ...]:
    return tuple(f"{name}: {run.status}" for run in runs if not run.complete)


@claim(
    kind="theorem",
    source="Pesme and Flammarion 2023 (abstract read, theorem recalled); Berthier 2023 "
    "(abstract read) for another data condition. The exponents of the approach are "
    "derived on the page",
    statement=r"The diagonal network $\beta = u^2 - v^2$ starts at $u_i = v_i = "
    r"\alpha$. As $\alpha \to 0$, gradient flow on the square loss of data in general "
    r"position, in the time $2 t / \log\frac1\alpha$, becomes a path that rests at "
    "saddles of the loss and jumps from one to the next; a recursion of least squares "
    "with signs gives saddles and times, and the last saddle is the interpolant of "
    r"least $\ell_1$ norm, where there is an interpolant. At finite $\alpha$ jumps "
    r"come late or early by the order of $1 / (v_k \log\frac1\alpha)$.",
    quick={"problems": 8},
    book={"problems": 12},
    full={"problems": 200},
    draw=draw_problems,
    measure=measure_visits,
    own=own_problem,
)
def saddle_to_saddle(measured: Visits) -> Evidence:
    """Distances from the saddles in the middle of plateaus, times of jumps, and the
    last saddle.
    """
    settled = measured.exponents >= SETTLED
    checks = (
        *_saddles(measured.misses[settled], measured.ends, measured.violation),
        *_times(measured.delays),
    )
    control = Control(
        "alpha = e^-3, which is not small",
        Check.share(
            "distance from the predicted saddle, relative, at most 1e-2",
            measured.early[settled],
            at_most=1e-2,
            most=0.25,
            tag="observed",
            math="distance from the predicted saddle, relative, at most $10^{-2}$",
            reason="a thousand times the bar of the claim, on the same plateaus",
        ),
        math=r"$\alpha = e^{-3}$, which is not small",
    )
    notes = {
        "problems": len(measured.ends),
        "plateaus": len(settled),
        "of these, too short for e^-300": int((~settled).sum()),
        "jumps too close to the next to be told apart": measured.close,
    }
    return Evidence(checks, control, notes, measured.broken)


def _saddles(misses: Tensor, ends: Tensor, violation: Tensor) -> tuple[Check, ...]:
    return (
        Check.each(
            "alpha = e^-300: distance from the saddle in the middle of its plateau, "
            "relative",
            misses,
            at_most=1e-5,
            tag="proved",
            math=r"$\alpha = e^{-300}$: distance from the saddle in the middle of its "
            "plateau, relative",
            reason="a limit, read where a deviation has been divided by $e^{20}$ or "
            "more by the linear theory of the saddle; a jump that comes late by $3 / "
            "(v_k \\log\\frac1\\alpha)$ costs a factor of some $e^6$, which leaves "
            r"$10^{-6}$, the tolerance of the integrator; ten times that",
            precision=True,
        ),
        Check.each(
            "last saddle: distance from the least l1 interpolant, relative",
            ends,
            at_most=1e-8,
            tag="proved",
            math=r"last saddle: distance from the least $\ell_1$ interpolant, relative",
            reason="two programs for the same point; the certificate of the linear one "
            "is that good",
            precision=True,
        ),
        Check.each(
            "saddles: largest violation of their optimality, relative",
            violation,
            at_most=1e-9,
            tag="proved",
            reason="least squares in double precision; the recursion itself counts "
            "$10^{-9}$ of the first gradient as rest",
            precision=True,
        ),
    )


def _times(delays: Tensor) -> tuple[Check, ...]:
    return (
        Check.share(
            "jumps: |t_k - T_k| v_k log(1/alpha) at most 3",
            delays.abs(),
            at_most=3,
            least=0.9,
            tag="derived",
            math=r"jumps: $|t_k - T_k|\, v_k \log\frac1\alpha \le 3$",
            reason="the order is derived: an entry of size one is reached when $s_i$ "
            r"is within $1/\log\frac1\alpha$ of 1, times logarithms of the sizes that "
            "add up over the jumps before. The constant is that of eight seeds that "
            "are not used here: 98 % of 400 jumps",
            repeats=0.3,
        ),
    )
