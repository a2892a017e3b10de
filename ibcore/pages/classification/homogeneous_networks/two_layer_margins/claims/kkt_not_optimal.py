"""Two neurons in a trap: gradient flow to a KKT point that is not even a local optimum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.log_time import flow
from ibcore.evidence import Breakdown, Check, Control, Evidence, attempt
from ibcore.losses import Exponential
from ibcore.measures.kkt import KKT, kkt
from ibcore.models.margins import Margins
from ibcore.oracles.margin_trap import (
    BEST,
    MULTIPLIERS,
    RISE,
    TRAP,
    escape,
    trapped,
)
from ibcore.oracles.variation_norm import gated_norm, variation_margin
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.networks import (
    at_margin_one,
    network,
    normalized_margin,
    pair_starts,
)
from ibcore.problems.plane import shallow_pair

STEP = 0.01  # size of the neuron that leaves the KKT point
DEAD = [2, 3, 5]  # the parameters of the second neuron
LOSSES = (-1e2, -1e4, -1e10)  # log L


@dataclass(frozen=True)
class Starts:
    """Two neurons (B, 6) in the trap, with one neuron a point, and at random."""

    trap: Tensor
    free: Tensor
    anywhere: Tensor


@dataclass(frozen=True)
class Trapped:
    """Where starts end.

    depths: log(1/L) at the stops, (K, B).      caught, escaped, others: normalized
    margins (K, B) from the trap, from one neuron a point, and from anywhere, NaN at a
    stop not reached.
    law: gap times 8 log(1/L) / |dead neuron|^2 at the second stop, (B,).
    residuals, multipliers, gains: of the KKT conditions at the trapped limits at margin
    1, (B,) and (B, 2), and what a new neuron gains there per size^2, (B,).
    optima: (3,), the largest normalized margin by a program over directions, its dual,
    and a program over gates.
    """

    depths: Tensor
    caught: Tensor
    escaped: Tensor
    others: Tensor
    law: Tensor
    residuals: Tensor
    multipliers: Tensor
    gains: Tensor
    optima: Tensor
    broken: tuple[str, ...]

    def share(self, margin: float) -> float:
        """Of the starts at random that end within 0.1 % of a margin."""
        near = (self.others[-1] / margin - 1).abs() <= 1e-3
        return float(near.double().mean())

    def never(self) -> float:
        """The share of the starts at random that do not come to the first stop."""
        return float(self.others[0].isnan().double().mean())


def draw_starts(
    setting: Setting, *, starts: int, at_random: int, size: float
) -> Starts:
    """Gaussian starts, the first two kinds conditioned on what their neurons see."""
    generator = torch.Generator().manual_seed(setting.seeds(1, "trap")[0])
    trap = pair_starts("both", "none", starts, size, generator)
    free = pair_starts("right", "left", starts, size, generator)
    free[:, 4:] = free[:, 4:].abs()
    anywhere = torch.randn(at_random, 6, generator=generator, dtype=torch.float64)
    anywhere = anywhere.roll(-2, -1)  # output weights are drawn first
    return Starts(trap, free, size * anywhere)


def measure_limits(starts: Starts, setting: Setting) -> Trapped:
    """Gradient flow down to log L = -1e10 on the two points of the page."""
    model = network(shallow_pair(), 2, setting.device)
    kinds = (starts.trap, starts.free, starts.anywhere)
    run = flow(
        model,
        Exponential(),
        torch.cat(kinds).to(setting.device),
        log_loss=list(LOSSES),
        max_steps=200,
    )
    margins = normalized_margin(model, run.theta).cpu()
    caught, escaped, others = margins.split([len(kind) for kind in kinds], 1)
    depths = -run.log_loss[:, : len(starts.trap)].cpu()
    dead = starts.trap[:, DEAD].square().sum(-1)
    limits = run.theta[-1, : len(starts.trap)]
    residuals, multipliers, broken = kkt_at(model, limits)
    return Trapped(
        depths,
        caught,
        escaped,
        others,
        (TRAP / caught[1] - 1) * depths[1] * 8 / dead,
        residuals,
        multipliers,
        gains(model, limits),
        optima(),
        broken,
    )


def kkt_at(model: Margins, limits: Tensor) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Residuals (B,) and multipliers (B, n) of the KKT conditions at limits (B, P),
    scaled to margin 1.
    """
    points = at_margin_one(model, limits)
    values, rows = model.outputs(points), model.jacobian(points)

    def measure(b: int) -> KKT:
        return kkt(points[b], values[b], rows[b])

    found, broken = attempt(measure, range(len(limits)))
    multipliers = [
        torch.full((values.shape[1],), math.nan, dtype=torch.float64)
        if isinstance(point, Breakdown)
        else point.multipliers
        for point in found
    ]
    residuals = torch.tensor([point.residual for point in found], dtype=torch.float64)
    return residuals, torch.stack(multipliers), broken


def gains(model: Margins, limits: Tensor) -> Tensor:
    """Rise of the normalized margin over STEP^2 when the dead neuron of `limits` (B, 6)
    takes the escape, (B,).
    """
    points = at_margin_one(model, limits)
    moved = points + (escape(STEP) - trapped()).to(points)
    moved[:, DEAD] = escape(STEP)[DEAD].to(points)
    rise = normalized_margin(model, moved) - normalized_margin(model, points)
    return rise / STEP**2


def optima() -> Tensor:
    """The largest normalized margin by a program over directions, by its dual, and by
    the program over gates.
    """
    data = shallow_pair()
    best = variation_margin(data.X, data.y)
    return torch.tensor(
        [best.margin, 1 / float(best.dual.sum()), 1 / gated_norm(data.X, data.y)],
        dtype=torch.float64,
    )


@claim(
    kind="theorem",
    source="Vardi, Shamir and Srebro 2022 (abstract read; the theorem and its two "
    "points are recalled); limit, speed and escape are derived on the page",
    statement="Gradient flow on a two-layer ReLU network can converge in direction to "
    "a KKT point of the max-margin program that is not even a local optimum, from a "
    "set of starts of positive probability: with two neurons on $(1, 1/4)$, $(-1, "
    r"1/4)$ the normalized margin tends to $1/4$ although $\sqrt{17}/8$ is possible.",
    quick={"starts": 8, "at_random": 0, "size": 0.5},
    book={"starts": 48, "at_random": 200, "size": 0.5},
    full={"starts": 1000, "at_random": 10_000, "size": 0.5},
    draw=draw_starts,
    measure=measure_limits,
)
def kkt_not_optimal(measured: Trapped) -> Evidence:
    """Limits of starts in the trap and of starts with one neuron a point, and what the
    trap is.
    """
    caught, escaped = measured.caught[-1], measured.escaped[-1]
    checks = (
        *_limits(caught, escaped, measured.optima),
        _speed(measured.law),
        *_conditions(measured.residuals, measured.multipliers),
        _gain(measured.gains),
    )
    control = Control(
        "no dead neuron",
        Check.share(
            "normalized margin at log L = -1e10 below 0.3",
            escaped,
            at_most=0.3,
            most=0.1,
            tag="derived",
            math=r"normalized margin at $\log L = -10^{10}$ below 0.3",
            reason=r"a fifth above $\frac14$; the limit here is the optimum, $0.515$",
        ),
    )
    notes = {
        "starts in the trap": len(caught),
        "starts with a neuron a point": len(escaped),
    }
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _limits(caught: Tensor, escaped: Tensor, found: Tensor) -> tuple[Check, ...]:
    """Of normalized margins (B,) at the end, in the trap and outside, and of the
    optimum by several programs.
    """
    return (
        Check.each(
            "normalized margin from the trap at log L = -1e10",
            caught,
            equals=TRAP,
            rtol=1e-6,
            tag="derived",
            math=r"normalized margin from the trap at $\log L = -10^{10}$",
            reason="the gap is of the order of the dead neuron's square over $8 \\cdot "
            "10^{10}$",
        ),
        Check.each(
            "the same with a neuron for either point",
            escaped,
            equals=BEST,
            rtol=1e-6,
            tag="derived",
            reason=r"the gap is of the order of $1/\log\frac1L$ here too",
        ),
        Check.each(
            "optimum by two convex programs and a dual bound",
            found,
            equals=BEST,
            rtol=1e-8,
            tag="derived",
            reason="tolerance of the solvers",
            precision=True,
        ),
    )


def _speed(law: Tensor) -> Check:
    return Check.largest(
        "gap * 8 log(1/L) / |dead neuron|^2 at log L = -1e4",
        law,
        equals=1,
        atol=1e-3,
        growth=2 / 3,
        tag="derived",
        math=r"gap $\times\, 8 \log\frac1L \big/ \|\theta_2\|^2$ at $\log L = -10^4$",
        reason=r"what is left out is of the order of $1/(\|\theta_2\|^2 \log\frac1L)$, "
        "and the square of a Gaussian in three dimensions is below $r^2$ with a "
        "chance of order $r^3$",
    )


def _conditions(residuals: Tensor, multipliers: Tensor) -> tuple[Check, ...]:
    """Of the KKT conditions at the limits in the trap."""
    return (
        Check.each(
            "KKT residual of the trapped limits",
            residuals,
            at_most=1e-5,
            tag="proved",
            reason=r"the dead neuron keeps its size while $\|\theta\|$ grows to $2.8 "
            r"\cdot 10^5$; larger than 1e-5 if it starts at more than 2.8, five "
            "standard deviations",
        ),
        Check.each(
            "their multipliers at margin 1",
            multipliers,
            equals=MULTIPLIERS[0],
            rtol=1e-8,
            tag="derived",
            reason=r"the direction is reached to $1/\log\frac1L = 10^{-10}$",
            precision=True,
        ),
    )


def _gain(found: Tensor) -> Check:
    """Of what a new neuron gains at the limits in the trap (B,)."""
    return Check.each(
        "gain there per size^2 of a new neuron",
        found,
        equals=RISE,
        rtol=1e-4,
        tag="derived",
        math=r"gain there per $\varepsilon^2$ of a new neuron of size $\varepsilon = "
        "0.01$",
        reason=r"the next term of the expansion is $O(\varepsilon^2)$",
    )
