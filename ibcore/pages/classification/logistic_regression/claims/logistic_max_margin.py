"""The direction of gradient flow on separable data is the max-margin direction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.protocols import TailLoss
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Logistic, PolynomialTail
from ibcore.measures import sin_angle
from ibcore.pages.classification.logistic_regression.bars import deficits
from ibcore.pages.classification.logistic_regression.runs import (
    LOG_10,
    Batch,
    Problems,
    draw_problems,
    own_problem,
)

EARLY = (10 * LOG_10, 50 * LOG_10)
SETTLED, LAST = 6e3, 1e6
BROKEN_TAIL = 300.0  # log t of the control: the norm is about e^100 with its tail


@dataclass(frozen=True)
class Limits:
    """What the flow on N separable problems came to, at four times.

    certified: (N,), relative gap or violation of the max-margin program.
    deficits: (4, N), of the smallest margin below gamma |w|, over what is possible.
    products: (2, N), t L gamma^2 at the early times.
    remainders, shares: (N,), errors of the remainder on the support and of the shares
    of the examples.
    sines: (N,), of the angle to w_hat at the last time.
    elsewhere: (N,), with a polynomial tail.
    """

    certified: Tensor
    deficits: Tensor
    products: Tensor
    remainders: Tensor
    shares: Tensor
    sines: Tensor
    elsewhere: Tensor
    rejected: int
    broken: tuple[str, ...]


def draw_limits(setting: Setting, *, each: int) -> Problems:
    """Separable problems of five shapes whose rate is 0.005 or more."""
    return draw_problems(setting, each, "max margin")


def own_limits(setting: Setting, X: object, y: object, *, each: int) -> Problems:  # noqa: ARG001
    """A reader's separable X (n, d) and y (n,) in {-1, +1}."""
    return own_problem(setting, X, y)


def measure_limits(problems: Problems, setting: Setting) -> Limits:  # noqa: ARG001
    """The flow on the logistic loss until log t = 1e6."""
    runs = [
        batch.flow(log_time=[*EARLY, SETTLED, LAST], tolerance=1e-9)
        for batch in problems.batches
    ]
    pairs = list(zip(problems.batches, runs, strict=True))
    products = [
        torch.exp(run.log_time + run.log_loss)[:2] * b.gamma.square()
        for b, run in pairs
    ]
    elsewhere, lost = late_sines(problems, PolynomialTail())
    return Limits(
        problems.certified,
        torch.cat([deficits(b, run.theta) for b, run in pairs], 1),
        torch.cat(products, 1),
        torch.cat(
            [_remainder_errors(b, run.theta[2], run.log_time[2]) for b, run in pairs]
        ),
        torch.cat([_share_errors(b, run.theta[2]) for b, run in pairs]),
        torch.cat([sin_angle(run.theta[-1], b.w_hat) for b, run in pairs]),
        elsewhere,
        problems.rejected,
        early_ends("flow", *runs) + lost,
    )


def _remainder_errors(batch: Batch, theta: Tensor, log_time: Tensor) -> Tensor:
    """Largest error of y_i x_i.rho on the support, (B,), of states (B, d) at
    `log_time`.

    The remainder rho = w - w_hat log t has to satisfy exp(-y_i x_i.rho) = n alpha_i
    there.
    """
    rho = theta - batch.w_hat * log_time[:, None]
    products = torch.einsum("bnd,bd->bn", batch.signed, rho)
    limits = -torch.log(batch.signed.shape[1] * batch.duals)
    apart = torch.where(batch.duals > 0, (products - limits).abs(), 0.0)
    return apart.amax(-1)


def _share_errors(batch: Batch, theta: Tensor) -> Tensor:
    """Largest distance of a share from its normalized dual variable, (B,), at (B, d)."""
    margins = torch.einsum("bnd,bd->bn", batch.signed, theta)
    shares = torch.softmax(Logistic().log_slope(margins), -1)
    duals = batch.duals / batch.duals.sum(-1, keepdim=True)
    return (shares - duals).abs().amax(-1)


def late_sines(problems: Problems, loss: TailLoss) -> tuple[Tensor, tuple[str, ...]]:
    """sin of the angle to w_hat at log t = 300 with another loss, (N,), and broken
    runs.
    """
    runs = [batch.flow(loss, log_time=[BROKEN_TAIL]) for batch in problems.batches]
    sines = [
        sin_angle(run.theta[-1], batch.w_hat)
        for batch, run in zip(problems.batches, runs, strict=True)
    ]
    return torch.cat(sines), early_ends("flow", *runs)


@claim(
    kind="theorem",
    source="Soudry, Hoffer, Nacson, Gunasekar and Srebro 2018, Theorem 3, for gradient "
    "descent (recalled); the limit of the flow's direction is proved on the page",
    statement="On linearly separable data, gradient flow on the logistic loss "
    r"converges in direction to the $\ell_2$ max-margin predictor: $w(t) = \hat w \log "
    r"t + \rho(t)$ with $\rho$ bounded for almost every data set.",
    quick={"each": 2},
    book={"each": 4},
    full={"each": 200},
    draw=draw_limits,
    measure=measure_limits,
    own=own_limits,
)
def logistic_max_margin(measured: Limits) -> Evidence:
    """Direction, remainder, shares and loss of the flow against the certified solution."""
    checks = (
        *_directions(measured.certified, measured.deficits, measured.sines),
        *_precisions(measured.remainders, measured.shares),
        *_losses(measured.products),
    )
    control = Control(
        "polynomial tail l = m^-1, at log t = 300",
        Check.share(
            "sin of the angle to w_hat at most 0.005",
            measured.elsewhere,
            at_most=0.005,
            most=0.25,
            tag="observed",
            math=r"$\sin\angle(w, \hat w) \le 0.005$",
            reason=r"with the exponential tail it is $C/\log t$, below this bar on "
            "three of four problems",
        ),
        math=r"a polynomial tail $\ell = 1/m$, at $\log t = 300$",
    )
    notes = {
        "problems": len(measured.sines),
        "rejected (rate below 0.005)": measured.rejected,
    }
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _directions(certified: Tensor, below: Tensor, sines: Tensor) -> tuple[Check, ...]:
    """Certificates (N,), deficits of the smallest margin (4, N) and last sines (N,)."""
    return (
        Check.each(
            "relative gap or violation of the max-margin program",
            certified,
            at_most=1e-10,
            tag="derived",
            reason="duality; the tolerance asked of the solver is 1e-12",
            precision=True,
        ),
        Check.each(
            "(gamma |w| - smallest margin) over log(2^n - 1), at all stops",
            below.amax(0),
            at_most=1,
            tag="proved",
            math=r"$(\gamma \|w\| - \min_i m_i(w)) / \log(2^n - 1)$ at all four times",
            reason="proved on the page, for every data set and at all times; the "
            "direction follows",
        ),
        Check.largest(
            "sin of the angle to w_hat at log t = 1e6",
            sines,
            at_most=1e-5,
            growth=0.25,
            tag="derived",
            math=r"$\sin\angle(w, \hat w)$ at $\log t = 10^6$",
            reason=r"$C/\log t$ if $\rho$ is bounded; $C$ stayed below 5 on 360 "
            "problems",
        ),
    )


def _precisions(remainders: Tensor, shares: Tensor) -> tuple[Check, ...]:
    """Errors (N,) of the settled remainder on the support and of the settled shares."""
    return (
        Check.each(
            "|w - w_hat log t - rho| on the support at log t = 6e3",
            remainders,
            at_most=1e-6,
            tag="derived",
            math=r"$|w - \hat w \log t - \rho|$ on the support at $\log t = 6000$",
            reason=r"$t^{-\kappa} < 10^{-13}$ for $\kappa \ge 0.005$; the flow's "
            r"tolerance $10^{-9}$ times $\log t$",
            precision=True,
        ),
        Check.each(
            "|softmax weights - SVM duals| at log t = 6e3",
            shares,
            at_most=1e-8,
            tag="derived",
            math=r"$|$softmax weights $- \ \alpha/\sum\alpha|$ at $\log t = 6000$",
            reason="the flow's tolerance of 1e-9 for the margins",
            precision=True,
        ),
    )


def _losses(products: Tensor) -> tuple[Check, ...]:
    """t L gamma^2 at two times, (2, N)."""
    return (
        Check.largest(
            "t L gamma^2 at t = 1e10",
            products[0],
            equals=1,
            atol=0.07,
            tag="derived",
            math=r"$t L \gamma^2$ at $t = 10^{10}$",
            reason="its logarithm tends to 0 like $t^{-\\kappa}$ plus the weight of "
            "the other points; at most 0.053 on 360 problems",
        ),
        Check.largest(
            "t L gamma^2 at t = 1e50",
            products[1],
            equals=1,
            atol=0.01,
            tag="derived",
            math=r"$t L \gamma^2$ at $t = 10^{50}$",
            reason="the same at a later time: at most 0.003 on 360 problems",
        ),
    )
