"""Gradient flow of a network that is homogeneous up to terms of lower degree, and the
KKT conditions of its leading part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Breakdown, Check, Control, Evidence, attempt
from ibcore.pages.since.features.nearly import (
    STOPS,
    Network,
    Path,
    conditions,
    drawn,
    grown,
    own,
)

END = STOPS[-1]


@dataclass(frozen=True)
class Ends:
    """Of B networks, (B,) each; s is the logarithm of the growth of |theta| after all
    examples are right.

    residual, complementarity: of the KKT conditions of the leading part at s = 4.
    fall, turning, over: of the corrected margin, see `Path`, and the largest residual
    over its bound, at the stops from which on the corrected margin is positive.
    began: the first of these s; where the corrected margin is not positive until s = 4
    it is NaN, as is all else, since the theorem is silent.
    uneven: the residual at s = 4 of the flow in which every parameter has a learning
    rate of its own, NaN where the leading part is not right on all examples.
    """

    residual: Tensor
    complementarity: Tensor
    fall: Tensor
    turning: Tensor
    over: Tensor
    began: Tensor
    uneven: Tensor
    broken: tuple[str, ...]


def draw_networks(setting: Setting, *, networks: int) -> list[Network]:
    """Eight neurons on six points with random labels."""
    return drawn(setting.seeds(networks, "nearly homogeneous"))


def own_networks(
    setting: Setting, X: object, y: object, *, networks: int
) -> list[Network]:
    """The same networks on a reader's X (n, d) and y (n,) in {-1, +1}."""
    return own(X, y, setting.seeds(networks, "nearly homogeneous"))


def measure_ends(problems: list[Network], setting: Setting) -> Ends:  # noqa: ARG001
    """Until |theta| has grown by about e^4."""
    plain, lost = attempt(_plain, problems)
    uneven, more = attempt(_uneven, problems)
    columns = [
        torch.tensor([_entry(row, k) for row in rows], dtype=torch.float64)
        for rows, count in ((plain, 6), (uneven, 1))
        for k in range(count)
    ]
    residual, complementarity, fall, turning, over, began, alone = columns
    return Ends(
        residual, complementarity, fall, turning, over, began, alone, (*lost, *more)
    )


def _entry(row: list[float] | Breakdown, place: int) -> float:
    return math.nan if isinstance(row, Breakdown) else row[place]


def _plain(problem: Network) -> list[float]:
    run = grown(problem, torch.ones_like(problem.theta), STOPS)
    if not run.complete:
        raise RuntimeError(f"gradient flow: {run.status}")
    path = Path.of(problem, run.path)
    if not bool(path.corrected[-1] > 0):
        return [math.nan] * 6
    first = int((path.corrected > 0).int().argmax())
    later, end = path.since(first), conditions(problem, run.path[-1])
    over = [
        conditions(problem, run.path[k]).residual / float(path.allowed[k])
        for k in range(first, len(STOPS), 5)
    ]
    return [
        end.residual,
        end.complementarity,
        later.fall,
        later.turning,
        max(over),
        STOPS[first],
    ]


def _uneven(problem: Network) -> list[float]:
    run = grown(problem, problem.rates, [END])
    if not run.complete:
        raise RuntimeError(f"flow with rates: {run.status}")
    theta = run.path[-1]
    if not bool((problem.leading.outputs(theta[None]) > 0).all()):
        return [math.nan]
    return [conditions(problem, theta).residual]


@claim(
    kind="theorem",
    source="Cai, Zhou, Wu, Mei, Lindsey and Bartlett 2025 (abstract read, theorem "
    "recalled: the direction converges, to a KKT point). For this network the rise of "
    "a corrected margin and the KKT conditions of limit points along a sequence of "
    "times are proved on the page",
    statement=r"The network $f = \sum_j a_j (z_j^2 + z_j) + v \cdot x + b$ with $z_j = "
    r"w_j \cdot x$ is homogeneous up to terms of lower degree. Under gradient flow on "
    r"the exponential loss, once $\log\frac1{nL} / \|\theta\|^3$ exceeds an allowance "
    r"for these terms, $\|\theta\| \to \infty$, the difference never falls, and limit "
    r"points of the direction along a sequence of times meet, up to scale, the KKT "
    r"conditions of $\min \|\theta\|^2$ subject to margins of at least 1 of the leading part $\sum_j a_j "
    "z_j^2$.",
    quick={"networks": 10},
    book={"networks": 14},
    full={"networks": 100},
    draw=draw_networks,
    measure=measure_ends,
    own=own_networks,
)
def near_homogeneous_kkt(measured: Ends) -> Evidence:
    """The corrected margin, how the direction turns, and what is left of the KKT
    conditions.
    """
    began = measured.began.isfinite()
    checks = (*_proof(measured, began), *_ends(measured, began))
    control = Control(
        "a learning rate of its own for every parameter",
        Check.share(
            "residual in the Euclidean norm at s = 4 at most 0.25",
            measured.uneven[began],
            at_most=0.25,
            most=0.25,
            tag="derived",
            math=r"residual in the Euclidean norm at $s = 4$ at most $0.25$",
            reason="below the bar of the claim; this flow tends to KKT points of "
            "another norm",
            repeats=0.3,
        ),
    )
    notes = {
        "networks": len(measured.residual),
        "of these, with a corrected margin that is positive at s = 4": int(began.sum()),
    }
    return Evidence(checks, control, notes, measured.broken)


def _proof(measured: Ends, began: Tensor) -> tuple[Check, ...]:
    return (
        Check.each(
            "fall of the corrected margin, over its last value",
            measured.fall[began],
            at_most=1e-5,
            tag="proved",
            math=r"fall of $\hat\gamma$, over its last value",
            reason="zero, up to ten times the tolerance of the integrator",
            precision=True,
        ),
        Check.each(
            "integral of the squared tangent of the angle between theta and -grad L, "
            "over its bound",
            measured.turning[began],
            at_most=1,
            tag="proved",
            math=r"integral of $\tan^2 \angle(\theta, -\nabla L)$ over its bound",
            reason="proved on the page; what is missing to 1 is the entropy of the "
            "shares, and the allowance, which is for the worst case",
            repeats=0.3,
        ),
        Check.each(
            "residual of the KKT conditions of the leading part, over its bound",
            measured.over[began],
            at_most=1,
            tag="proved",
            reason="the sine of the angle, and what the lower terms add to the "
            "gradients at most",
            repeats=0.3,
        ),
    )


def _ends(measured: Ends, began: Tensor) -> tuple[Check, ...]:
    return (
        Check.share(
            "residual at s = 4 at most 0.3",
            measured.residual[began],
            at_most=0.3,
            least=0.9,
            tag="observed",
            math=r"residual at $s = 4$ at most $0.3$",
            reason="the bound of the proof is of this size then, and least squares over "
            "the multipliers can only gain; how far the angle has closed is observed. "
            "At random parameters the residual is 0.7 or more",
            repeats=0.3,
        ),
        Check.share(
            "complementarity at s = 4 at most 0.1",
            measured.complementarity[began],
            at_most=0.1,
            least=0.9,
            tag="observed",
            math=r"complementarity at $s = 4$ at most $0.1$",
            reason="shares fall exponentially in the margins, so that only the lower "
            "terms, of the order $e^{-s}$, give weight to margins that are not least",
            repeats=0.3,
        ),
    )
