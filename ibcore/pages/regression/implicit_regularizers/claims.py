"""Implicit regularizers: gradient flow under a commuting parametrization is mirror
flow, fits, and minimizes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.regression.implicit_regularizers.commuting import (
    Measured,
    MirrorFlow,
    draw_problems,
    measure_flows,
    own_problems,
)
from ibcore.pages.regression.implicit_regularizers.runs import (
    FRACTIONS,
    PARAMETRIZATIONS,
)

EXACT = 1e-7
_DRIFT = (
    "the integrator has a tolerance of $10^{-10}$ a step; over some three hundred "
    "steps its errors add up to some $10^{-9}$ where the program is well conditioned, "
    "and a hundred times that is left for data where it is not"
)
_SAME = "the precision of the limits, for the same reason"


@claim(
    kind="theorem",
    source="Li, Wang, Lee and Arora 2022 (abstract read, theorem recalled) for mirror "
    "flow; Woodworth et al. 2020, Azulay et al. 2021 and Gunasekar et al. 2017 "
    "(abstracts read, theorems recalled) for the potentials. Proved on the page, with "
    "convergence",
    statement=r"If the gradients of the coordinates of $w = G(\theta)$ commute and "
    r"span, gradient flow of $\frac1n \|X G(\theta) - y\|^2$ is mirror flow of $w$ "
    "with a potential $Q$ that depends on $G$ and the start alone. Its dual variable "
    "ascends a strictly concave function, which rises by $2L$ per unit of time. So "
    "the flow fits whatever can be fitted, and its limit has the least $Q$ of all $w$ "
    "that fit, however the examples are weighted.",
    quick={
        "datasets": 8,
        "parametrizations": ("u^2 - v^2", "u^3 - v^3", "U U^T"),
    },
    book={"datasets": 10, "parametrizations": tuple(PARAMETRIZATIONS)},
    full={"datasets": 100, "parametrizations": tuple(PARAMETRIZATIONS)},
    draw=draw_problems,
    measure=measure_flows,
    own=own_problems,
)
def commuting_mirror_flow(measured: Measured) -> Evidence:
    """Flows in raw parameters against certified programs, mirror flow, and themselves
    with other weights.
    """
    found = measured.commuting
    checks = (
        *_limits(found),
        *_paths(found),
        *_duals(found),
        *_orders(found, measured.laws),
    )
    control = Control(
        "one layer turned against the other, so that nothing commutes",
        Check.share(
            "other weights move the limit by at most 1e-4, relative",
            measured.turned,
            at_most=1e-4,
            most=0.25,
            tag="observed",
            math="other weights move the limit by at most $10^{-4}$, relative",
            reason="a thousand times the bar of the claim",
        ),
    )
    notes = {"data sets for each parametrization": len(measured.turned)}
    return Evidence(checks, control, notes, measured.broken)


def _all(found: dict[str, MirrorFlow], field: str) -> Tensor:
    """One quantity of all parametrizations, (F B,)."""
    empty = torch.full((1,), math.nan, dtype=torch.float64)
    return torch.cat([getattr(one, field) for one in found.values()] or [empty])


def _limits(found: dict[str, MirrorFlow]) -> tuple[Check, ...]:
    """Where the flows end, parametrization by parametrization."""
    return (
        Check.each(
            "certificates of the programs: residual, stationarity and gap",
            _all(found, "error"),
            at_most=1e-11,
            tag="derived",
            reason="the conditions of optimality; Newton's method goes on to rounding",
            precision=True,
        ),
        *(
            Check.each(
                f"{name}: distance of the limit from the least Q, relative",
                one.limit,
                at_most=EXACT,
                tag="proved",
                math=f"${_formula(name)}$: distance of the limit from the least $Q$, "
                "relative",
                reason="as in the line above" if place else _DRIFT,
                precision=True,
            )
            for place, (name, one) in enumerate(found.items())
        ),
    )


def _formula(name: str) -> str:
    return name.replace("u+ v+ - u- v-", "u_+ v_+ - u_- v_-").replace("U^T", r"U^\top")


def _paths(found: dict[str, MirrorFlow]) -> tuple[Check, ...]:
    """The way there, and that weights do not matter."""
    return (
        Check.each(
            f"raw parameters against mirror flow at {len(FRACTIONS)} times, relative",
            _all(found, "path"),
            at_most=EXACT,
            tag="proved",
            reason=_SAME,
            precision=True,
        ),
        Check.each(
            "share of grad Q(w) outside the row space, at all times",
            _all(found, "outside"),
            at_most=EXACT,
            tag="proved",
            math=r"share of $\nabla Q(w)$ outside the row space, at all times",
            reason=_SAME,
            precision=True,
        ),
        Check.each(
            "other weights move the limit, relative",
            _all(found, "weights"),
            at_most=EXACT,
            tag="proved",
            reason=_SAME,
            precision=True,
        ),
    )


def _duals(found: dict[str, MirrorFlow]) -> tuple[Check, ...]:
    """That the dual objective rises, how fast, and what follows for the loss."""
    return (
        Check.each(
            "dual objective apart from twice the area under the loss, over Q",
            _all(found, "area"),
            at_most=10 * EXACT,
            tag="proved",
            math="dual objective apart from twice the area under the loss, over $Q$",
            reason=f"{_SAME}; ten times more, since $Q$ is smaller than the terms of "
            "the dual objective",
            precision=True,
        ),
        Check.each(
            "rise of the dual objective from stop to stop, over Q",
            _all(found, "rise"),
            at_least=0,
            tag="proved",
            math="rise of the dual objective from stop to stop, over $Q$",
            reason="gradient ascent never falls",
        ),
        Check.each(
            "2 t L(t) over the least Q, at all stops",
            _all(found, "pace"),
            at_most=1,
            tag="proved",
            math="$2 t L(t)$ over the least $Q$, at all stops",
            reason="the loss never rises, and twice the area under it is at most the "
            "least $Q$",
        ),
    )


def _orders(found: dict[str, MirrorFlow], laws: Tensor) -> tuple[Check, ...]:
    """Brackets, and squares walked around in both orders; laws: (2, B)."""
    return (
        Check.each(
            "size of the brackets, relative",
            _all(found, "bracket"),
            at_most=1e-13,
            tag="proved",
            reason="zero by algebra, and rounded a few hundred times",
            precision=True,
        ),
        Check.each(
            "gap between two orders around a square, relative",
            _all(found, "gap"),
            at_most=1e-9,
            tag="proved",
            reason="zero; the integrator's tolerance of $10^{-13}$, divided by the "
            "square $0.05^2$ of the side, and some twenty times that",
            precision=True,
        ),
        Check.each(
            "without commutation: gap of a square against side^2 J [V_1, V_2], "
            "relative",
            laws,
            at_most=0.02,
            tag="derived",
            math="without commutation: gap of a square against $s^2 J [V_1, V_2]$, "
            "relative",
            reason="the correction is of the order of the squared side, $0.05^2$ in "
            "the unit of the curvature of $G$, with a factor of about 1; eight times "
            "that",
            repeats=0.3,
        ),
    )
