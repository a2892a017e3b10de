"""Residuals of the KKT conditions along gradient flow and at the ends of annealing."""

from __future__ import annotations

from torch import Tensor

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.classification.homogeneous_networks.kkt_points.annealing import (
    Residuals,
    draw_problems,
    measure_residuals,
    own_problems,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.bars import (
    CLARKE,
    RESIDUAL,
    SHARE,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.residuals import (
    ClarkeEnds,
    SmoothEnds,
)

COMPLEMENTARITY, AVERAGED = 1e-4, 3e-2
ANNEALED = (
    "a stationary point of the margin is a KKT point; that annealing comes so close to "
    "one is observed, and no theorem on the flow applies"
)


@claim(
    kind="theorem",
    source="Lyu and Li 2020, Theorems 4.4 and A.9 (recalled); Ji and Telgarsky 2020 "
    "(abstract read: the direction converges); the bound on the residual is proved on "
    "the page",
    statement="Gradient flow on a homogeneous network whose exponential loss has come "
    r"below $1/n$ goes to infinity in a direction that is a KKT point of $\min "
    r"\|\theta\|^2 / 2$ subject to margins of at least 1; for ReLU networks with the "
    "subdifferential of Clarke. An annealed maximization of the margin, which is not "
    "the flow, comes close to such points, and with ReLU to points on kinks of the "
    "activation.",
    quick={"draws": 8, "steps": 1500},
    book={"draws": 16, "steps": 2000},
    full={"draws": 100, "steps": 20_000},
    draw=draw_problems,
    measure=measure_residuals,
    own=own_problems,
)
def homogeneous_kkt(measured: Residuals) -> Evidence:
    """Residuals along the flow, and at the ends of annealing with a second oracle for
    each activation.
    """
    control = Control(
        "sign descent, all constraints allowed",
        Check.share(
            "residual at most 0.2",
            measured.sign,
            at_most=0.2,
            most=0.1,
            tag="observed",
            reason="forty times the bar of the claim",
        ),
    )
    checks = (
        *_along_the_flow(measured.means, measured.deep),
        *_smooth_ends(measured.smooth),
        _two_paths(measured.kinked_flow.degrees, measured.halved.flow),
        *_kinked_ends(measured.kinked, measured.averaged),
        *_kinks(measured.kinked),
    )
    notes = {
        "networks of each kind": len(measured.sign),
        "rejected (an example without an active neuron)": measured.rejected,
        "networks of three layers": len(measured.sign),
        "of these, with a loss that comes below 1/n": len(measured.deep),
    }
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _along_the_flow(means: Tensor, deep: Tensor) -> tuple[Check, ...]:
    return (
        Check.each(
            "squared ReLU, flow from log L = -1e2 to -1e10: mean squared residual over "
            "its bound",
            means,
            at_most=1,
            tag="proved",
            math=r"squared ReLU, flow from $\log L = -10^2$ to $-10^{10}$: mean "
            r"$\varepsilon^2$ over its bound $\frac1k \Delta \log\tilde\gamma / \Delta "
            r"\log\rho$",
            reason="proved on the page: the residual is at most the sine of the angle. "
            "What is missing to 1 is the part of the rise that comes from the spread "
            "of the margins; the error of the quadrature is small beside it",
            repeats=0.3,
        ),
        Check.each(
            "three layers, flow from log L = -1e2 to -1e6: mean squared residual over "
            "its bound",
            deep,
            at_most=1,
            tag="proved",
            math=r"three layers, $k = 7$, flow from $\log L = -10^2$ to $-10^6$: mean "
            r"$\varepsilon^2$ over its bound",
            reason="the same proof: squared ReLU networks of any depth are homogeneous "
            "and differentiable",
            repeats=0.3,
        ),
    )


def _smooth_ends(ends: SmoothEnds) -> tuple[Check, ...]:
    return (
        Check.share(
            "squared ReLU, annealed: residual at most 5e-3",
            ends.residual,
            at_most=RESIDUAL,
            least=SHARE,
            tag="observed",
            math=r"squared ReLU, annealed: residual $\varepsilon \le 5 \cdot 10^{-3}$",
            reason=ANNEALED,
        ),
        Check.share(
            "squared ReLU, annealed: complementarity at most 1e-4",
            ends.complementarity,
            at_most=COMPLEMENTARITY,
            least=SHARE,
            tag="observed",
            math=r"squared ReLU, annealed: complementarity $\delta \le 10^{-4}$",
            reason="the margins taken as active differ by up to 1 %, which alone "
            "allows 3e-3",
        ),
        Check.share(
            "squared ReLU, annealed: within 1e-3 of the largest margin of the tangent "
            "kernel",
            ends.tangent,
            at_most=1e-3,
            least=SHARE,
            tag="derived",
            math="squared ReLU, annealed: within $10^{-3}$ of the largest margin of "
            "the tangent kernel",
            reason="the limit is 0; by duality the gap is of the order of the "
            "residual's square",
        ),
    )


def _two_paths(apart: Tensor, halved: Tensor) -> Check:
    """Of degrees from the flow to annealing and by which the flow's end moves with
    shorter steps, (B,).
    """
    return Check.share(
        "ReLU: from Euler steps of the flow to annealing, at least ten times what "
        "halving the steps changes",
        apart / halved,
        at_least=10,
        least=SHARE,
        tag="observed",
        reason="the angle is one between two paths, and not an error of the steps",
    )


def _kinked_ends(ends: ClarkeEnds, averaged: Tensor) -> tuple[Check, ...]:
    return (
        Check.share(
            "ReLU, annealed: Clarke residual at most 2e-2",
            ends.residual,
            at_most=CLARKE,
            least=SHARE,
            tag="observed",
            math=r"ReLU, annealed: Clarke residual $\varepsilon \le 2 \cdot 10^{-2}$",
            reason=ANNEALED,
        ),
        Check.share(
            "ReLU, annealed: complementarity at most 1e-4",
            ends.complementarity,
            at_most=COMPLEMENTARITY,
            least=SHARE,
            tag="observed",
            math=r"ReLU, annealed: complementarity $\delta \le 10^{-4}$",
            reason="as for the squared ReLU",
        ),
        Check.share(
            "ReLU, annealed: gap of the certificate at most 1e-4",
            ends.gap,
            at_most=CLARKE / 200,
            least=SHARE,
            tag="derived",
            math="ReLU, annealed: gap of the certificate at most $10^{-4}$",
            reason="small against the bar of the residual",
            precision=True,
        ),
        Check.share(
            "ReLU, annealed: sin of the angle to the averaged gradients at most 3e-2",
            averaged,
            at_most=AVERAGED,
            least=SHARE,
            tag="observed",
            math=r"ReLU, annealed: $\sin\angle$ to the averaged gradients at most $3 "
            r"\cdot 10^{-2}$",
            reason="an average over the chatter of the last steps finds slopes, though "
            "not the best ones",
        ),
    )


def _kinks(ends: ClarkeEnds) -> tuple[Check, ...]:
    return (
        Check.share(
            "ReLU, annealed: residual with ReLU'(0) = 0 at least 2e-2",
            ends.naive,
            at_least=CLARKE,
            least=SHARE,
            tag="observed",
            math=r"ReLU, annealed: residual with $\phi'(0) = 0$ at least $2 \cdot "
            "10^{-2}$",
            reason="the bar that the best slopes meet",
        ),
        Check.share(
            "ReLU, annealed: some neuron on its kink for an example",
            ends.kinks,
            at_least=1,
            least=SHARE,
            tag="observed",
            reason="without kinks there is one slope, and the two residuals are the "
            "same",
        ),
    )
