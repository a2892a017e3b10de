"""The central flow: where gradient descent is on average at the edge of stability, and
its mean loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.since.large_steps.networks import (
    Arrivals,
    descent,
    draw_arrivals,
    late_mean,
)


@dataclass(frozen=True)
class Means:
    """B networks at the edge, averaged over the steps from 100 to 300 after they came
    there.

    apart: (B,), distance of the mean point of the central flow from that of gradient
    flow.
    off_central, off_free, off_slow: (B,), distance of the mean point of gradient
    descent from both flows, and of descent with half of the step from the central flow,
    over `apart`.
    loss: (B,), mean loss.      predicted, without: (B,), that of the central flow, and
    without the term of the jumps.
    jumps: (B,), mean square of what lies along u between descent and central flow.
    variance: (B,), mean sigma^2.      second: (B,), largest second eigenvalue over 2 /
    eta.
    """

    apart: Tensor
    off_central: Tensor
    off_free: Tensor
    off_slow: Tensor
    loss: Tensor
    predicted: Tensor
    without: Tensor
    jumps: Tensor
    variance: Tensor
    second: Tensor
    notes: dict[str, int]


def draw_networks(setting: Setting, *, networks: int) -> Arrivals:
    """Networks that were trained up to the edge, with both flows from there."""
    return draw_arrivals(setting, networks)


def measure_means(drawn: Arrivals, setting: Setting) -> Means:  # noqa: ARG001
    """Gradient descent with the full step and with half of it."""
    points, losses = descent(drawn)
    slow, _ = descent(drawn, slower=2)
    central, free = drawn.central, drawn.free
    apart = _distance(central.points, free.points)
    beside = ((points - central.points) * central.directions).sum(-1)
    edge = central.sharpness[0].amax()
    return Means(
        apart,
        _distance(points, central.points) / apart,
        _distance(points, free.points) / apart,
        _distance(slow, central.points) / apart,
        late_mean(losses),
        late_mean(central.loss),
        late_mean(central.without),
        late_mean(beside.square()),
        late_mean(central.variance),
        central.second.amax(0) / edge,
        drawn.notes,
    )


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """Of the mean points of two paths (K + 1, B, P), (B,)."""
    return torch.linalg.vector_norm(late_mean(one) - late_mean(other), dim=-1)


@claim(
    kind="empirical",
    source="Cohen, Damian, Talwalkar, Kolter and Lee 2025 (abstract read; the equations "
    "as in the public code of one of the authors, and derived on the page)",
    statement="A small network comes from below to $S = 2/\\eta$, with $S$ the largest "
    "eigenvalue of the Hessian, and would go beyond by gradient flow, while the second "
    "eigenvalue stays below. From there gradient descent "
    r"follows on average the flow $\dot w = -\nabla L - \frac12 \sigma^2 \nabla S$, "
    r"where $\sigma^2 \ge 0$ is what keeps $S \le 2/\eta$, and not gradient flow; and "
    r"its mean loss is $L + \frac12 \sigma^2 S$ on this flow.",
    quick={"networks": 8},
    book={"networks": 12},
    full={"networks": 64},
    draw=draw_networks,
    measure=measure_means,
)
def central_flow(measured: Means) -> Evidence:
    """The mean point, the mean loss, and the size of the jumps."""
    checks = (
        *_points(measured.off_central, measured.off_free),
        *_losses(measured.predicted / measured.loss, measured.without / measured.loss),
        *_jumps(measured.jumps / measured.variance),
    )
    control = Control(
        "half of the step, with which the networks are not at the edge",
        Check.share(
            "distance of the mean point from the central flow over that of gradient "
            "flow from it at most 0.05",
            measured.off_slow,
            at_most=0.05,
            most=0.25,
            tag="derived",
            reason="below the edge descent is close to gradient flow, at the distance 1",
        ),
        math=r"a step of $\eta/2$, with which the networks are not at the edge",
    )
    return Evidence(checks, control, measured.notes)


def _points(central: Tensor, free: Tensor) -> tuple[Check, ...]:
    """Distances (B,) of the mean point from both flows, over the distance of these."""
    return (
        Check.each(
            "mean point: distance from the central flow over that of gradient flow "
            "from it",
            central,
            at_most=0.05,
            tag="observed",
            repeats=0.4,
            reason="the mean over 200 steps has two or three bursts, of which the first "
            "and the last are cut: an error of a part of a jump, which is a fifth of "
            "the distance of the flows or less. At most 0.022 on 400 networks",
        ),
        Check.each(
            "mean point: distance from gradient flow over the same",
            free,
            at_least=0.9,
            tag="observed",
            reason="it is where the central flow is, not between the two",
        ),
    )


def _losses(predicted: Tensor, without: Tensor) -> tuple[Check, ...]:
    """Losses (B,) on the central flow over the mean loss of descent, with and without
    the term of the jumps.
    """
    return (
        Check.share(
            "predicted mean loss over the measured one within 0.15 of 1",
            predicted,
            equals=1,
            atol=0.15,
            least=0.9,
            tag="observed",
            reason="two or three bursts, of which those at the ends are cut, and terms "
            "of higher order in the jumps: between 0.86 and 1.09 on 400 networks",
        ),
        Check.each(
            "loss on the flow alone, without the term of the jumps, over the measured one",
            without,
            at_most=0.8,
            tag="observed",
            reason="the jumps have a share in the mean loss: if this were near 1, the "
            "line above would say nothing of them",
        ),
    )


def _jumps(ratio: Tensor) -> tuple[Check, ...]:
    """Mean square of the jumps along u over the mean of sigma^2, (B,)."""
    return (
        Check.share(
            "mean square of the jumps along the eigenvector over the mean of sigma^2 "
            "within 0.35 of 1",
            ratio,
            equals=1,
            atol=0.35,
            least=0.9,
            tag="observed",
            math=r"mean square of the jumps along $u$ over the mean of $\sigma^2$ "
            "within 0.35 of 1",
            reason="the jumps come in bursts, of which 200 steps hold two or three, and "
            "their squares are nearly all of this mean: between 0.80 and 1.35 on 400 "
            "networks",
        ),
    )
