"""One hidden neuron, leaky or linear, ends at the minimizer of its own regularizer."""

from __future__ import annotations

from torch import Tensor

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.hidden import (
    Halving,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.runs import (
    finished,
)
from ibcore.pages.regression.nonlinear_networks.monotone_neurons.starts import (
    FASTER,
    Fit,
    HiddenNeurons,
    Shrinking,
    draw_starts,
    measure_ends,
    own_starts,
)


@claim(
    kind="theorem",
    source="Azulay et al. 2021, for leaky ReLU with one hidden neuron (abstract read, "
    "theorem and closed form recalled); proof on the page",
    statement=r"For $x \mapsto a \phi(w \cdot x)$ with $\phi$ linear or leaky ReLU, a "
    "limit of gradient flow with zero loss has $u = a w$ equal to "
    r"$\operatorname{argmin} q(\|u\|) - \operatorname{sign}(a) \, w(0) \cdot u$ over "
    r"all solutions of that sign, $q(r) = \frac23 |a|^3 - \delta |a|$, $a^2 = (\delta "
    r"+ \sqrt{\delta^2 + 4 r^2})/2$, where $\delta = a^2 - \|w\|^2$ is conserved. As "
    "the start shrinks, $u$ tends to the shortest solution.",
    quick={"problems": 16, "flows": 4, "imbalances": (-1.0, 1.0), "steps": 4000},
    book={
        "problems": 64,
        "flows": 3,
        "imbalances": (-1.0, -0.01, 0.0, 0.01, 1.0, 100.0),
        "steps": 8000,
    },
    full={
        "problems": 4096,
        "flows": 64,
        "imbalances": (-1.0, -0.01, 0.0, 0.01, 1.0, 100.0),
        "steps": 100000,
    },
    draw=draw_starts,
    measure=measure_ends,
    own=own_starts,
)
def leaky_one_hidden(measured: HiddenNeurons) -> Evidence:
    """Q against the flow of the linear neuron and descent of the leaky one."""
    leaky = measured.leaky
    notes = {
        "leaky: not converged": int((~leaky.converged).sum()),
        r"leaky: drift of $\delta$ by the steps, median": round(
            float(leaky.drift.abs().median()), 3
        ),
    }
    checks = (
        *linear_checks(measured.linear),
        *leaky_checks(leaky),
        *halving_checks(measured.halving),
        shrinking_check(measured.small),
    )
    return Evidence(checks, other_speed(measured.uneven), notes=notes)


def linear_checks(linear: Fit) -> tuple[Check, ...]:
    """The theorem on flows of the linear neuron; one that did not fit counts as
    failing.
    """
    return (
        _certified("linear", linear),
        Check.each(
            "linear, flow, delta(0): |u - argmin Q| over |u|",
            finished(linear.converged, linear.error),
            at_most=1e-10,
            tag="proved",
            math=r"linear, flow, $\delta(0)$: $\|u - \mathrm{argmin}\, Q\| / \|u\|$",
            reason=r"the integrator's tolerance of $10^{-12}$, over some hundred steps",
            precision=True,
        ),
        Check.each(
            "linear, flow: |change of delta|",
            finished(linear.converged, linear.drift.abs()),
            at_most=1e-7,
            tag="proved",
            math=r"linear, flow: $|$change of $\delta|$",
            reason="the integrator's tolerance of $10^{-12}$ for $a^2$ up to $100$, "
            "over some hundred steps",
            precision=True,
        ),
    )


def _certified(name: str, fit: Fit) -> Check:
    return Check.each(
        f"{name}: stationarity or residual of Newton's method on Q",
        fit.certificate,
        at_most=1e-10,
        tag="derived",
        math=f"{name}: stationarity or residual of Newton's method on $Q$",
        reason="the certificate of a convex program; Newton's method ends at rounding",
        precision=True,
    )


def leaky_checks(leaky: Fit) -> tuple[Check, ...]:
    """Descent of the leaky neuron against Q; a run that did not fit counts as failing."""
    return (
        _certified("leaky", leaky),
        Check.each(
            "leaky, descent, final delta: |u - argmin Q| over |u|",
            finished(leaky.converged, leaky.error),
            at_most=1e-8,
            tag="derived",
            math=r"leaky, descent, final $\delta$: $\|u - \mathrm{argmin}\, Q\| / "
            r"\|u\|$",
            reason="an identity for every run that fits, which tests the program and "
            r"not the flow; a loss of $10^{-26}$ leaves $2 \cdot 10^{-13}$ in the "
            r"outputs, more in $u$ by $1/\kappa$ and the least singular value",
            precision=True,
        ),
        Check.share(
            "argmin Q is not the shortest: distance over its length at least 0.2",
            leaky.distance,
            at_least=0.2,
            least=0.9,
            tag="observed",
            math=r"$\mathrm{argmin}\, Q$ is not the shortest: distance over its length "
            "at least 0.2",
            reason="0.38 or more on 1,200 runs; $10^7$ times the bar for $Q$",
        ),
    )


def halving_checks(halving: Halving) -> tuple[Check, ...]:
    """The limit of the flow and its conservation of delta, as those of small steps.

    Runs that did not fit count as failing.
    """
    change = _halved(
        "leaky: change of delta, half the step over the whole",
        r"leaky: change of $\delta$, half the step over the whole",
        halving.drift,
    )
    error = _halved(
        "leaky: |u - argmin Q| at delta(0), half the step over the whole",
        r"leaky: $\|u - \mathrm{argmin}\, Q\|$ at $\delta(0)$, half the step over the "
        "whole",
        halving.error,
    )
    limit = Check.largest(
        "leaky, step to 0, delta(0): |u - argmin Q| over |u|",
        halving.flow,
        at_most=2e-3,
        growth=0.5,
        tag="proved",
        math=r"leaky, step to 0, $\delta(0)$: $\|u - \mathrm{argmin}\, Q\| / \|u\|$",
        reason="where the flow ends, up to the second order in the step: 0.05 of the "
        r"distance at half the step, which was 0.005 at most; below $3.4 \cdot "
        "10^{-4}$ on 48 runs",
    )
    return change, error, limit


def _halved(name: str, math: str, ratios: Tensor) -> Check:
    return Check.largest(
        name,
        ratios,
        equals=0.5,
        atol=0.05,
        growth=0.25,
        tag="derived",
        math=math,
        reason="of first order in the step; the next order was 0.03 here and twice as "
        "much at twice the step",
    )


def shrinking_check(small: Shrinking) -> Check:
    """Small starts end near the shortest solution; one that did not fit counts as
    failing.
    """
    return Check.largest(
        "small starts: exponent of the distance to the shortest",
        small.exponent,
        equals=1,
        atol=2e-3,
        growth=0.25,
        tag="derived",
        reason="the linear term of $Q$ is the start; the next order is $10^{-4}$ over "
        r"the shortest length: at most $6 \cdot 10^{-4}$ on 50 problems",
    )


def other_speed(uneven: Halving) -> Control:
    """The same measurement where a moves `FASTER` times as fast as in the flow."""
    return Control(
        f"the outer weight moves {FASTER:g} times as fast",
        Check.share(
            "step to 0, delta(0): |u - argmin Q| over |u| at most 0.01",
            uneven.flow,
            at_most=0.01,
            most=0.25,
            tag="derived",
            math=r"step to 0, $\delta(0)$: $\|u - \mathrm{argmin}\, Q\| / \|u\| \le "
            "0.01$",
            reason="five times the bar of the claim; what is conserved then is "
            r"$\frac14 a^2 - \|w\|^2$, so that $\delta$ moves while $a$ does",
        ),
    )
