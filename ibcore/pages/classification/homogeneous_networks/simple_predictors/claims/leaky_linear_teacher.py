"""Leaky ReLU networks on data of a linear teacher: a linear boundary in the limit."""

from __future__ import annotations

from torch import Tensor

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.classification.homogeneous_networks.simple_predictors.teachers import (
    Agreements,
    draw_teachers,
    measure_agreement,
    own_teacher,
)


@claim(
    kind="theorem",
    source="Sarussi, Brutzkus and Globerson 2021, on neural agreement (recalled; "
    "proved on the page)",
    statement=r"A two-layer leaky ReLU network with fixed output weights $\pm v$ whose "
    "neurons of equal sign are active on the same points of a linearly separable "
    "sample has a linear decision boundary in the limit, that of a modified support "
    "vector machine.",
    quick={"seeds": 8},
    book={"seeds": 12},
    full={"seeds": 200},
    draw=draw_teachers,
    measure=measure_agreement,
    own=own_teacher,
)
def leaky_linear_teacher(measured: Agreements) -> Evidence:
    """Neuron directions against a quadratic program, and the sides of fresh points."""
    those = ~(measured.agree == 0)
    checks = (
        *run_checks(
            measured.certificates,
            measured.agree,
            measured.drifts[those],
            measured.sines[those],
        ),
        *boundary_checks(
            measured.early,
            measured.late[those],
            (measured.shares - measured.programs).abs()[those],
        ),
    )
    rejected = measured.teachers.rejected
    notes = {
        "data sets": len(measured.agree),
        "rejected (the program's own neurons break the agreement)": rejected,
    }
    control = large_start_control(measured.large)
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def run_checks(
    certificates: Tensor, agree: Tensor, drifts: Tensor, sines: Tensor
) -> tuple[Check, ...]:
    """Of programs, of the agreement of all networks, and of those that do agree.

    drifts, sines: of networks in agreement or broken.
    """
    return (
        Check.each(
            "program: relative gap or violation",
            certificates,
            at_most=1e-8,
            tag="derived",
            reason="duality; tolerance of the solver",
            precision=True,
        ),
        Check.share(
            "in agreement from log L = -20 on",
            agree,
            at_least=1,
            least=0.9,
            tag="observed",
            math=r"in agreement from $\log L = -20$ on",
            reason="what the theorem assumes; the others are left out below",
        ),
        Check.each(
            "differences of neurons of equal sign, log L = -20 to -1e3: change over "
            "size",
            drifts,
            at_most=1e-8,
            tag="proved",
            math=r"differences of neurons of equal sign, $\log L = -20$ to $-10^3$: "
            "change over size",
            reason="conserved in agreement, as proved on the page; rounding of weights "
            "that grow to $10^3$ times the differences' inverse",
            precision=True,
        ),
        Check.largest(
            "sin of the angle of (w_+, w_-) to the program's at log L = -1e8",
            sines,
            at_most=1e-6,
            growth=0.25,
            tag="derived",
            math=r"$\sin\angle$ of $(w_+, w_-)$ to the program's at $\log L = -10^8$",
            reason=r"$C/\log\frac1L$ with a constant of the data",
        ),
    )


def boundary_checks(
    early: Tensor, late: Tensor, differences: Tensor
) -> tuple[Check, ...]:
    """Of the sides at `EARLY` of all networks, and of the boundaries of those that
    agree.

    late, differences: of networks in agreement or broken.
    """
    return (
        Check.share(
            "f(x), f(-x) on one side for at most 1 % of fresh x at log L = -20",
            early,
            at_most=0.01,
            least=0.9,
            tag="observed",
            math=r"$f(x)$, $f(-x)$ on one side for at most 1 % of fresh $x$ at $\log L "
            "= -20$",
            reason="the bar and the loss of the control",
        ),
        Check.each(
            "share of fresh x with f(x), f(-x) on one side",
            late,
            at_most=0,
            tag="derived",
            math="share of fresh $x$ with $f(x)$, $f(-x)$ on one side",
            reason="the boundary is a hyperplane; a thousand points do not fall into "
            "an angle of 1e-6",
        ),
        Check.largest(
            "linear share R^2 of f minus that of the program",
            differences,
            at_most=1e-6,
            growth=0.25,
            tag="derived",
            math="linear share $R^2$ of $f$ minus that of the program",
            reason="a smooth function of the two directions, so of the order of their "
            "angle",
            precision=True,
        ),
    )


def large_start_control(shares: Tensor) -> Control:
    """Of shares (B,) of fresh x with f(x), f(-x) on one side."""
    return Control(
        "start 10 instead of 0.001, at log L = -20",
        Check.share(
            "f(x), f(-x) on one side for at most 1 % of fresh x",
            shares,
            at_most=0.01,
            most=0.25,
            tag="observed",
            math="$f(x)$, $f(-x)$ on one side for at most 1 % of fresh $x$",
            reason="what the claim meets from the small start at this loss",
        ),
        math=r"start 10 instead of 0.001, at $\log L = -20$",
    )
