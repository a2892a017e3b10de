"""Orders of the distance of the mean iterate to three flows, all orders of the batches
enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.modified_loss import penalty_slopes
from ibcore.pages.further.modified_losses.bars import NEXT, SLACK, followed, not_better
from ibcore.pages.further.modified_losses.runs import (
    EPOCHS,
    RIVALS,
    Networks,
    epochs,
    every_order,
    last_slopes,
    mean_losses,
    rival_flows,
)
from ibcore.validation import InvalidInput, positive_integer, regression_data


@dataclass(frozen=True)
class Batches:
    """Networks, and into how many batches of how many examples an epoch divides their
    data.
    """

    networks: Networks
    batches: int


@dataclass(frozen=True)
class Epochs:
    """The mean iterate after one epoch over all orders of m batches, at E step sizes,
    beside three flows.

    etas: (E, B), m eta times the sharpness at the start.      distances: (3, E, B), to
    the flows of `RIVALS`.
    fixed: (E, B), of the first order alone to the last flow.      missed: (2, B), for
    the first two flows and at the smallest step |distance / eta^2 - v| / |v_0| as
    vectors, with the derived v, and v_0 that of the first flow.
    difference: (E, B), between the last flow and the same at a wider tolerance.
    orders: how many there are.
    broken: why runs ended early.
    """

    etas: Tensor
    distances: Tensor
    fixed: Tensor
    missed: Tensor
    difference: Tensor
    orders: int
    broken: tuple[str, ...] = ()


def draw_batches(setting: Setting, *, networks: int, batches: int) -> Batches:
    """Networks of 8 units on a noisy sine of three points a batch, in random order."""
    seeds = setting.seeds(networks, "modified loss of an epoch")
    return Batches(Networks.draw(seeds, 3 * batches, setting.device), batches)


def own_batches(
    setting: Setting, X: object, y: object, *, networks: int, batches: int
) -> Batches:
    """A reader's X (n, d) and y (n,) in batches of equal size, less the rows that are
    left over.
    """
    inputs, targets = regression_data(X, y, single=True)
    rows = len(inputs) // positive_integer("batches", batches) * batches
    if not rows:
        raise InvalidInput(
            f"{len(inputs)} rows are too few for {batches} batches. Pass more rows or "
            "fewer batches."
        )
    seeds = setting.seeds(networks, "modified loss of an epoch")
    return Batches(
        Networks.own(inputs[:rows], targets[:rows], seeds, setting.device), batches
    )


def measure_epochs(problems: Batches, setting: Setting) -> Epochs:  # noqa: ARG001
    """One epoch in every order, from eight step sizes."""
    networks, batches = problems.networks, problems.batches
    lengths = networks.unit.new_tensor(EPOCHS)[:, None]
    etas = lengths * networks.unit / batches
    ends, broken = epochs(networks, etas, every_order(batches))
    flow = rival_flows(networks, etas, batches)
    there = flow.theta[0].unflatten(0, (len(RIVALS), *etas.shape))
    mean = ends.mean(2)
    losses = mean_losses(networks.X, networks.y, batches)
    whole, parts = penalty_slopes(losses, networks.start, batches)
    derived = -batches / 4 * torch.stack([parts, parts - whole])
    seen = (mean[-1] - there[:2, -1]) / etas[-1][:, None].square()
    return Epochs(
        lengths.expand_as(etas),
        (mean - there).norm(dim=-1),
        (ends[:, :, 0] - there[-1]).norm(dim=-1),
        (seen - derived).norm(dim=-1) / derived[0].norm(dim=-1),
        flow.difference.unflatten(0, (len(RIVALS), *etas.shape))[-1],
        ends.shape[2],
        broken,
    )


@claim(
    kind="theorem",
    source="Smith, Dherin, Barrett and De 2021 (abstract read, theorem recalled); "
    "proved on the page",
    statement="Let the losses $L_i$ of $m$ batches have four continuous derivatives, "
    "with common bounds. After one epoch the mean of the iterate over all orders of "
    r"the batches is within $O((m\eta)^3)$ of gradient flow for the time $m\eta$ on $L "
    r"+ \frac{\eta}{4m} \sum_i \|\nabla L_i\|^2$, with $L$ the mean of the $L_i$; "
    "without the term, or with that of gradient descent, and for fixed $m$, in "
    r"general only within $O(\eta^2)$.",
    quick={"networks": 8, "batches": 4},
    book={"networks": 8, "batches": 5},
    full={"networks": 64, "batches": 6},
    draw=draw_batches,
    measure=measure_epochs,
    own=own_batches,
)
def modified_loss_sgd(measured: Epochs) -> Evidence:
    """Orders of the distance of the mean iterate to three flows, all orders of the
    batches enumerated.
    """
    checks = (
        followed(measured.difference[-1], measured.distances[2, -1]),
        *_orders_of_epochs(last_slopes(measured.etas, measured.distances)),
        *_second_order(measured.missed),
    )
    control = Control(
        "one fixed order of the batches in place of the mean",
        not_better("2", last_slopes(measured.etas, measured.fixed), 2.5),
    )
    notes = {"networks": measured.etas.shape[1], "orders": measured.orders}
    return Evidence(checks, control, notes, measured.broken)


def _orders_of_epochs(slopes: Tensor) -> tuple[Check, ...]:
    """Slopes (3, B) of the distance to the flows of `RIVALS`."""
    reason = NEXT.format(most=0.002, many=1800)
    rival = (
        "the leading term is a difference, which for some networks is small beside the "
        "next one: beyond 0.05 for one of 1800 networks, with the largest deviation of "
        "$n$ growing like $n^{0.55}$"
    )
    return (
        Check.each(
            "order of the distance to the flow on the modified loss, at least",
            slopes[2],
            at_least=3 - SLACK,
            tag="proved",
            reason=reason,
        ),
        Check.each(
            "the same, at most",
            slopes[2],
            at_most=3 + SLACK,
            tag="observed",
            reason="the distance has a term of third order, which does not vanish in "
            "general; the slack is that of the bar from below",
        ),
        Check.each(
            "order of the distance to gradient flow on L",
            slopes[0],
            equals=2,
            atol=SLACK,
            tag="proved",
            math="order of the distance to gradient flow on $L$",
            reason=reason,
        ),
        Check.largest(
            "order of the distance to the flow with the term of gradient descent",
            slopes[1],
            growth=0.6,
            equals=2,
            atol=2 * SLACK,
            tag="proved",
            reason=rival,
            over_seeds=0.99,
        ),
    )


def _second_order(missed: Tensor) -> tuple[Check, ...]:
    """Errors (2, B) of the derived leading vectors, as shares of the length of the
    first.
    """
    first = r"-\frac14 \nabla \sum_i \|\nabla L_i\|^2"
    laws = (
        ("gradient flow", first),
        (
            "the flow of gradient descent",
            r"-\frac14 \nabla \sum_i (\|\nabla L_i\|^2 - \|\nabla L\|^2)",
        ),
    )
    return tuple(
        Check.each(
            f"distance to {name} over eta^2, as a vector: off the derived one by",
            values,
            at_most=0.01,
            tag="derived",
            math=f"(mean iterate $-$ {name})$/\\eta^2$, off ${law}$ by a share of the "
            f"length of ${first}$",
            reason="leading order at a step with $m\\eta$ 1/800 of the inverse "
            "sharpness; at most 0.0013 on 1800 networks",
        )
        for (name, law), values in zip(laws, missed, strict=True)
    )
