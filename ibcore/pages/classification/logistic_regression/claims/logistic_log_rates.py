"""The direction converges like 1 / log t, and the norm grows like log t."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.protocols import TailLoss
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import PolynomialTail
from ibcore.measures import sin_angle, slope
from ibcore.pages.classification.logistic_regression.bars import gap_shares, settled
from ibcore.pages.classification.logistic_regression.runs import (
    LOG_10,
    Batch,
    Problems,
    draw_problems,
    own_problem,
)

EARLY = (100 * LOG_10, 200 * LOG_10)
BROKEN_TAIL = (10 * LOG_10, 30 * LOG_10)


@dataclass(frozen=True)
class Rates:
    """The flow on N separable problems at K late times.

    log_times: (K,).      sines: (K, N), of the angle to w_hat.
    gap_shares: (K, N), of the margin gaps in their bounds.
    growth: (N,), of w along w_hat per unit of log t between the two early times.
    turns: (N,), slopes of log sin against log log t with a polynomial tail.
    """

    log_times: Tensor
    sines: Tensor
    gap_shares: Tensor
    growth: Tensor
    turns: Tensor
    rejected: int
    broken: tuple[str, ...]

    @property
    def constants(self) -> Tensor:
        """sin * log t, (K, N)."""
        return self.sines * self.log_times[:, None]

    @property
    def slopes(self) -> Tensor:
        """Slopes of log sin against log log t, (N,)."""
        return slope(self.log_times.log()[None], self.sines.log().T)


def draw_rates(setting: Setting, *, each: int) -> Problems:
    """Separable problems of five shapes whose rate is 0.005 or more."""
    return draw_problems(setting, each, "log rates")


def own_rates(setting: Setting, X: object, y: object, *, each: int) -> Problems:  # noqa: ARG001
    """A reader's separable X (n, d) and y (n,) in {-1, +1}."""
    return own_problem(setting, X, y)


def measure_rates(problems: Problems, setting: Setting) -> Rates:
    """The flow on the logistic loss at two early times and up to log t = 1e6."""
    log_times = torch.logspace(3, 6, 13, dtype=torch.float64)
    stops = torch.cat([torch.tensor(EARLY, dtype=torch.float64), log_times])
    runs = [batch.flow(log_time=stops) for batch in problems.batches]
    pairs = list(zip(problems.batches, runs, strict=True))
    turns, lost = late_slopes(problems, PolynomialTail())
    return Rates(
        log_times.to(setting.device),
        torch.cat([sin_angle(run.theta[2:], b.w_hat) for b, run in pairs], 1),
        torch.cat([gap_shares(b, run.theta[2:], log_times) for b, run in pairs], 1),
        torch.cat([_growth(b, run.theta[:2]) for b, run in pairs]),
        turns,
        problems.rejected,
        early_ends("flow", *runs) + lost,
    )


def _growth(batch: Batch, thetas: Tensor) -> Tensor:
    """Growth of w.w_hat / |w_hat|^2 per unit of log t between states (2, B, d), (B,)."""
    along = ((thetas[1] - thetas[0]) * batch.w_hat).sum(-1)
    return along / batch.w_hat.square().sum(-1) / (EARLY[1] - EARLY[0])


def late_slopes(problems: Problems, loss: TailLoss) -> tuple[Tensor, tuple[str, ...]]:
    """Slopes of log sin against log log t with another loss, (N,), and broken runs."""
    runs = [batch.flow(loss, log_time=BROKEN_TAIL) for batch in problems.batches]
    sines = [
        sin_angle(run.theta, batch.w_hat)
        for batch, run in zip(problems.batches, runs, strict=True)
    ]
    first, last = torch.cat(sines, 1).log()
    rise = math.log(BROKEN_TAIL[1]) - math.log(BROKEN_TAIL[0])
    return (last - first) / rise, early_ends("flow", *runs)


@claim(
    kind="theorem",
    source="Soudry, Hoffer, Nacson, Gunasekar and Srebro 2018, rates of convergence of "
    "gradient descent (recalled); the margin gap of the flow is proved on the page",
    statement=r"On separable data the norm grows like $\|\hat w\| \log t$ and the "
    r"margin gap is $O(1/\log t)$; the direction converges like $1/\log t$, and on all "
    r"data drawn here no faster: powers of $\log t$, not of $t$.",
    quick={"each": 3},
    book={"each": 10},
    full={"each": 200},
    draw=draw_rates,
    measure=measure_rates,
    own=own_rates,
)
def logistic_log_rates(measured: Rates) -> Evidence:
    """sin(angle) log t over three decades of log t, the slopes, the growth of the norm."""
    checks = (
        settled(measured.constants),
        *_laws(measured.slopes, measured.growth, measured.gap_shares),
    )
    control = Control(
        "polynomial tail, t = 1e10 to 1e30",
        Check.share(
            "slope of log sin against log log t at most -0.5",
            measured.turns,
            at_most=-0.5,
            most=0.25,
            tag="observed",
            math=r"slope of $\log\sin\angle$ against $\log\log t$ at most $-0.5$",
            reason="half way between the predicted slope and none",
        ),
        math=r"a polynomial tail, $t = 10^{10}$ to $10^{30}$",
    )
    notes = {
        "problems": len(measured.growth),
        "rejected (rate below 0.005)": measured.rejected,
    }
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _laws(slopes: Tensor, growth: Tensor, shares: Tensor) -> tuple[Check, ...]:
    """Slopes and growth (N,), and shares of the margin gaps in their bounds (K, N)."""
    return (
        Check.largest(
            "slope of log sin against log log t",
            slopes,
            equals=-1,
            atol=0.07,
            growth=0.25,
            tag="derived",
            math=r"slope of $\log\sin\angle$ against $\log\log t$",
            reason="a constant that moves by 1 % per decade moves the slope by 0.004; "
            "0.07 leaves room for the share that is not settled",
        ),
        Check.each(
            "growth of w.w_hat/|w_hat|^2 per unit of log t, t = 1e100 to 1e200",
            growth,
            equals=1,
            atol=1e-3,
            tag="derived",
            math=r"growth of $w \cdot \hat w / \|\hat w\|^2$ per unit of $\log t$, $t "
            "= 10^{100}$ to $10^{200}$",
            reason=r"the remainder moves by $t^{-\kappa}$, below $e^{-1}$ of its size "
            r"at the start, over 230 units of $\log t$",
        ),
        Check.each(
            "margin gap over its bound, log t = 1e3 to 1e6",
            shares.amax(0),
            at_most=1,
            tag="proved",
            math=r"margin gap over its bound, $\log t$ from $10^3$ to $10^6$",
            reason=r"proved on the page, for every data set: a multiple of $1/\log t$",
        ),
    )
