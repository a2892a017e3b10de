"""The bound on the gap of gradient descent on smooth convex functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics import paces
from ibcore.dynamics.explicit import descend
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.regression.linear_regression.convex import (
    Convex,
    below_bound,
    both_kinds,
    informative,
    stops,
    training,
    within_bound,
)

DIVERGES, DIVERGED = 2.1, 40  # step over 1/Lambda and number of steps


@dataclass(frozen=True)
class Problems:
    """Convex problems by kind, and the number of steps."""

    cases: dict[str, Convex]
    steps: int


@dataclass(frozen=True)
class Shares:
    """Gaps over their bounds.

    k: (K,), numbers of steps.
    shares: by kind of problem, (B, K).
    control: (B,), with too long steps.
    rejected: how many draws were separable.
    """

    k: Tensor
    shares: dict[str, Tensor]
    control: Tensor
    rejected: int


def draw_problems(setting: Setting, *, problems: int, steps: int) -> Problems:
    """Least squares and logistic regression."""
    return Problems(both_kinds(setting, problems), steps)


def measure_shares(problems: Problems, setting: Setting) -> Shares:  # noqa: ARG001
    """Descent from zero with eta = 1/Lambda, on least squares also with 2.1/Lambda."""
    shown = stops(problems.steps)
    cases = problems.cases
    return Shares(
        torch.tensor(shown, dtype=torch.float64),
        {name: _shares(case, 1.0, shown) for name, case in cases.items()},
        _shares(cases["squares"], DIVERGES, [DIVERGED])[:, 0],
        sum(case.rejected for case in cases.values()),
    )


def _shares(case: Convex, scale: float, at: Sequence[int]) -> Tensor:
    """(f(w_k) - f(w*)) 2 eta k / |w_0 - w*|^2 from w_0 = 0, (B, K).

    eta: `scale` over Lambda, the Lipschitz constant of grad f.
    """
    eta = scale / case.problems.smoothness
    path = descend(
        training(case.problems),
        torch.zeros_like(case.minimizer),
        paces.constant(eta),
        steps=at,
    ).theta
    k = torch.tensor(at, dtype=path.dtype, device=path.device)
    return case.gap(path.transpose(0, 1)) * 2 * eta[:, None] * k / case.squared[:, None]


@claim(
    kind="theorem",
    source="Garrigos and Gower 2023, the theorem on gradient descent for convex smooth "
    "functions (recalled); proved on the page",
    statement=r"For a convex $f$ with $\Lambda$-Lipschitz gradient and a minimizer "
    r"$w^*$, gradient descent with $0 < \eta \le 1/\Lambda$ has $f(w_k) - f(w^*) \le "
    r"\|w_0 - w^*\|^2 / (2 \eta k)$.",
    quick={"problems": 8, "steps": 1000},
    book={"problems": 12, "steps": 10_000},
    full={"problems": 200, "steps": 100_000},
    draw=draw_problems,
    measure=measure_shares,
)
def gd_convex_rate(measured: Shares) -> Evidence:
    """Gap over bound along the path, least squares and logistic regression."""
    shares = measured.shares
    late = [share[:, measured.k >= 10].amax(-1) for share in shares.values()]
    checks = (
        *_below(shares),
        informative(
            "largest gap over bound from the tenth step on at least 1/50",
            torch.stack(late),
        ),
    )
    control = Control(
        "least squares with eta = 2.1/Lambda, after 40 steps",
        within_bound(measured.control),
        math=r"least squares with $\eta = 2.1/\Lambda$, after 40 steps",
    )
    notes = {
        "problems": sum(len(share) for share in shares.values()),
        "rejected (separable)": measured.rejected,
    }
    return Evidence(checks, control, notes=notes)


def _below(shares: dict[str, Tensor]) -> tuple[Check, ...]:
    return tuple(
        below_bound(f"{name}: largest gap over bound", share.amax(-1))
        for name, share in shares.items()
    )
