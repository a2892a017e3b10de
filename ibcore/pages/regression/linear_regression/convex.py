"""Convex problems with their minimizers, for the bounds of descent and SGD."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.objective import Objective
from ibcore.evidence import Check
from ibcore.losses import Logistic, Square
from ibcore.models.linear import Linear
from ibcore.models.margins import Margins
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.separability import nonseparable_limit
from ibcore.problems.convex import ConvexProblems, random_problem

EXAMPLES, DIMENSIONS = 60, 6
SPECTRUM = 2.0  # eigenvalues of the inputs' covariance fall like j^-2


@dataclass(frozen=True)
class Convex:
    """B convex problems with their minimizers w* (B, d), and the start at 0.

    least, squared: the least values and |w*|^2, (B,).
    rejected: how many draws had no minimizer.
    """

    problems: ConvexProblems
    minimizer: Tensor
    least: Tensor
    squared: Tensor
    rejected: int

    def gap(self, w: Tensor) -> Tensor:
        """f(w) - f(w*) for w (B, ..., d), (B, ...)."""
        return self.problems.loss(w) - self.least.reshape(-1, *[1] * (w.ndim - 2))


def drawn(setting: Setting, count: int, *, logistic: bool) -> Convex:
    """`count` problems of 60 examples; separable ones have no minimizer: rejected."""

    def keep(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor] | None:
        X, y = random_problem(
            EXAMPLES, DIMENSIONS, generator, logistic=logistic, decay=SPECTRUM
        )
        if not logistic:
            return X, y, minimum_norm(X, y).weights
        limit = nonseparable_limit(X, y)
        return None if bool(limit.separable.any()) else (X, y, limit.minimizer)

    purpose = f"convex {'logistic' if logistic else 'squares'}"
    kept, rejected = setting.draw(count, purpose, keep)
    parts = [torch.stack(part).to(setting.device) for part in zip(*kept, strict=True)]
    X, y, best = parts
    problems = ConvexProblems(X, y, logistic)
    least = problems.loss(best[:, None])[:, 0]
    return Convex(problems, best, least, best.square().sum(-1), rejected)


def both_kinds(setting: Setting, count: int) -> dict[str, Convex]:
    """`count` problems of least squares and as many of logistic regression."""
    return {
        "squares": drawn(setting, count, logistic=False),
        "logistic": drawn(setting, count, logistic=True),
    }


def stops(last: int) -> list[int]:
    """Eight numbers of steps a decade, from 1 to `last`."""
    powers = range(int(8 * math.log10(last)) + 1)
    return sorted({round(10 ** (k / 8)) for k in powers} | {last})


def training(problems: ConvexProblems, runs: int = 1) -> Objective:
    """f for `runs` members on each problem, problem by problem."""
    X, y = (part.repeat_interleave(runs, 0) for part in (problems.X, problems.y))
    if problems.logistic:
        return Objective(Margins(Linear(X), y), Logistic())
    return Objective(Linear(X), Square(), y, shared=False)


def below_bound(name: str, shares: Tensor, formulas: str = "") -> Check:
    """The largest gap of each problem over its bound, (B,)."""
    return Check.each(
        name,
        shares,
        at_most=1,
        tag="proved",
        math=formulas,
        reason="the bound itself; a mean over runs has four standard errors added to "
        "it",
    )


def informative(name: str, shares: Tensor, formulas: str = "") -> Check:
    """The largest gaps of problems over their bounds: the bound is not far away."""
    return Check.share(
        name,
        shares,
        at_least=1 / 50,
        least=0.9,
        tag="observed",
        math=formulas,
        reason="no quadratic comes closer than 1/5.4 with descent; of 560 batches of "
        "runs all but one met it",
    )


def within_bound(shares: Tensor) -> Check:
    """Of a control: gaps over what the broken theorem would say."""
    return Check.share(
        "gap at most the bound",
        shares,
        at_most=1,
        most=0.25,
        tag="observed",
        reason="the bar of the claim; of 220 problems none met it",
    )
