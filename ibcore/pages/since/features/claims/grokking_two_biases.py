"""Diagonal networks with weight decay from a large start: first the predictor of the
kernel, later that of the penalty, and when one gives way to the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.since.features.grokking import (
    BEFORE,
    DECAY,
    EARLY,
    READINGS,
    Task,
    Training,
    halfway,
    task,
    trained,
)

LARGE, LARGER, SMALL = 4.0, 8.0, -4.0  # log alpha
LAST = len(READINGS) - 1
FROM_START = tuple(24 * k / 200 - SMALL for k in range(1, 201))  # x, small start


@dataclass(frozen=True)
class Tasks:
    """Tasks of a sparse teacher, and tasks of a dense one, which has a large l2
    margin.
    """

    sparse: list[Task]
    dense: list[Task]


@dataclass(frozen=True)
class Phases:
    """Of B networks on tasks of a sparse teacher, (B,) each where nothing else is said.

    separator: cosine with the l2 max-margin predictor at x = -2, from alpha = e^8.
    early: distance from the minimizer with the penalty of that time, relative.
    rise: largest rise of the penalized loss between readings after x = -1, over its
    last value.      apart: (2, B), relative difference between the starts e^4 and e^8
    at x = 0 and at the last x.      halves: (2, B), lambda t at which the cosine is
    halfway, from e^4 and from e^8.
    late: loss with the l1 penalty at x = 20 above the least one, relative.
    final, undecayed: cosine with the minimizer at x = 20, and that without weight decay
    after the same time.
    kept: (2, B), relative error of what is conserved up to decay.
    gain, loss: change of the test accuracy from x = -1 to 20, for the sparse teacher
    and for the dense one.
    small: largest cosine with the l2 max-margin predictor from alpha = e^-4, at times
    when all examples are right.
    """

    separator: Tensor
    early: Tensor
    rise: Tensor
    apart: Tensor
    halves: Tensor
    late: Tensor
    final: Tensor
    undecayed: Tensor
    kept: Tensor
    gain: Tensor
    loss: Tensor
    small: Tensor
    broken: tuple[str, ...]


def draw_tasks(setting: Setting, *, tasks: int) -> Tasks:
    """Forty examples with sixty features of -1 and +1."""
    seeds = setting.seeds(tasks, "grokking")
    sparse, dense = (
        [task(torch.Generator().manual_seed(seed), dense=kind) for seed in seeds]
        for kind in (False, True)
    )
    return Tasks(sparse, dense)


def measure_phases(problems: Tasks, setting: Setting) -> Phases:  # noqa: ARG001
    """Flow until lambda t = log alpha + 20."""
    sparse = problems.sparse
    runs = [[trained(one, depth) for one in sparse] for depth in (LARGE, LARGER)]
    free = [trained(one, LARGE, decay=0.0) for one in sparse]
    small = [trained(one, SMALL, FROM_START) for one in sparse]
    dense = [trained(one, LARGE) for one in problems.dense]
    large, larger = (list(zip(row, sparse, strict=True)) for row in runs)
    return Phases(
        _each(run.cosines(one.separator)[EARLY] for run, one in larger),
        _each(_distance(run.beta[EARLY], one.early.primal) for run, one in larger),
        _each(_rise(run, one) for run, one in large),
        torch.stack([_apart(runs, k) for k in (READINGS.index(0.0), LAST)]),
        torch.stack(
            [
                depth + _each(halfway(run, one.separator) for run, one in row)
                for depth, row in ((LARGE, large), (LARGER, larger))
            ]
        ),
        _each(_excess(run, one) for run, one in large),
        _each(run.cosines(one.late.primal)[-1] for run, one in large),
        _each(
            run.cosines(one.late.primal)[-1]
            for run, one in zip(free, sparse, strict=True)
        ),
        torch.stack([_each(run.kept for run in row) for row in runs]),
        _each(_gain(run, one) for run, one in large),
        _each(_gain(run, one) for run, one in zip(dense, problems.dense, strict=True)),
        _each(_largest(run, one) for run, one in zip(small, sparse, strict=True)),
        tuple(
            f"gradient flow: {run.status}"
            for run in (*runs[0], *runs[1], *free, *small, *dense)
            if not run.complete
        ),
    )


def _each(numbers: object) -> Tensor:
    return torch.tensor([float(one) for one in numbers], dtype=torch.float64)  # type: ignore[attr-defined]


def _distance(beta: Tensor, other: Tensor) -> float:
    return float((beta - other).norm() / other.norm())


def _rise(run: Training, data: Task) -> float:
    values = run.penalized(data)[BEFORE:]
    return float(values.diff().amax() / values[-1])


def _apart(runs: list[list[Training]], reading: int) -> Tensor:
    pairs = zip(*runs, strict=True)
    return _each(_distance(a.beta[reading], b.beta[reading]) for a, b in pairs)


def _excess(run: Training, data: Task) -> float:
    margins = data.y * (data.X @ run.beta[-1])
    loss = torch.nn.functional.softplus(-margins).mean()
    value = loss + DECAY / 2 * run.beta[-1].abs().sum()
    return float(value / data.late.value - 1)


def _gain(run: Training, data: Task) -> float:
    accuracy = run.accuracy(data)
    return float(accuracy[-1] - accuracy[BEFORE])


def _largest(run: Training, data: Task) -> float:
    right = run.right(data)
    cosines = run.cosines(data.separator)[right]
    return float(cosines.amax()) if len(cosines) else math.nan


@claim(
    kind="theorem",
    source="Lyu, Jin, Li, Du, Lee and Hu 2024 (abstract read, theorem recalled). That "
    "the path depends on the start through one number, that a penalized loss falls, "
    "and where the path can end is proved on the page for diagonal networks",
    statement=r"The diagonal network $\beta = u^2 - v^2$ starts at $u = v = \alpha$, "
    r"large, and follows gradient flow with weight decay $\lambda$ on separable data "
    r"with the logistic loss. While $\lambda t$ is well below $\log\alpha$ it is, for "
    r"small $\lambda$, close to the $\ell_2$ max-margin direction of its tangent "
    r"kernel. When $\lambda t$ has passed $\log\alpha$ it goes over to the minimizer "
    r"of $L + \frac\lambda2 \|\beta\|_1$. The path is a function of $\lambda t - "
    r"\log\alpha$ but for the memory of its start, so that the change comes later by "
    r"exactly $\log\alpha / \lambda$.",
    quick={"tasks": 8},
    book={"tasks": 12},
    full={"tasks": 200},
    draw=draw_tasks,
    measure=measure_phases,
)
def grokking_two_biases(measured: Phases) -> Evidence:
    """The first bias, the second one, when they change, and what it does to the
    accuracy.
    """
    checks = (
        *_first(measured),
        *_second(measured),
        *_change(measured),
        *_accuracy(measured),
    )
    control = Control(
        "no weight decay",
        Check.share(
            "cosine with the minimizer with the l1 penalty at least 0.95",
            measured.undecayed,
            at_least=0.95,
            most=0.25,
            tag="derived",
            math=r"cosine with the minimizer with the $\ell_1$ penalty at least "
            "$0.95$",
            reason="without decay the kernel stays what it is. The angle is nine times "
            "as wide as at the bar of the claim",
        ),
        math=r"no weight decay, $\lambda = 0$, after the same time",
    )
    notes = {"tasks of each kind": len(measured.gain)}
    return Evidence(checks, control, notes, measured.broken)


def _first(measured: Phases) -> tuple[Check, ...]:
    return (
        Check.each(
            "alpha = e^8, lambda t = 3/4 log alpha: distance from the minimizer with "
            "the penalty of that time, relative",
            measured.early,
            at_most=0.05,
            tag="derived",
            math=r"$\alpha = e^8$, $\lambda t = \frac34 \log\alpha$: distance from the "
            "minimizer with the penalty of that time, relative",
            reason="the minimizer moves, and the path is behind it by a part in the "
            "square of the least margin, which is about 10: 0.01; five times that",
            repeats=0.3,
        ),
        Check.share(
            "the same time: cosine with the l2 max-margin predictor at least 0.98",
            measured.separator,
            at_least=0.98,
            least=0.9,
            tag="derived",
            math=r"the same time: cosine with the $\ell_2$ max-margin predictor at "
            "least $0.98$",
            reason=r"the ridge is $\lambda e^{-4} / 4 = 5 \cdot 10^{-6}$, so that "
            "margins are about 10 and differ by a part of 1/10, which turns the "
            "direction by a tenth or two",
            repeats=0.01,
        ),
        Check.share(
            "alpha = e^-4: largest cosine with the l2 max-margin predictor at most 0.9",
            measured.small,
            at_most=0.9,
            least=0.9,
            tag="observed",
            math=r"$\alpha = e^{-4}$: largest cosine with the $\ell_2$ max-margin "
            "predictor at most $0.9$",
            reason="the first phase needs a large start; 0.85 at most on eight seeds "
            "that are not used here",
        ),
    )


def _second(measured: Phases) -> tuple[Check, ...]:
    return (
        Check.each(
            "rise of the penalized loss, over its last value",
            measured.rise,
            at_most=1e-5,
            tag="proved",
            math=r"rise of $\Phi_\tau$, over its last value",
            reason="none; a hundred times the tolerance of the integrator",
            precision=True,
        ),
        Check.each(
            "tau = 20: loss with the l1 penalty above the least one, relative",
            measured.late,
            at_most=1e-2,
            tag="proved",
            math=r"$\tau = 20$: $L + \frac\lambda2 \|\beta\|_1$ above its least value, "
            "relative",
            reason="a limit. An entry that is to vanish with a slack $c$ falls like "
            r"$e^{-2 c \tau}$ and costs $c$ times its size, at most $1 / (2 e \tau) = 0.009$ "
            "of the entry, and entries are parts of the whole",
            repeats=0.3,
        ),
        Check.share(
            "tau = 20: cosine with the minimizer at least 0.999",
            measured.final,
            at_least=0.999,
            least=0.9,
            tag="derived",
            math=r"$\tau = 20$: cosine with the minimizer at least $0.999$",
            reason="the same limit; slow where a slack is small",
            repeats=0.01,
        ),
        Check.each(
            "u v over alpha^2 e^(-2 lambda t), relative error in the size of u^2 + v^2",
            measured.kept,
            at_most=1e-4,
            tag="proved",
            math=r"$u v$ apart from $\alpha^2 e^{-2 \lambda t}$, over $u^2 + v^2$",
            reason="the tolerance of the integrator, added up over some thousand steps",
            precision=True,
        ),
    )


def _change(measured: Phases) -> tuple[Check, ...]:
    delay = (measured.halves[1] - measured.halves[0]) / (LARGER - LARGE)
    return (
        Check.each(
            "tau = 0 and 20: difference between the starts e^4 and e^8, relative",
            measured.apart,
            at_most=1e-3,
            tag="proved",
            math=r"$\tau = 0$ and $20$: difference between the starts $e^4$ and $e^8$, "
            "relative",
            reason=r"one equation for all starts, which forgets when it began like "
            r"$\alpha^{-2}$, $3 \cdot 10^{-4}$ for $e^4$; three times that",
            precision=True,
        ),
        Check.each(
            "delay of the change, lambda times its time, per unit of log alpha",
            delay,
            equals=1,
            atol=1e-3,
            tag="proved",
            math=r"delay of the change, $\lambda t$ per unit of $\log\alpha$",
            reason="the same",
            repeats=0.01,
        ),
    )


def _accuracy(measured: Phases) -> tuple[Check, ...]:
    return (
        Check.share(
            "sparse teacher: gain of test accuracy from tau = -1 to 20 at least 0.1",
            measured.gain,
            at_least=0.1,
            least=0.9,
            tag="observed",
            math=r"sparse teacher: gain of test accuracy from $\tau = -1$ to $20$ at least "
            "$0.1$",
            reason=r"a small $\ell_1$ norm suits it; sampling of the test data adds less than "
            "0.02",
            repeats=0.3,
        ),
        Check.share(
            "dense teacher: gain of test accuracy at most 0.02",
            measured.loss,
            at_most=0.02,
            least=0.9,
            tag="observed",
            math="dense teacher: gain of test accuracy at most $0.02$",
            reason="two standard errors of the sampling; a small $\\ell_1$ norm does not "
            "suit it",
            repeats=0.3,
        ),
    )
