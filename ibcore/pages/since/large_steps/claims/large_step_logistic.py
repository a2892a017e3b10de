"""Logistic regression with any constant step: the mean loss, the stable phase, what a
long step gains, and the direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.large_steps import average_bound, stable_factor
from ibcore.pages.since.large_steps.logistic import (
    LEVEL,
    Course,
    Sets,
    draw_sets,
    largest_log_loss,
    opposed,
    own_sets,
    train,
)
from ibcore.validation import InvalidInput

MODERATE, LARGE = 10.0, 100.0
FEW = 50  # steps of the exponential loss


@dataclass(frozen=True)
class Problem:
    """Data sets, those of them that are opposed points, step sizes, and the number of
    steps.
    """

    sets: Sets
    hard: Sets
    step_sizes: tuple[float, ...]
    steps: int


@dataclass(frozen=True)
class Steps:
    """B data sets, E step sizes, the last of which is the number of steps T.

    certified: (B,), of the programs.
    average: (E, B), the largest mean loss of the first k steps over its bound, k <= T.
    rises: (E, B), how often the loss rose after it was at most 1 / eta.
    rate: (E, B), the largest gamma^2 eta (k - s) L(w_k) after the step s at which
    max(eta, n) L(w_s) <= 1/4.
    gain: (B,), log10 of L(w_T) with eta = T over that with the smallest eta.
    left: (E, B), gamma^2 eta T L(w_T).
    margin: (2, E, B), margin of w / |w| over gamma after T/10 and T steps.
    largest: (A,), largest log L of the exponential loss on the A sets of opposed
    points.
    """

    step_sizes: Tensor
    certified: Tensor
    average: Tensor
    rises: Tensor
    rate: Tensor
    gain: Tensor
    left: Tensor
    margin: Tensor
    largest: Tensor
    broken: tuple[str, ...]


def draw_problem(setting: Setting, *, sets: int, steps: int) -> Problem:
    """Scattered and opposed points, `sets` of each, and four step sizes."""
    sizes = (1.0, MODERATE, LARGE, float(steps))
    drawn = draw_sets(setting, sets)
    hard = drawn.select(drawn.opposed.nonzero()[:, 0])
    return Problem(drawn, hard, sizes, steps)


def own_problem(
    setting: Setting,
    X: object,
    y: object,
    *,
    sets: int,  # noqa: ARG001
    steps: int,
) -> Problem:
    """A reader's data, with the number n of examples as the smallest step size; the
    control is about opposed points of seed 0.

    Raises `InvalidInput` where 8 n is more than the number of steps.
    """
    data = own_sets(setting, X, y)
    n = float(data.points)
    if 8 * n > steps:
        raise InvalidInput(
            f"there are {data.points} examples, expected at most an eighth of the "
            f"{steps} steps. Pass fewer, or steps={8 * data.points} or more."
        )
    hard = Sets.of([opposed(0)], [True], setting.device)
    return Problem(data, hard, (n, 2 * n, 4 * n, float(steps)), steps)


def measure_steps(problem: Problem, setting: Setting) -> Steps:  # noqa: ARG001
    """Training with every step size, and with the exponential loss and one."""
    sets = problem.sets
    course = train(sets, problem.step_sizes, problem.steps)
    gamma, size = sets.gamma.cpu(), course.step_sizes[:, None]
    last = course.losses[-1]
    return Steps(
        course.step_sizes,
        sets.certified,
        _over_average(course, gamma),
        _late_rises(course),
        _rate(course, gamma, sets.points),
        (course.last_log[-1] - course.last_log[0]) / math.log(10),
        gamma.square() * size * course.steps * last,
        course.margin,
        largest_log_loss(problem.hard, LARGE, FEW),
        course.broken,
    )


def _over_average(course: Course, gamma: Tensor) -> Tensor:
    """The largest mean loss of the first k steps over its bound, (E, B)."""
    numbers = torch.arange(1, course.steps + 1, dtype=torch.float64)[:, None, None]
    means = course.losses[:-1].cumsum(0) / numbers
    bounds = average_bound(gamma, course.step_sizes[:, None], numbers)
    return (means / bounds).amax(0)


def _late_rises(course: Course) -> Tensor:
    """How often the loss rose after it was at most 1 / eta, (E, B); NaN where it never
    was.
    """
    first = course.first_below(1.0)
    numbers = torch.arange(course.steps)[:, None, None]
    rises = (course.losses.diff(dim=0) > 0) & (numbers >= first)
    return torch.where(first.isnan(), math.nan, rises.sum(0).double())


def _rate(course: Course, gamma: Tensor, points: int) -> Tensor:
    """The largest gamma^2 eta (k - s) L(w_k), k > s, (E, B); NaN where s does not come
    before the end.
    """
    first = course.first_below(LEVEL, points)
    numbers = torch.arange(course.steps + 1)[:, None, None]
    waited = (numbers - first).clamp_min(0)
    scaled = gamma.square() * course.step_sizes[:, None] * waited * course.losses
    return torch.where(first < course.steps, scaled.amax(0), math.nan)


@claim(
    kind="theorem",
    source="Wu, Braverman and Lee 2023; Wu, Bartlett, Telgarsky and Yu 2024 (abstracts "
    "read, theorems recalled). The bounds that are checked are proved on the page",
    statement="On linearly separable data with inputs of norm at most 1, gradient "
    r"descent with any constant step $\eta$ minimizes the logistic loss and converges "
    "in direction to the max-margin predictor. Once the loss is at most $1/\\eta$ it "
    r"falls at every step, and from some step $s$ on $L(w_k) \le C / (\gamma^2 \eta\, "
    r"(k - s))$, so that with $\eta$ of the order of the number of steps $T$ the loss "
    "falls to the order of $1/T^2$. With the exponential loss a large step may "
    "diverge.",
    quick={"sets": 8, "steps": 10000},
    book={"sets": 12, "steps": 10000},
    full={"sets": 100, "steps": 30000},
    draw=draw_problem,
    measure=measure_steps,
    own=own_problem,
)
def large_step_logistic(measured: Steps) -> Evidence:
    """The mean loss, the stable phase, what a long step gains, and the direction."""
    checks = (
        *_proved(measured.certified, measured.average, measured.rises, measured.rate),
        *_fast(measured.gain, measured.left, measured.step_sizes),
        *_direction(measured.margin),
    )
    control = Control(
        "the exponential loss on opposed points, with a step of 100",
        Check.share(
            "largest log L of the first 50 steps at most 10",
            measured.largest,
            at_most=10,
            most=0.25,
            tag="derived",
            math=r"largest $\log L$ of the first 50 steps at most 10",
            reason=r"it begins at 0. Over the whole range of these data $\log L$ is at "
            "least 594 after two steps and at least $10^{259}$ after three, with the "
            "whole gradient in closed form",
        ),
        math=r"the exponential loss on opposed points, $\eta = 100$",
    )
    notes = {"data sets": len(measured.certified)}
    return Evidence(checks, control, notes, measured.broken)


def _proved(
    certified: Tensor, average: Tensor, rises: Tensor, rate: Tensor
) -> tuple[Check, ...]:
    """Gaps of the programs (B,); mean losses over their bound, rises and rates, (E,
    B).
    """
    return (
        Check.each(
            "program: relative gap or violation",
            certified,
            at_most=1e-7,
            tag="derived",
            reason="half of the digits, as the program asks of itself",
            precision=True,
        ),
        Check.each(
            "mean loss of the first k steps over its bound, all k and steps",
            average.flatten(),
            at_most=1,
            tag="proved",
            math=r"mean loss of the first $k$ steps over its bound, all $k$ and $\eta$",
            reason=r"$\frac1k \sum_{j<k} L(w_j) \le (1 + \frac12 (\log M + "
            r"\frac\eta2)^2) / M$ with $M = \gamma^2 \eta k \ge 1$",
        ),
        Check.each(
            "steps that raise the loss after it was at most 1 / step",
            rises.flatten(),
            equals=0,
            atol=0,
            tag="proved",
            math=r"steps that raise the loss after it was at most $1/\eta$",
            reason="the curvature along such a step is at most the loss",
        ),
        Check.each(
            "gamma^2 step (k - s) L(w_k) after max(step, n) L(w_s) <= 1/4",
            rate.flatten(),
            at_most=stable_factor(LEVEL),
            tag="proved",
            math=r"$\gamma^2 \eta (k - s) L(w_k)$ after $\max(\eta, n)\, L(w_s) \le "
            r"\frac14$",
            reason=r"$1/((1 - \frac c2) ((1 - e^{-c})/c)^2)$ with $c = \frac14$",
        ),
    )


def _fast(gain: Tensor, left: Tensor, sizes: Tensor) -> tuple[Check, ...]:
    """With the step T, log10 of the last loss over that with the smallest step, (B,);
    gamma^2 eta T L(w_T), (E, B), for the step sizes (E,).
    """
    return (
        Check.share(
            "the two smallest steps: gamma^2 step T L(w_T) within 0.4 of 1",
            left[:2].flatten(),
            equals=1,
            atol=0.4,
            least=0.9,
            tag="derived",
            math=r"the two smallest steps: $\gamma^2 \eta T L(w_T)$ within 0.4 of 1",
            reason=r"late in training $\|\nabla L\|$ is close to $\gamma L$, and $1/L$ "
            r"grows by $\gamma^2 \eta$ in each step; before that by less or by more",
        ),
        Check.each(
            "step T: gamma^2 T^2 L(w_T)",
            left[-1],
            at_most=stable_factor(LEVEL),
            tag="derived",
            math=r"$\eta = T$: $\gamma^2 T^2 L(w_T)$",
            reason=r"the line above with $\eta = T$, where $s$ is small beside $T$; on "
            "most data it is far less, which the theorem does not promise",
            precision=True,
        ),
        Check.each(
            "step T: log10 of L(w_T) over that with the smallest step",
            gain,
            at_most=1 + float(torch.log10(sizes[0] / sizes[-1])),
            tag="derived",
            math=r"$\eta = T$: $\log_{10}$ of $L(w_T)$ over that with the smallest "
            r"$\eta$",
            reason=r"both are about $1/(\gamma^2 \eta T)$ or less, so that the ratio "
            "is about the smallest step over $T$, or less; ten times that",
            precision=True,
        ),
    )


def _direction(margin: Tensor) -> tuple[Check, ...]:
    """Margins over the largest possible after T/10 and T steps, (2, E, B)."""
    early, late = margin
    return (
        Check.share(
            "steps below T: margin over the largest possible at least 0.85",
            late[:-1].flatten(),
            at_least=0.85,
            least=0.9,
            tag="observed",
            math=r"$\eta < T$: margin over $\gamma$ at least 0.85",
            reason=r"the theorem says that it tends to 1, like $1/\log k$, with a factor "
            "of the data",
        ),
        Check.share(
            "steps below T: margin larger than after T/10 steps",
            (late - early)[:-1].flatten(),
            at_least=0,
            least=0.9,
            tag="observed",
            math=r"$\eta < T$: margin larger than after $T/10$ steps",
            reason="it need not be monotone, and in the long run it is",
            precision=True,
        ),
        Check.share(
            "step T: margin below that with the smallest step",
            late[-1] - late[0],
            at_most=0,
            least=0.9,
            tag="observed",
            math=r"$\eta = T$: margin below that with the smallest $\eta$",
            reason=r"the first steps leave $\|w\|$ of the order of $\eta$ in a "
            r"direction of their own, which $\log k$ outgrows only when $k$ is of the "
            r"order of $e^\eta$",
        ),
    )
