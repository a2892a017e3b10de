"""Quadratics by closed form; the product from random starts and from minima that are
kicked; the flow beside.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.dynamical_stability.stable_minima.threshold import (
    FACTORS,
    STABLE,
    Stays,
    draw_places,
    measure_places,
)


@claim(
    kind="theorem",
    source="classical (linear stability of a fixed point); Wu, Ma and E 2018, "
    "Mulayoff, Michaeli and Soudry 2021 and Cohen et al. 2021 for minima of networks "
    "(recalled); the statements on the product are proved on the page",
    statement=r"Gradient descent with step $\eta$ is linearly stable at a minimum "
    r"exactly where $\eta \lambda \le 2$ for the largest Hessian eigenvalue $\lambda$. "
    r"On $\frac12 (xy - 1)^2$ almost every start that converges to a minimum converges "
    r"to one with $\eta \lambda \le 2$, also where gradient flow from it ends at a "
    "sharper one.",
    quick={"quadratics": 16, "starts": 1000, "flows": 24},
    book={"quadratics": 24, "starts": 4000, "flows": 48},
    full={"quadratics": 400, "starts": 100_000, "flows": 400},
    draw=draw_places,
    measure=measure_places,
)
def stability_two_over_eta(measured: Stays) -> Evidence:
    """Quadratics by closed form; the product from random starts and from minima that
    are kicked; the flow beside.
    """
    landed = measured.ends.isfinite()
    sharp = measured.heading >= 2.2
    checks = (
        *_on_quadratics(measured.errors, measured.tops),
        *_on_the_product(measured.ends[landed], measured.ends[landed & sharp]),
        *_kicked(measured.kicked),
        Check.each(
            "gradient flow: distance of its end from the minimum that x^2 - y^2 "
            "predicts",
            measured.missed,
            at_most=1e-8,
            tag="proved",
            precision=True,
            math="gradient flow: distance of its end from the minimum that $x^2 - y^2$ "
            "predicts",
            reason="the solver's tolerance, $10^{-11}$ a step, over some hundred "
            "steps, and a residual of $10^{-10}$: about $10^{-9}$; ten times that",
        ),
    )
    control = Control(
        "an infinitesimal step, from starts that head for a minimum too sharp",
        Check.share(
            "eta times the sharpness at the end at most 2",
            measured.flow[: len(measured.flow) // 2],
            at_most=2,
            most=0.25,
            tag="proved",
            math=r"$\eta (x^2 + y^2)$ at the end at most 2",
            reason="the flow ends where its conserved quantity says, at 2.2 or more",
        ),
        math=r"an infinitesimal step, from starts that head for $\eta (x^2 + y^2) \ge "
        "2.2$",
    )
    notes = {"starts": len(landed)}
    return Evidence(checks, control, notes, measured.broken)


def _on_quadratics(errors: Tensor, tops: Tensor) -> tuple[Check, ...]:
    """Errors against the closed form and growth of the sharpest part, (F, Q) each,
    after 200 steps.
    """
    return (
        Check.each(
            "quadratics: 200 iterates against their closed form",
            errors,
            at_most=1e-12,
            tag="proved",
            precision=True,
            math="quadratics: 200 iterates against their closed form, over "
            r"$\|\theta_0\| \max(1, |1 - \eta\lambda|)^{200}$",
            reason=r"a Hessian known to rounding moves $\eta\lambda$ by a few units of "
            "$10^{-16}$, 200 times: about $10^{-13}$; ten times that",
        ),
        Check.each(
            "step 0.1 % below 2 / lambda: sharpest part after 200 steps over its start",
            tops[FACTORS.index(0.999)],
            at_most=1,
            tag="proved",
            math=r"$\eta\lambda = 1.998$: sharpest part after 200 steps over its start",
            reason=r"it is $0.998^{200} = 0.67$",
        ),
        Check.each(
            "step equal to 2 / lambda: the same",
            tops[FACTORS.index(1.0)],
            equals=1,
            atol=1e-11,
            tag="proved",
            precision=True,
            math=r"$\eta\lambda = 2$: the same",
            reason="the part changes its sign and keeps its size, to rounding: "
            "$10^{-13}$ of a vector that is at most ten times as long; ten times that",
        ),
        Check.each(
            "step 0.1 % above: the same",
            tops[FACTORS.index(1.001)],
            at_least=1,
            tag="proved",
            math=r"$\eta\lambda = 2.002$: the same",
            reason=r"it is $1.002^{200} = 1.49$",
        ),
    )


def _on_the_product(ends: Tensor, sharp: Tensor) -> tuple[Check, ...]:
    """eta times the sharpness where runs ended: all that converged, and those that head
    for sharper minima.
    """
    reason = (
        r"a run that ends at $|xy - 1| \le 10^{-10}$ knows $\eta\lambda$ to about "
        "$10^{-8}$; that a run meets this by chance before it converges has a "
        "probability of about $10^{-10}$ a step"
    )
    return (
        Check.each(
            "product, random starts: eta times the sharpness where a run converged",
            ends,
            at_most=2 + 1e-8,
            tag="proved",
            math=r"product, random starts: $\eta (x^2 + y^2)$ where a run converged",
            reason=reason,
        ),
        Check.each(
            "the same, of starts from which gradient flow ends at 2.2 or more",
            sharp,
            at_most=2 + 1e-8,
            tag="proved",
            reason=reason,
        ),
    )


def _kicked(kicked: Tensor) -> tuple[Check, ...]:
    """eta times the sharpness where runs end that begin beside minima with `STABLE` and
    `UNSTABLE`, (2, K).
    """
    return (
        Check.each(
            "kicked by 1e-6 from minima with eta lambda 1.5 to 1.95: it stays the same",
            kicked[0],
            equals=torch.tensor(STABLE, dtype=torch.float64),
            atol=1e-3,
            tag="proved",
            math=r"kicked by $10^{-6}$ from minima with $\eta\lambda$ from 1.5 to "
            "1.95: it stays the same",
            reason=r"each step moves $\eta\lambda$ by $4 \eta^2 |xy - 1|$ at most, to "
            r"leading order, and $|xy - 1|$, at first $3 \cdot 10^{-6}$, falls by a "
            "twentieth or more: less than $10^{-4}$ in all",
        ),
        Check.each(
            "kicked from minima with eta lambda 2.05 to 3: where the run ends",
            kicked[1],
            at_most=2 + 1e-8,
            tag="observed",
            math=r"kicked from minima with $\eta\lambda$ from 2.05 to 3: where the run "
            "ends",
            reason="it is proved that a run which converges does so at most at 2, and "
            "observed that these converge",
        ),
    )
