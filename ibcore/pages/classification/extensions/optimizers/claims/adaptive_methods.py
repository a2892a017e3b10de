"""Adam without epsilon and AdaGrad: geometries of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.directions import AdaGrad, Adam
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import decaying, loss_scaled
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Exponential
from ibcore.models import Linear
from ibcore.oracles.max_margin import max_margin
from ibcore.pages.classification.extensions.optimizers.norms import (
    CONDITIONS,
    SHARE,
    NormProblems,
    own_norms,
)
from ibcore.pages.classification.extensions.optimizers.runs import (
    last_stops,
)

BETA = 0.5  # decay rate of both means of Adam
EPSILONS = (0.0, 1e-8)
FIRST = 0.5  # first step size over the inverse of the largest input
UNITS = (1.0, 0.8, 0.6, 0.4)  # of the coordinates in AdaGrad's data, in turn


@dataclass(frozen=True)
class AdaptiveGaps:
    """Adam without and with epsilon, and AdaGrad, on B data sets.

    stops: (K,).      gaps: (K, 2, B, 3), relative margin gaps of Adam in three norms.
    reach: (B,), |w|_inf over the sum of the step sizes, without epsilon.
    weighted, l2: (B,), gaps of AdaGrad in its own limiting norm and in l2.
    """

    norms: NormProblems
    stops: Tensor
    gaps: Tensor
    reach: Tensor
    weighted: Tensor
    l2: Tensor
    broken: tuple[str, ...]


def draw_norms(setting: Setting, *, problems: int, steps: int) -> NormProblems:
    """Data on which the three norms have different optima."""
    return NormProblems.draw(setting, problems, "adaptive", steps=steps)


def measure_gaps(norms: NormProblems, setting: Setting) -> AdaptiveGaps:  # noqa: ARG001
    """Adam with decreasing steps; AdaGrad with steps over the loss, on data whose
    coordinates have other units.
    """
    B, stops = len(norms.signed), last_stops(norms.steps, 16)
    adam = adam_run(norms, stops, EPSILONS)
    stretched = stretch(norms.signed)
    adagrad = descend(
        Objective(Linear(stretched), Exponential()),
        torch.zeros_like(stretched[:, 0]),
        loss_scaled(4 * FIRST / norms.radii[2]),
        steps=[norms.steps],
        direction=AdaGrad(),
        max_seconds=math.inf,
    )
    scale = AdaGrad.preconditioner(adagrad.memory)
    weighted, l2 = weighted_gaps(stretched, adagrad.theta[-1], scale)
    sums = adam.log_time[-1, :B].exp()
    return AdaptiveGaps(
        norms,
        torch.tensor(stops),
        norms.gaps(adam.theta.unflatten(1, (len(EPSILONS), B))),
        adam.theta[-1, :B].abs().amax(-1) / sums,
        weighted,
        l2,
        early_ends("Adam", adam) + early_ends("AdaGrad", adagrad),
    )


def adam_run(norms: NormProblems, stops: list[int], epsilons: tuple[float, ...]) -> Run:
    """Adam on every data set with each epsilon in turn."""
    rows, E = norms.signed, len(epsilons)
    first = FIRST / norms.radii[2]
    epsilon = torch.tensor(epsilons).to(rows).repeat_interleave(len(rows))
    return descend(
        Objective(Linear(rows.repeat(E, 1, 1)), Exponential()),
        rows.new_zeros(E * len(rows), rows.shape[-1]),
        decaying(first.repeat(E), 0.25, over=600.0),
        steps=stops,
        direction=Adam(BETA, BETA, epsilon),
        max_seconds=math.inf,
    )


def stretch(signed: Tensor) -> Tensor:
    """Inputs (B, n, d) with the units of `UNITS`, over and over for more than four
    coordinates.
    """
    units = [UNITS[j % len(UNITS)] for j in range(signed.shape[-1])]
    return signed * signed.new_tensor(units)


def weighted_gaps(rows: Tensor, w: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Margin gaps of w (B, d) in sqrt(sum_j D_j w_j^2), D the preconditioner `scale`,
    and in l2, both (B,).

    In v = sqrt(D) w the weighted norm is l2 and the inputs are x / sqrt(D). A
    coordinate whose gradient was never anything but zero counts for neither.
    """
    used = torch.where(scale > 0, scale, 1.0)
    parts = zip(rows.cpu(), w.cpu(), used.cpu().sqrt(), strict=True)
    gaps = [
        (_l2_gap(signed / root, root * found), _l2_gap(signed, found))
        for signed, found, root in parts
    ]
    weighted, plain = torch.tensor(gaps, dtype=torch.float64).T
    return weighted, plain


def _l2_gap(signed: Tensor, w: Tensor) -> float:
    """1 - margin of w (d,) over the largest."""
    best = max_margin(signed, torch.ones(len(signed), dtype=signed.dtype))
    return 1 - float((signed @ w).min() / w.norm()) / best.margin


@claim(
    kind="theorem",
    source="Zhang, Zou and Cao 2024 (Adam without epsilon, decreasing steps); Qian and "
    "Qian 2019 (AdaGrad, small constant steps); Wang et al. 2022 (Adam with epsilon) "
    "(abstracts read, theorems recalled)",
    statement=r"On separable data full-batch Adam without $\varepsilon$, with "
    "decreasing steps and decay rates that fit together, reaches the largest "
    r"$\ell_\infty$ margin. AdaGrad, here with steps over the loss, which the theorem "
    r"does not cover, is observed to reach the largest margin in the $\ell_2$ norm "
    "weighted by its own limiting preconditioner.",
    quick={"problems": 8, "steps": 7000},
    book={"problems": 20, "steps": 7000},
    full={"problems": 400, "steps": 10**5},
    draw=draw_norms,
    measure=measure_gaps,
    own=own_norms,
)
def adaptive_methods(measured: AdaptiveGaps) -> Evidence:
    """l_inf margin of Adam with and without epsilon; AdaGrad against the quadratic
    program it defines itself.

    AdaGrad's steps are divided by the loss, unlike those of Qian and Qian.
    """
    checks = (
        *of_adam(measured.gaps[-1, 0], measured.reach),
        *of_adagrad(measured.weighted, measured.l2),
    )
    notes = {"data sets": len(measured.reach), CONDITIONS: measured.norms.rejected}
    control = with_epsilon(measured.gaps[-1, 1, :, 2])
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def with_epsilon(gaps: Tensor) -> Control:
    """Gaps (B,) in l_inf of Adam with epsilon."""
    return Control(
        "Adam, epsilon = 1e-8",
        Check.share(
            "l_inf margin gap at most 0.01",
            gaps,
            at_most=1e-2,
            most=0.25,
            tag="observed",
            math=r"$\ell_\infty$ margin gap at most $0.01$",
            reason="ten times the bar of the claim",
        ),
        math=r"Adam, $\epsilon = 10^{-8}$",
    )


def of_adam(gaps: Tensor, reach: Tensor) -> tuple[Check, ...]:
    """Gaps of Adam without epsilon in three norms, (B, 3), its |w|_inf over the sum of
    the step sizes, (B,).
    """
    own, others = gaps[:, 2], gaps[:, :2].amin(-1)
    return (
        Check.each(
            "Adam, epsilon = 0: largest coordinate of w over the sum of the step sizes",
            reach,
            at_most=1 + 1e-9,
            tag="proved",
            math=r"Adam, $\epsilon = 0$: $\|w\|_\infty / \sum_j \eta_j$",
            reason=r"with $\beta_1 = \beta_2$ no coordinate of a step exceeds "
            r"$\eta_k$; rounding",
        ),
        Check.share(
            "Adam, epsilon = 0: l_inf margin gap at most 1e-3",
            own,
            at_most=1e-3,
            least=SHARE,
            tag="observed",
            math=r"Adam, $\epsilon = 0$: $\ell_\infty$ margin gap at most $10^{-3}$",
            reason="the theorem's bound decays like a power of the number of steps, "
            "with constants of the data; all of 60 data sets",
        ),
        Check.each(
            "Adam, epsilon = 0: gaps in l1 and l2 over the gap in l_inf",
            others / own.clamp_min(1e-12),
            at_least=5,
            tag="derived",
            math=r"Adam, $\epsilon = 0$: gaps in $\ell_1$ and $\ell_2$ over the gap in "
            r"$\ell_\infty$",
            reason="the optima differ by 1 % at least, ten times the bar; half of that",
        ),
    )


def of_adagrad(weighted: Tensor, l2: Tensor) -> tuple[Check, ...]:
    """Gaps of AdaGrad in its own norm and in l2, (B,)."""
    return (
        Check.share(
            "AdaGrad: margin gap in its own limiting norm at most 1e-3",
            weighted,
            at_most=1e-3,
            least=SHARE,
            tag="observed",
            math="AdaGrad: margin gap in its own limiting norm at most $10^{-3}$",
            reason="loss-scaled steps, as for gradient descent: $O(1/k)$ once the "
            "preconditioner has settled; the theorem is on constant steps",
        ),
        Check.share(
            "AdaGrad: gap in l2 over that gap at least 1",
            l2 / weighted,
            at_least=1,
            least=SHARE,
            tag="derived",
            math=r"AdaGrad: gap in $\ell_2$ over that gap at least 1",
            reason=r"the largest margin of its norm is not that of $\ell_2$, unless "
            "the two optima happen to coincide; 98 % of 120 data sets",
        ),
    )
