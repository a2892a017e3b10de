"""The bound on the gap of averaged SGD on smooth convex functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics import paces
from ibcore.dynamics.batches import with_replacement
from ibcore.dynamics.directions import Averaged
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

SHARES_OF_LIMIT = (1 / 4, 1 / 20)  # eta Lambda
FAR, NEAR = 1.0, 0.01  # |w_0 - w*| / |w*|


@dataclass(frozen=True)
class Problems:
    """Convex problems by kind, how often each is run, and for how many steps."""

    cases: dict[str, Convex]
    runs: int
    steps: int


@dataclass(frozen=True)
class Share:
    """Mean gap of the averaged iterate and its standard error over the bound, (B, K).

    whole_over_bias: the bound over its first term, (B, K).
    """

    mean: Tensor
    error: Tensor
    whole_over_bias: Tensor

    @property
    def upper(self) -> Tensor:
        """The mean and four standard errors."""
        return self.mean + 4 * self.error

    @property
    def over_bias(self) -> Tensor:
        """The mean less four standard errors, over the bound's first term."""
        return (self.mean - 4 * self.error) * self.whole_over_bias


@dataclass(frozen=True)
class Shares:
    """Gaps over their bounds after k (K,) steps.

    far: from zero, by kind of problem and step.
    near: from a start close to the minimizer, by kind.
    runs: on each problem.      rejected: how many draws were separable.
    """

    k: Tensor
    far: dict[str, Share]
    near: dict[str, Share]
    runs: int
    rejected: int

    @property
    def shares(self) -> dict[str, Tensor]:
        """The means from zero, (B, K) each, by names with formulas."""
        return {labeled(name): share.mean for name, share in self.far.items()}


def labeled(name: str) -> str:
    """The name of a run from zero with its formula between dollar signs."""
    kind, _, share = name.partition(", eta = ")
    return rf"{kind}, $\eta = {share.removesuffix('/Lambda')} / \Lambda$"


def draw_problems(
    setting: Setting, *, problems: int, runs: int, steps: int
) -> Problems:
    """Least squares and logistic regression."""
    return Problems(both_kinds(setting, problems), runs, steps)


def measure_shares(problems: Problems, setting: Setting) -> Shares:
    """From zero at two step sizes, and from near the minimizer at the larger."""
    shown = stops(problems.steps)

    def share(case: Convex, limit: float, distance: float) -> Share:
        return _stochastic(setting, case, limit, distance, problems.runs, shown)

    cases = problems.cases
    return Shares(
        torch.tensor(shown, dtype=torch.float64),
        {
            f"{name}, eta = {limit:g}/Lambda": share(case, limit, FAR)
            for name, case in cases.items()
            for limit in SHARES_OF_LIMIT
        },
        {name: share(case, SHARES_OF_LIMIT[0], NEAR) for name, case in cases.items()},
        problems.runs,
        sum(case.rejected for case in cases.values()),
    )


def _stochastic(
    setting: Setting,
    case: Convex,
    limit: float,
    distance: float,
    runs: int,
    at: list[int],
) -> Share:
    """SGD with eta = `limit` / Lambda from w_0 = (1 - distance) w*.

    Lambda is the largest Lipschitz constant of a grad f_i; each problem is run `runs`
    times.
    """
    problems = case.problems
    eta = limit / problems.example_smoothness
    purpose = f"convex order {problems.logistic} {limit} {distance}"
    generator = torch.Generator().manual_seed(setting.seeds(1, purpose)[0])
    run = descend(
        training(problems, runs),
        ((1 - distance) * case.minimizer).repeat_interleave(runs, 0),
        paces.constant(eta.repeat_interleave(runs)),
        steps=at,
        direction=Averaged(),
        batches=with_replacement(1, generator, each=True),
        recall={"average": Averaged.mean},
        max_seconds=math.inf,
    )
    average = run.watched["average"].unflatten(1, (-1, runs)).transpose(0, 1)
    gap = case.gap(average)
    first = distance**2 * case.squared / (2 * eta * (1 - 2 * limit))
    second = eta / (1 - 2 * limit) * problems.variance(case.minimizer)
    bias = first[:, None] / torch.tensor(at).to(first)
    bound = bias + second[:, None]
    error = gap.std(-1) / math.sqrt(runs)
    return Share(gap.mean(-1) / bound, error / bound, bound / bias)


@claim(
    kind="theorem",
    source="Garrigos and Gower 2023, the theorem on SGD for sums of convex smooth "
    "functions (recalled); proved on the page",
    statement=r"Let $f$ be the mean of convex $f_i$ with $\Lambda$-Lipschitz "
    "gradients, with a minimizer $w^*$. SGD with one example a step, drawn with "
    r"replacement, and $0 < \eta < 1/(2\Lambda)$ has $\mathbb{E} f(\bar w) - f(w^*)$ "
    r"at most $\|w_0 - w^*\|^2 / (2 \eta (1 - 2 \eta \Lambda) k)$ plus $\eta/(1 - 2 "
    r"\eta \Lambda) \, \mathbb{E}_i \|\nabla f_i(w^*)\|^2$, $\bar w$ the mean of $w_0, "
    r"\ldots, w_{k-1}$.",
    quick={"problems": 8, "runs": 64, "steps": 500},
    book={"problems": 8, "runs": 128, "steps": 3000},
    full={"problems": 100, "runs": 1000, "steps": 100_000},
    draw=draw_problems,
    measure=measure_shares,
)
def sgd_convex_rate(measured: Shares) -> Evidence:
    """Mean gaps over many runs against the bound, from zero and near the minimizer."""
    near = measured.near.values()
    checks = (
        *_from_zero(measured),
        below_bound(
            "start near w*: largest gap over bound + 4 SE",
            torch.cat([one.upper.amax(-1) for one in near]),
            "start near $w^*$: largest gap over bound + 4 SE",
        ),
        informative(
            "start near w*: largest gap over bound at least 1/50",
            torch.cat([one.mean.amax(-1) for one in near]),
            "start near $w^*$: largest gap over bound at least 1/50",
        ),
    )
    control = Control(
        "the bound without its variance term, start near w*, largest gap - 4 SE",
        within_bound(torch.cat([one.over_bias.amax(-1) for one in near])),
        math="the bound without its variance term, start near $w^*$, largest gap $-$ 4 "
        "SE",
    )
    notes = {
        "problems": sum(len(one.mean) for one in near),
        "runs each": measured.runs,
        "rejected (separable)": measured.rejected,
    }
    return Evidence(checks, control, notes=notes)


def _from_zero(measured: Shares) -> tuple[Check, ...]:
    late = [share[:, measured.k >= 10].amax(-1) for share in measured.shares.values()]
    return (
        *(
            below_bound(
                f"{name}: largest gap over bound + 4 SE",
                share.upper.amax(-1),
                f"{labeled(name)}: largest gap over bound + 4 SE",
            )
            for name, share in measured.far.items()
        ),
        informative(
            "largest gap over bound from the tenth step on at least 1/50",
            torch.stack(late),
        ),
    )
