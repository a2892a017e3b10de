"""Leaky ReLU networks on symmetric data: a linear function of largest margin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.measures.neurons import masses
from ibcore.models.activations import LeakyReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.pages.classification.homogeneous_networks.simple_predictors.runs import (
    SMALL,
    WIDTH,
    fresh_points,
    linear_shares,
    own_points,
    precisions,
    random_start,
)
from ibcore.problems.separable import Classification, planted_margin

STOPS = (-1e2, -1e4, -1e6, -1e8, -1e10)  # log L
LEAST_RATE = 5e-3  # of the max-margin program, as on the page on logistic regression
STRETCH = 2.0  # of the mirror images, in the control
# Neurons below this share of the largest |a_j| |w_j| are left out, and counted.
LIGHT = 1e-3


@dataclass(frozen=True)
class Mirrored:
    """N separable samples closed under (x, y) -> (-x, -y), and starts on them.

    inputs: (N, n, d), the second half the mirror images of the first.
    labels: (N, n).
    w_hat: (N, d) and gamma: (N,), directions and sizes of the largest margin.
    start: (N, P).
    slopes: of the leaky ReLU below zero, one after the other.
    fresh: points (k, d) for a look at the network.
    """

    solutions: tuple[MaxMargin, ...]
    inputs: Tensor
    labels: Tensor
    start: Tensor
    slopes: tuple[float, ...]
    fresh: Tensor
    rejected: int = 0

    @property
    def w_hat(self) -> Tensor:
        return torch.stack([best.primal for best in self.solutions]).to(self.inputs)

    @property
    def gamma(self) -> Tensor:
        return self.inputs.new_tensor([best.margin for best in self.solutions])

    def net(self, slope: float) -> Network:
        return Network(self.inputs, (WIDTH,), LeakyReLU(slope), biases=False)

    def margins(self, slope: float) -> Margins:
        return Margins(self.net(slope), self.labels)

    def stretched(self, factor: float) -> Mirrored:
        """The same with mirror images (-factor x, -y).

        These samples are separable by the same directions with the same margins, and
        closed under the reflection for `factor` 1 only.
        """
        inputs = self.inputs.clone()
        inputs[:, inputs.shape[1] // 2 :] *= factor
        return replace(self, inputs=inputs)


@dataclass(frozen=True)
class Alignment:
    """Networks (...), at one time or at several.

    sines: (..., m), to w_hat times the sign of the output weight; 0 for those left out.
    light: how many are left out, those below `LIGHT` times the largest |a_j| |w_j|.
    margin_ratio: min_i m_i / |theta|^2 over (1 + slope) gamma / 4.
    balance: mass of the positive neurons over that of the negative ones.
    bend: root of the share of f^2 that no linear function explains.
    """

    sines: Tensor
    light: Tensor
    margin_ratio: Tensor
    balance: Tensor
    bend: Tensor

    def at(self, stop: int) -> Alignment:
        """At one of several times."""
        return Alignment(*(part[stop] for part in vars(self).values()))


@dataclass(frozen=True)
class Turning:
    """What gradient flow did with S N networks until K losses.

    certificates: (2 N,), of the programs.
    stops: (K,), log L.
    paths: (K, S N, ...).
    uneven: the N networks of the control at the first stop.
    rejected: draws.
    broken: why runs ended early.
    """

    certificates: Tensor
    stops: Tensor
    paths: Alignment
    uneven: Alignment
    rejected: int
    broken: tuple[str, ...]


def draw_mirrored(
    setting: Setting,
    *,
    seeds: int,
    slopes: tuple[float, ...],
    half: int = 10,
    d: int = 5,
) -> Mirrored:
    """`half` points at least 0.3 from a random hyperplane with their mirror images.

    The support vectors span R^d. Draws whose support vectors do not, or whose rate is
    below `LEAST_RATE`, are rejected and counted.
    """

    def keep(generator: torch.Generator) -> tuple[Classification, MaxMargin] | None:
        problem = planted_margin(half, d, 0.3, generator)
        best = max_margin(problem.X, problem.y)
        spans = int(best.support.sum()) == d
        return (problem, best) if spans and best.rate >= LEAST_RATE else None

    kept, rejected = setting.draw(seeds, "mirrored", keep)
    return _started(setting, kept, slopes, rejected)


def own_mirrored(
    setting: Setting, X: object, y: object, *, seeds: int, slopes: tuple[float, ...]
) -> Mirrored:
    """Random starts on a reader's X (n, d) and y (n,), with their mirror images.

    As many as `draw_mirrored` has samples.
    A hyperplane through the origin has to separate them.
    """
    half = own_points(X, y)
    return _started(setting, [(half, max_margin(half.X, half.y))] * seeds, slopes, 0)


def _started(
    setting: Setting,
    halves: list[tuple[Classification, MaxMargin]],
    slopes: tuple[float, ...],
    rejected: int,
) -> Mirrored:
    inputs = torch.stack([torch.cat([p.X, -p.X]) for p, _ in halves])
    labels = torch.stack([torch.cat([p.y, -p.y]) for p, _ in halves])
    count, features = len(inputs), inputs.shape[-1]
    start = random_start(setting, count, WIDTH * (1 + features), "mirrored start")
    return Mirrored(
        tuple(best for _, best in halves),
        inputs.to(setting.device),
        labels.to(setting.device),
        SMALL * start.roll(-WIDTH, -1),  # output weights are drawn first
        slopes,
        fresh_points(setting, 500, features),
        rejected,
    )


def measure_turning(sample: Mirrored, setting: Setting) -> Turning:  # noqa: ARG001
    """Gradient flow up to log L = -1e10, and to -1e2 with longer mirror images."""
    paths: list[Alignment] = []
    broken: list[str] = []
    for slope in sample.slopes:
        run = flow(
            sample.margins(slope), Exponential(), sample.start, log_loss=list(STOPS)
        )
        stages = [alignment(sample, slope, theta) for theta in run.theta]
        paths.append(_joined(stages, torch.stack))
        broken += early_ends(f"slope {slope:g}", run)
    other, slope = sample.stretched(STRETCH), sample.slopes[0]
    bent = flow(other.margins(slope), Exponential(), other.start, log_loss=STOPS[0])
    return Turning(
        precisions(sample.solutions),
        torch.tensor(STOPS, dtype=torch.float64),
        _joined(paths, lambda parts: torch.cat(parts, 1)),
        alignment(other, slope, bent.theta[0]),
        sample.rejected,
        (*broken, *early_ends("control", bent)),
    )


def _joined(rows: list[Alignment], join: Callable[[list[Tensor]], Tensor]) -> Alignment:
    columns = zip(*(vars(row).values() for row in rows), strict=True)
    return Alignment(*(join(list(column)) for column in columns))


def alignment(sample: Mirrored, slope: float, theta: Tensor) -> Alignment:
    """`Alignment` of the networks `theta` (N, P)."""
    net = sample.net(slope)
    a, w = net.neurons(theta)
    mass = masses(a, w)
    heavy = ~(mass < LIGHT * mass.amax(-1, keepdim=True))
    angles = sin_angle(w * a.sign()[..., None], sample.w_hat[:, None])
    least = sample.margins(slope).outputs(theta).amin(-1)
    best = (1 + slope) / 4 * sample.gamma
    outputs = net.on(sample.fresh).outputs(theta)
    return Alignment(
        torch.where(heavy, angles, 0.0),
        (~heavy).sum(-1),
        least / theta.square().sum(-1) / best,
        (mass * (a > 0)).sum(-1) / (mass * (a < 0)).sum(-1),
        (1 - linear_shares(sample.fresh, outputs)).clamp_min(0).sqrt(),
    )


@claim(
    kind="theorem",
    source="Lyu, Li, Wang and Arora 2021, on symmetric linearly separable data "
    "(recalled)",
    statement=r"On linearly separable data closed under $(x, y) \to (-x, -y)$, "
    "gradient flow from a small random start brings a two-layer leaky ReLU network "
    "with output weights of both signs to the largest normalized margin: every neuron "
    "is parallel to the linear max-margin direction, and the network is a linear "
    "function.",
    quick={"seeds": 8, "slopes": (0.3,)},
    book={"seeds": 8, "slopes": (0.3, 0.1)},
    full={"seeds": 100, "slopes": (0.3, 0.1, 0.6)},
    draw=draw_mirrored,
    measure=measure_turning,
    own=own_mirrored,
)
def leaky_symmetric_max_margin(measured: Turning) -> Evidence:
    """Neurons, margin and linearity on symmetric data and with longer mirror images."""
    paths, ends = measured.paths, measured.paths.at(-1)
    checks = (
        *margin_checks(measured.certificates, paths.margin_ratio),
        *neuron_checks(ends.sines, ends.balance),
        *bend_checks(paths.bend[0], ends.bend),
    )
    notes = {
        "rejected (support vectors do not span, or rate below 0.005)": measured.rejected,
        "networks": len(ends.light),
        "neurons": ends.sines.numel(),
        "neurons left out (below 0.001 of the largest mass)": int(ends.light.sum()),
    }
    control = uneven_control(measured.uneven.bend)
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def margin_checks(certificates: Tensor, ratios: Tensor) -> tuple[Check, ...]:
    """Of the programs, and of margins over their bound at all stops, (K, B)."""
    return (
        Check.each(
            "max-margin program: relative gap or violation",
            certificates,
            at_most=1e-10,
            tag="derived",
            reason="duality; the tolerance asked of the solver is 1e-12",
            precision=True,
        ),
        Check.each(
            "normalized margin over (1 + slope) gamma / 4, at all stops",
            ratios,
            at_most=1 + 1e-9,
            tag="proved",
            math=r"normalized margin over $(1 + s) \gamma / 4$, at all stops",
            reason="proved on the page for every network; the gap of the program that "
            r"gives $\gamma$",
        ),
        Check.largest(
            "normalized margin over (1 + slope) gamma / 4",
            ratios[-1],
            equals=1,
            atol=2e-9,
            growth=0.25,
            tag="derived",
            math=r"normalized margin over $(1 + s) \gamma / 4$",
            reason=r"a constant of the data over $\log\frac1L = 10^{10}$; below 6e-11 "
            "on 22 networks",
        ),
    )


def neuron_checks(sines: Tensor, balance: Tensor) -> tuple[Check, ...]:
    """Of sines (B, m) and masses of B networks at log L = -1e10."""
    return (
        Check.each(
            "sin of the angle of a neuron to +-w_hat, largest of a network",
            sines.amax(-1),
            at_most=1e-5,
            tag="derived",
            math=r"$\sin\angle$ of a neuron to $\pm\hat w$, largest of a network",
            reason=r"of the order of $(\log\frac1L)^{-1/2} = 10^{-5}$, with the small "
            "start as a factor",
        ),
        Check.each(
            "mass of positive over mass of negative neurons",
            balance,
            equals=1,
            atol=1e-9,
            tag="derived",
            reason="margins of mirror images that differ by a constant, over $10^{10}$",
            precision=True,
        ),
    )


def bend_checks(early: Tensor, late: Tensor) -> tuple[Check, ...]:
    """Of nonlinearities (B,) at log L = -1e2 and at -1e10."""
    return (
        Check.share(
            "relative nonlinearity of f on fresh points at log L = -1e2 at most 0.01",
            early,
            at_most=0.01,
            least=0.9,
            tag="observed",
            math=r"relative nonlinearity of $f$ on fresh points at $\log L = -10^2$ at "
            "most 0.01",
            reason="the bar of the control, at the first stop",
        ),
        Check.each(
            "relative nonlinearity of f on fresh points",
            late,
            at_most=1e-6,
            tag="derived",
            math="relative nonlinearity of $f$ on fresh points",
            reason="the root of a rounding error of one minus $R^2$",
            precision=True,
        ),
    )


def uneven_control(bends: Tensor) -> Control:
    """Of nonlinearities (B,) at log L = -1e2."""
    return Control(
        "mirror images twice as long, (-2 x, -y) for (x, y)",
        Check.share(
            "relative nonlinearity of f on fresh points at log L = -1e2 at most 0.01",
            bends,
            at_most=0.01,
            most=0.25,
            tag="observed",
            math=r"relative nonlinearity of $f$ on fresh points at $\log L = -10^2$ at "
            "most 0.01",
            reason="the bar that the claim meets at this loss",
        ),
        math="mirror images twice as long, $(-2 x, -y)$ for $(x, y)$",
    )
