"""Adversarial robustness: one perturbation flips every training point of a trained
network.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.further.robustness.perturbed import (
    SHOWN,
    Perturbed,
    draw_problems,
    measure_perturbations,
)
from ibcore.pages.further.robustness.runs import (
    FAR,
    NEAR,
    Robust,
)


@claim(
    kind="theorem",
    source="Vardi, Yehudai and Shamir 2022 (abstract read, theorem recalled). The "
    "bounds with their constants, for orthogonal and for nearly orthogonal inputs, and "
    "the network that is robust are proved on the page",
    statement=r"Let $n$ inputs of length $\sqrt d$ be nearly orthogonal, with a share "
    "of at least $c$ in either class. At every KKT point of the max-margin problem of "
    r"a two-layer ReLU network, perturbations along the one direction $\sum_i y_i x_i$ "
    r"of length $O(\sqrt{d/(c^2 n)})$ flip every training point, although such "
    r"networks exist that no perturbation shorter than a constant times $\sqrt d$ "
    "flips.",
    quick={"datasets": 8, "points": (4, 10, 20, 40), "directions": 2000},
    book={"datasets": 12, "points": (4, 10, 20, 40, 80), "directions": 4000},
    full={"datasets": 100, "points": (4, 10, 20, 40, 80, 160), "directions": 10_000},
    draw=draw_problems,
    measure=measure_perturbations,
)
def adversarial_nonrobust(measured: Perturbed) -> Evidence:
    """What flips trained networks, random directions, networks built to be robust;
    control: shuffled labels.
    """
    checks = (
        *_proved(measured),
        *_universal(measured.near, measured.wide, measured.slopes),
        *_directions(measured.shares, measured.derived),
        *_robust(list(measured.robust.values()), measured.ratios),
        *_losses(measured.losses, measured.wide_losses),
    )
    notes = {
        "data sets of every kind": len(measured.rho),
        "networks trained": measured.losses.numel() + measured.wide_losses.numel(),
    }
    return Evidence(
        checks, _shuffled_control(measured.shuffled), notes, measured.broken
    )


def _proved(measured: Perturbed) -> tuple[Check, ...]:
    """The range on orthogonal inputs, its constructed points, and the bound on nearly
    orthogonal ones.
    """
    return (
        Check.each(
            "orthogonal inputs: norm along the universal direction that flips each "
            "point, over sqrt(d/n)",
            measured.orthogonal,
            at_least=0.99,
            tag="proved",
            math=r"orthogonal inputs: norm along $\sum_k y_k x_k$ that flips each "
            r"point, over $\sqrt{d/n}$",
            reason="at a KKT point at least 1; margins agree to better than 1 % at "
            "this loss",
        ),
        Check.each(
            "the same over its upper bound n / (n' + 1)",
            measured.orthogonal / measured.orthogonal_bound,
            at_most=1,
            tag="proved",
            math="the same over its upper bound $n/(n' + 1)$",
            reason="$n'$ points have the other label",
        ),
        Check.each(
            "constructed KKT points: that norm over n / (n/2 + k), k points a neuron",
            measured.built,
            equals=1,
            atol=1e-9,
            tag="proved",
            math="constructed KKT points: that norm over $n/(n/2 + k)$, $k$ points a "
            "neuron",
            reason="an identity, which attains both ends of the range; rounding",
            precision=True,
        ),
        Check.each(
            "n p / d <= 1/3 (d = 100,000): norm that flips each point over the proved "
            "bound",
            measured.far / measured.far_bound,
            at_most=1,
            tag="proved",
            math=r"$n p / d \le \frac13$ ($d = 100{,}000$): norm that flips each point "
            "over the proved bound",
            reason=r"the theorem of the page, with $p$ from the data",
        ),
    )


def _universal(
    near: Tensor, wide: Mapping[int, Tensor], slopes: Tensor
) -> tuple[Check, ...]:
    """Norms (S, B, n) in 400 dimensions, (B, n) for every n in 4,000, and exponents
    (B,) there.
    """
    few = [norms.amax(-1) for n, norms in wide.items() if n <= SHOWN]
    return (
        Check.share(
            "d = 400, n = 20: median norm that flips a point within [1.0, 1.3], in "
            "units of sqrt(d/n)",
            near.median(-1).values,
            equals=1.15,
            atol=0.15,
            least=0.9,
            tag="observed",
            math="$d = 400$, $n = 20$: median norm that flips a point within $[1.0, "
            r"1.3]$, in units of $\sqrt{d/n}$",
            reason="on orthogonal inputs it lies in [1, 1.82]: 1 where all neurons of "
            "a class see all of it, 1.29 where each sees a random half",
        ),
        Check.share(
            "d = 400, n = 20, and d = 4,000, n <= 40: largest norm that flips a point "
            "at most 2",
            torch.cat([near.amax(-1).flatten(), *few]),
            at_most=2,
            least=0.9,
            tag="observed",
            math=r"$d = 400$, $n = 20$, and $d = 4{,}000$, $n \le 40$: largest norm "
            "that flips a point at most 2",
            reason="on orthogonal inputs below 2, which is proved; most of these are "
            "not near enough to orthogonal for the theorem of the page",
        ),
        Check.each(
            "d = 4,000: exponent in n of the median norm",
            slopes,
            equals=-0.5,
            atol=0.15,
            tag="derived",
            math="$d = 4{,}000$: exponent in $n$ of the median norm",
            reason=r"the median over $\sqrt{d/n}$ rises with $n$, from 1 to at most "
            "about 1.29 over a factor of ten or more: by an exponent of at most 0.11",
        ),
    )


def _directions(shares: Tensor, derived: Tensor) -> tuple[Check, ...]:
    """Shares (3, S, B) flipped by random directions, and what is derived for the
    longest (S, B).
    """
    return (
        Check.each(
            "share flipped by random directions of length 2 sqrt(d/n)",
            shares[0],
            at_most=0,
            tag="derived",
            math=r"share flipped by random directions of length $2\sqrt{d/n}$",
            reason="their component along the universal direction is normal with "
            r"deviation $2/\sqrt n = 0.45$; the least norm that flips is ten times "
            "that",
        ),
        Check.each(
            "share flipped by random directions of length sqrt(d)",
            shares[1],
            at_most=0.005,
            tag="derived",
            math=r"share flipped by random directions of length $\sqrt d$",
            reason=r"about $\Phi(-\sqrt{d/n}) = 4 \cdot 10^{-6}$; one direction that "
            "flips a class is a share of 0.0025 at quick",
            precision=True,
        ),
        Check.share(
            "length 3 sqrt(d): share over the derived mean of Phi(-norm / 3) within "
            "0.35 of 1",
            shares[2] / derived,
            equals=1,
            atol=0.35,
            least=0.9,
            tag="derived",
            math=r"length $3\sqrt d$: share over the derived mean of "
            r"$\Phi(-\text{norm}/3)$ within 0.35 of 1",
            reason="to leading order; the other directions in which the network "
            "changes add some percent, and the share itself has an error of some "
            "percent",
        ),
    )


def _robust(built: list[Robust], ratios: Tensor) -> tuple[Check, ...]:
    """Constructed networks for every number of points, and their radii over what flips
    trained ones (B,).
    """
    return (
        Check.each(
            "constructed network: least margin within 0.98 radii, certified neuron by "
            "neuron",
            torch.cat([one.certified.flatten() for one in built]),
            at_least=1e-9,
            tag="proved",
            reason="0.02 by the construction; rounding",
        ),
        Check.each(
            "constructed network: least margin found by the attack within 0.98 radii",
            torch.cat([one.attacked.flatten() for one in built]),
            at_least=1e-9,
            tag="proved",
            reason="the certificate says that no attack can flip it",
        ),
        Check.each(
            "constructed network: least margin found by the attack within 1.02 radii",
            torch.cat([one.beyond.flatten() for one in built]),
            at_most=1e-9,
            tag="proved",
            reason="beyond the radius the margin is lost, and the attack has to find "
            "it; rounding",
            precision=True,
        ),
        Check.share(
            "d = 4,000, n = 40: radius of the constructed network at least 1.5 times "
            "the largest norm that flips the trained one",
            ratios,
            at_least=1.5,
            least=0.9,
            tag="observed",
            math="$d = 4{,}000$, $n = 40$: radius of the constructed network at least "
            "1.5 times the largest norm that flips the trained one",
            reason=r"$\sqrt n / 2 = 3.2$ for large $d$ over a largest norm of at most "
            r"2 in units of $\sqrt{d/n}$",
        ),
    )


def _losses(far: Tensor, wide: Tensor) -> tuple[Check, ...]:
    """log L of the runs to 1e-150 and of those to 1e-20."""
    return tuple(
        Check.each(
            f"loss at the end of training in {where} dimensions: log L",
            values,
            at_most=level,
            tag="derived",
            math=rf"loss at the end of training in {where} dimensions: $\log L$",
            reason=f"training stops at the first loss below 1e{power}",
        )
        for where, values, level, power in (
            ("400 and 100,000", far, FAR, -150),
            ("4,000", wide, NEAR, -20),
        )
    )


def _shuffled_control(shares: Tensor) -> Control:
    """Shares (S, B) of points that the direction of shuffled labels flips within 2
    sqrt(d/n).
    """
    return Control(
        "the direction of shuffled labels",
        Check.share(
            "all points are flipped within 2 sqrt(d/n)",
            shares,
            at_least=1,
            most=0.25,
            tag="derived",
            math=r"all points are flipped within $2\sqrt{d/n}$",
            reason=r"its component along the universal direction is of order $1/\sqrt "
            r"n$, so that it needs a norm of order $\sqrt d$",
        ),
    )
