"""Closed forms by programs; weight decay by closed forms; the set of minimizers by
programs and by networks.
"""

from __future__ import annotations

import torch

from ibcore.claim import claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.further.parameter_norms.curves import (
    CLOSE,
    Trained,
    draw_curves,
    measure_curves,
)
from ibcore.pages.further.parameter_norms.runs import (
    STRENGTHS,
)


@claim(
    kind="theorem",
    source="Savarese, Evron, Soudry and Srebro 2019 (abstract read); Hanin 2021 "
    "(recalled: all minimizers). The closed forms, the penalized cost and the range of "
    "the minimizers are proved on the page",
    statement="For a two-layer ReLU network on the line whose biases are not "
    "penalized, the least half of the sum of squares of the weights with which it "
    r"computes $f$ is $\max(\int |f''|, |f'(-\infty) + f'(\infty)|)$. Most wide "
    "networks trained with weight decay come to the least cost that the penalized "
    r"convex program allows. For a polygon without a zero bend whose $\int |f''|$ is "
    r"above $|f'(-\infty) + f'(\infty)|$, the interpolant of least cost is unique "
    "exactly if no two neighboring bends have equal sign.",
    quick={"alternating": 4, "alike": 4, "tilted": 2},
    book={"alternating": 6, "alike": 6, "tilted": 4},
    full={"alternating": 100, "alike": 100, "tilted": 50},
    draw=draw_curves,
    measure=measure_curves,
)
def function_space_1d(measured: Trained) -> Evidence:
    """Closed forms by programs; weight decay by closed forms; the set of minimizers by
    programs and by networks.
    """
    checks = (
        *_on_programs(measured),
        *_on_costs(measured),
        _on_the_limit(measured),
        *_on_minimizers(measured),
    )
    control = Control(
        "no penalty, from the same starts",
        Check.share(
            "cost within 0.5 % of the least",
            measured.free / measured.least[: len(measured.free)],
            equals=1,
            atol=CLOSE,
            most=0.25,
            tag="observed",
            reason="the bar of the claim; a fit without penalty has no reason to be "
            "short, and keeps at least what the start had in neurons that the data do "
            "not move",
        ),
    )
    notes = {"data sets": len(measured.least), "draws rejected": measured.sets.rejected}
    return Evidence(checks, control, notes, measured.broken)


def _on_programs(measured: Trained) -> tuple[Check, ...]:
    return (
        Check.each(
            "closed forms of the least and the penalized cost against convex programs",
            measured.programs,
            at_most=1e-6,
            tag="proved",
            precision=True,
            reason="programs are solved until their conditions hold to $10^{-7}$; ten "
            "times that",
        ),
        Check.each(
            "least and highest value in the middle of gaps against their closed form",
            measured.ranges,
            equals=measured.middles,
            atol=1e-6,
            tag="proved",
            precision=True,
            reason="the linear programs allow a cost of $10^{-8}$ more than the least, "
            "and gaps are shorter than 1",
        ),
    )


def _on_costs(measured: Trained) -> tuple[Check, ...]:
    """Costs of trained networks beside those of the penalized program."""
    larger = torch.cat(
        [measured.path / measured.cost, measured.function / measured.path]
    )
    first, second = measured.cost / measured.predicted
    return (
        Check.each(
            "trained: objective over the least of the program",
            measured.objective / measured.lowest,
            at_least=1 - 1e-9,
            tag="proved",
            reason="no network is below the program; rounding",
        ),
        Check.each(
            "trained: path norm over cost, and norm of the function over path norm",
            larger,
            at_most=1 + 1e-12,
            tag="proved",
            reason="each is a minimum of the one before it over networks of the same "
            "function; rounding",
        ),
        *(
            Check.share(
                f"trained, strength {strength:g}: cost within 0.5 % of the program's",
                ratio,
                equals=1,
                atol=CLOSE,
                least=0.95,
                tag="observed",
                math=rf"trained, $\lambda = {words}$: cost within 0.5 % of the "
                "program's",
                reason=_REACHED,
            )
            for strength, words, ratio in (
                (STRENGTHS[0], "10^{-3}", first),
                (STRENGTHS[1], r"3 \cdot 10^{-4}", second),
            )
        ),
        Check.share(
            "trained: norm of the function within 0.5 % of the program's cost",
            measured.function / measured.predicted,
            equals=1,
            atol=CLOSE,
            least=0.95,
            tag="observed",
            reason=_REACHED,
        ),
    )


_REACHED = (
    "convergence study: the excess is of order 0.1 % after 4,500 steps and falls with "
    "more of them; about two in a hundred runs stop at a local minimum, where a neuron "
    "that the fit needs is missing"
)


def _on_the_limit(measured: Trained) -> Check:
    return Check.share(
        "both strengths extrapolated to zero: within 0.5 % of the least cost",
        measured.extrapolated / measured.least,
        equals=1,
        atol=CLOSE,
        least=0.95,
        tag="observed",
        reason="that the cost is linear in the strength is proved; the excess of the "
        "runs is carried along: 1.43 times that at the weaker strength less 0.43 times "
        "that at the stronger",
    )


def _on_minimizers(measured: Trained) -> tuple[Check, ...]:
    alternating = measured.sets.alternating
    inside = measured.middles.abs().amax(0)
    widest = torch.where(measured.alike, measured.departures / inside, 0.0).amax(-1)
    return (
        Check.each(
            "alike sets: polygon and one with a corner less, cost over least and "
            "residuals",
            torch.stack([measured.built[..., 0] + 1, measured.built[..., 1] + 1]),
            equals=1,
            atol=1e-12,
            tag="proved",
            precision=True,
            reason="built networks; rounding",
        ),
        Check.each(
            "alike sets: largest distance between these two",
            measured.built[:, 0, 2],
            at_least=1e-6,
            tag="proved",
            reason="two bends of equal sign, which no draw makes exactly zero",
        ),
        Check.each(
            "trained: departure from the polygon where bends alternate, less its bound",
            torch.where(
                measured.allowed.isfinite(),
                measured.departures - measured.allowed,
                torch.where(measured.allowed.isnan(), torch.nan, 0.0),
            ),
            at_most=1e-12,
            tag="proved",
            precision=True,
            reason=r"the slope there passes its mean by at most half of $\int |f''| - "
            "V$, at the ends by all of it; that times the length of the gap; rounding",
        ),
        Check.share(
            "no penalty: norm of the function over the least at least 1.05",
            measured.rough / measured.least[: len(measured.rough)],
            at_least=1.05,
            least=0.9,
            tag="observed",
            reason="ten times the bar of the claim; without a penalty not only the "
            "parameters are longer than needed",
        ),
        Check.share(
            "trained, alike sets: largest departure from the polygon over its range at "
            "least 0.1",
            widest[:, alternating:],
            at_least=0.1,
            least=0.9,
            tag="observed",
            math="trained, alike sets: largest departure from the polygon over what is "
            "possible in the middle, at least 0.1",
            reason="a network that found the polygon would have 0; training has no "
            "reason to prefer it",
        ),
    )
