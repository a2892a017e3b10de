"""No function that is not constant explains the limits of one ReLU neuron."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.regression.nonlinear_networks.relu_neuron.links import (
    Chain,
    Link,
    Plane,
    draw_chains,
    draw_pairs,
)
from ibcore.pages.regression.nonlinear_networks.relu_neuron.runs import apart, end

FLOW = 1e-8  # relative error of a flow's end
FLOW_REASON = (
    r"the integrator's tolerance of $3 \cdot 10^{-11}$, over some hundred steps"
)
SAME = 1e-6  # relative distance up to which limits in the plane are the same


@dataclass(frozen=True)
class Problems:
    """Random pairs, chains of pairs between random vectors, and pairs in the plane."""

    pairs: tuple[Link, ...]
    chains: tuple[Chain, ...]
    planes: tuple[Plane, ...]


@dataclass(frozen=True)
class Flows:
    """Relative errors of ends and misfits on either data set, (B,), for B links.

    Both are the larger of the two flows.
    """

    errors: Tensor
    misfits: Tensor


@dataclass(frozen=True)
class SameFits:
    """Limits of flows on pairs of data sets with the same weights of zero loss.

    pairs: P random ones.      gaps: (P,), relative distances of their limits.
    links: all links of C chains.   arrivals: (C,), relative errors of the last ends.
    targets: C times (2, d), the vectors that the chains connect.
    apart: (Q,), relative distances of limits of pairs in the plane.   above: (2 Q,), of
    these limits from the shortest weights.
    """

    pairs: Flows
    gaps: Tensor
    links: Flows
    arrivals: Tensor
    targets: tuple[Tensor, ...]
    apart: Tensor
    above: Tensor


def draw_sets(
    setting: Setting, *, pairs: int, chains: Sequence[int], stretch: float, planes: int
) -> Problems:
    """`pairs` in space, `planes` in the plane, a chain in each of the dimensions
    `chains`.

    stretch: how much longer the second vector of a chain may be than the first.
    """
    return Problems(
        draw_pairs(setting, pairs),
        draw_chains(setting, chains, stretch),
        tuple(Plane.drawn(seed) for seed in setting.seeds(planes, "plane")),
    )


def measure_limits(problems: Problems, setting: Setting) -> SameFits:  # noqa: ARG001
    """Two flows for every pair and every link, on the CPU."""
    pairs = [link.trained() for link in problems.pairs]
    chains = [[link.trained() for link in chain.links] for chain in problems.chains]
    links = [limits for chain in chains for limits in chain]
    arrivals = [
        apart(limits[-1].ends[int(chain.rises)], chain.end)
        for chain, limits in zip(problems.chains, chains, strict=True)
    ]
    gaps, above = measure_planes(problems.planes)
    return SameFits(
        Flows(_row(one.error for one in pairs), _row(one.misfit for one in pairs)),
        _row(one.gap for one in pairs),
        Flows(_row(one.error for one in links), _row(one.misfit for one in links)),
        _row(arrivals),
        tuple(
            torch.from_numpy(np.stack([one.start, one.end])) for one in problems.chains
        ),
        gaps,
        above,
    )


def measure_planes(planes: Sequence[Plane]) -> tuple[Tensor, Tensor]:
    """Relative distances of limits from each other (Q,) and from the shortest (2 Q,)."""
    gaps, above = [], []
    for plane in planes:
        ends = [end(data) for data in plane.sets]
        gaps.append(apart(ends[1], ends[0]))
        above += [apart(w, best) for w, best in zip(ends, plane.shortest, strict=True)]
    return _row(gaps), _row(above)


def _row(values: Iterable[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)


@claim(
    kind="theorem",
    source="Vardi and Shamir 2021 (abstract read, theorem recalled), in the manner of "
    "their example; proof for d >= 3 and of the proposition on the plane on the page",
    statement=r"If $R(w_\infty) \le R(w)$ for all $w$ of zero loss whenever gradient "
    "flow from 0 of a single ReLU neuron, with a derivative in $(0, 1]$ at the kink, "
    r"ends at zero loss $w_\infty$, then, for $d \ge 3$, $R$ is constant on "
    r"$\mathbb{R}^d$ without 0: data sets with the same weights of zero loss, but "
    "different limits, connect any two vectors. In the plane there are none, since "
    "the limit is the shortest of these weights.",
    quick={"pairs": 8, "chains": (3,), "stretch": 1.15, "planes": 8},
    book={"pairs": 10, "chains": (3, 5), "stretch": 2.0, "planes": 30},
    full={
        "pairs": 400,
        "chains": (3,) * 20 + (5,) * 20,
        "stretch": 10.0,
        "planes": 400,
    },
    draw=draw_sets,
    measure=measure_limits,
)
def relu_neuron_no_regularizer(measured: SameFits) -> Evidence:
    """Two flows for each link of chains between random vectors, against the targets."""
    notes = {"links": len(measured.links.errors), "planes": len(measured.apart)}
    checks = (
        _clearly_apart(measured.gaps),
        _fits("pairs: misfit on either data set", measured.pairs.misfits),
        _arrives("pairs: error to the flow by linear pieces", measured.pairs.errors),
        _arrives("chains: error to the target of a link", measured.links.errors),
        _fits("chains: misfit on either data set", measured.links.misfits),
        _arrives("chains: error to the end of the chain", measured.arrivals),
        _shortest(measured.above),
    )
    return Evidence(checks, _plane(measured.apart), notes=notes)


def _clearly_apart(gaps: Tensor) -> Check:
    return Check.each(
        "pairs: relative distance of limits",
        gaps,
        at_least=0.15,
        tag="derived",
        reason="the flow by linear pieces gave 0.176 or more for 1,500 shapes",
    )


def _fits(name: str, misfits: Tensor) -> Check:
    return Check.each(
        name,
        misfits,
        at_most=FLOW,
        tag="proved",
        reason="both limits are in the common set of zero loss, as proved on the page; "
        + FLOW_REASON,
        precision=True,
    )


def _arrives(name: str, errors: Tensor) -> Check:
    return Check.each(
        name,
        errors,
        at_most=FLOW,
        tag="derived",
        reason=FLOW_REASON,
        precision=True,
    )


def _shortest(above: Tensor) -> Check:
    return Check.each(
        "plane: distance to the shortest weights",
        above,
        at_most=SAME,
        tag="proved",
        reason="the proposition on the plane; the integrator's tolerance of "
        "$10^{-10}$, over some hundred steps, times the condition of two inputs",
        precision=True,
    )


def _plane(gaps: Tensor) -> Control:
    """Relative distances (Q,) of the limits of pairs in the plane."""
    return Control(
        "the same in the plane",
        Check.share(
            "pairs whose limits are more than 1e-6 apart",
            gaps,
            at_least=SAME,
            most=0,
            tag="proved",
            math="pairs whose limits are more than $10^{-6}$ apart",
            reason="the proposition on the plane; the claim asks for 0.15",
            precision=True,
        ),
    )
