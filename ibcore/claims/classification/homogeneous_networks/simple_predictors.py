"""Leaky ReLU networks that become simple: as linear functions, and with a linear boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.log_time import flow
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.measures.neurons import linear_share, masses, oddness_defect
from ibcore.models.hidden_layer import HiddenLayer
from ibcore.models.homogeneous import LeakyReLU, TwoLayer
from ibcore.models.margins import Margins
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.oracles.neural_agreement import AgreementLimit, agreement_limit
from ibcore.problems.separable import PlantedMargin, planted_margin

SLOPE = 0.3
WIDTH = 20
SMALL, LARGE = 1e-3, 10.0
LEAST_RATE = 5e-3  # of the max-margin program, as on the page on logistic regression
STRETCH = 2.0  # of the mirror images, in the control
LIGHT = 1e-3  # neurons with less than this share of the largest |a_j| |w_j| are left out, and counted


@dataclass(frozen=True)
class Teachers:
    """B problems labeled by linear teachers, and networks with fixed output weights on them."""

    problems: tuple[PlantedMargin, ...]
    limits: tuple[AgreementLimit, ...]
    labels: Tensor
    net: HiddenLayer

    @property
    def margins(self) -> Margins:
        return Margins(self.net, self.labels)

    def on(self, inputs: Tensor) -> HiddenLayer:
        """The same networks on other inputs (k, d)."""
        return HiddenLayer(inputs, self.net.output_weights, self.net.activation)

    def pair(self, theta: Tensor) -> Tensor:
        """Mean input weights of the positive and of the negative neurons, joined, (B, 2 d)."""
        w = self.net.neurons(theta)
        positive = self.net.output_weights > 0
        return torch.cat([w[:, positive].mean(1), w[:, ~positive].mean(1)], -1)


def draw_teachers(
    setting: Setting, seeds: int, *, n: int = 20, d: int = 5, margin: float = 1.0
) -> tuple[Teachers, int]:
    """Data `margin` or more from random hyperplanes whose program is consistent, and how many were rejected."""

    def keep(generator: torch.Generator) -> tuple[PlantedMargin, AgreementLimit] | None:
        problem = planted_margin(n, d, margin, generator)
        limit = agreement_limit(problem.X, problem.y, SLOPE)
        return (problem, limit) if limit.consistent else None

    kept, rejected = setting.draw(seeds, "linear teacher", keep)
    problems, limits = zip(*kept, strict=True)
    output = torch.ones(WIDTH, dtype=torch.float64) / WIDTH**0.5
    output[WIDTH // 2 :] *= -1
    inputs, labels = (
        torch.stack(rows).to(setting.device)
        for rows in ([p.X for p in problems], [p.y for p in problems])
    )
    net = HiddenLayer(inputs, output.to(setting.device), LeakyReLU(SLOPE))
    return Teachers(problems, limits, labels, net), rejected


def random_start(setting: Setting, count: int, dimension: int, purpose: str) -> Tensor:
    """Standard normal parameters (count, dimension)."""
    rows = [
        torch.randn(
            dimension,
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        )
        for seed in setting.seeds(count, purpose)
    ]
    return torch.stack(rows).to(setting.device)


@dataclass(frozen=True)
class Mirrored:
    """B separable samples closed under (x, y) -> (-x, -y), their max-margin directions and margins, and networks.

    solutions: of the max-margin program, for each sample.      labels: (B, n).      w_hat: (B, d).      gamma: (B,).
    """

    solutions: tuple[MaxMargin, ...]
    labels: Tensor
    w_hat: Tensor
    gamma: Tensor
    net: TwoLayer
    slope_below: float
    rejected: int = 0

    @property
    def margins(self) -> Margins:
        return Margins(self.net, self.labels)


def draw_mirrored(
    setting: Setting, seeds: int, slope_below: float, *, half: int = 10, d: int = 5
) -> Mirrored:
    """`half` points at least 0.3 from a random hyperplane with their mirror images; the support vectors span R^d.

    The notes of the claim count the draws whose support vectors do not, or whose rate is below `LEAST_RATE`.
    """

    def keep(generator: torch.Generator) -> tuple[PlantedMargin, MaxMargin] | None:
        problem = planted_margin(half, d, 0.3, generator)
        best = max_margin(problem.X, problem.y)
        return (
            (problem, best)
            if int(best.support.sum()) == d and best.rate >= LEAST_RATE
            else None
        )

    kept, rejected = setting.draw(seeds, "mirrored", keep)
    inputs, labels, w_hat = (
        torch.stack(rows).to(setting.device)
        for rows in (
            [torch.cat([p.X, -p.X]) for p, _ in kept],
            [torch.cat([p.y, -p.y]) for p, _ in kept],
            [best.primal for _, best in kept],
        )
    )
    gamma = torch.tensor(
        [best.margin for _, best in kept], dtype=inputs.dtype, device=setting.device
    )
    net = TwoLayer(inputs, WIDTH, LeakyReLU(slope_below))
    return Mirrored(
        tuple(best for _, best in kept),
        labels,
        w_hat,
        gamma,
        net,
        slope_below,
        rejected,
    )


@dataclass(frozen=True)
class Alignment:
    """Networks at one time: sines (B, m) to w_hat times the sign of the output weight, 0 for neurons left out.

    light: (B,), how many neurons are left out, those below `LIGHT` times the largest |a_j| |w_j|.
    margin_ratio: (B,), min_i m_i / |theta|^2 over (1 + slope) gamma / 4.      balance: (B,), mass of the positive
    neurons over that of the negative ones.      bend: (B,), root of the share of f^2 that no linear function explains.
    """

    sines: Tensor
    light: Tensor
    margin_ratio: Tensor
    balance: Tensor
    bend: Tensor


def alignment(sample: Mirrored, theta: Tensor, fresh: Tensor) -> Alignment:
    """`Alignment` of the networks `theta` (B, P), with the bend measured at `fresh` (k, d)."""
    a, w = sample.net.layers(theta)
    mass = masses(a, w)
    heavy = ~(mass < LIGHT * mass.amax(-1, keepdim=True))
    sines = torch.where(
        heavy, sin_angle(w * a.sign()[..., None], sample.w_hat[:, None]), 0.0
    )
    best = (1 + sample.slope_below) / 4 * sample.gamma
    ratio = sample.margins.outputs(theta).amin(-1) / theta.square().sum(-1) / best
    balance = (mass * (a > 0)).sum(-1) / (mass * (a < 0)).sum(-1)
    outputs = TwoLayer(fresh, WIDTH, sample.net.activation).outputs(theta)
    return Alignment(
        sines,
        (~heavy).sum(-1),
        ratio,
        balance,
        (1 - _linear_shares(fresh, outputs)).clamp_min(0).sqrt(),
    )


def _linear_shares(inputs: Tensor, outputs: Tensor) -> Tensor:
    """`linear_share` of networks with `outputs` (B, k), NaN for those that are not finite, (B,)."""
    known = outputs.isfinite().all(-1)
    shares = outputs.new_full(known.shape, torch.nan)
    if bool(known.any()):
        shares[known] = linear_share(inputs, outputs[known])
    return shares


@claim(
    kind="theorem",
    source="Lyu, Li, Wang and Arora 2021, on symmetric linearly separable data (recalled)",
    statement=r"On linearly separable data closed under $(x, y) \to (-x, -y)$, "
    "gradient flow from a small random start brings a two-layer leaky ReLU network "
    "with output weights of both signs to the largest normalized margin: every neuron "
    "is parallel to the linear max-margin direction, and the network is a linear "
    "function.",
    quick={"seeds": 8, "slopes": (0.3,)},
    book={"seeds": 8, "slopes": (0.3, 0.1)},
    full={"seeds": 100, "slopes": (0.3, 0.1, 0.6)},
)
def leaky_symmetric_max_margin(
    setting: Setting, *, seeds: int, slopes: tuple[float, ...]
) -> Evidence:
    """Neurons, normalized margin and linearity at log L = -1e10, with and without the mirror images."""
    fresh = _normal(setting, 500, 5)
    samples = [draw_mirrored(setting, seeds, slope) for slope in slopes]
    start = SMALL * random_start(
        setting, seeds, samples[0].net.dimension, "mirrored start"
    )
    stops = [-1e2, -1e4, -1e6, -1e8, -1e10]
    runs = [
        flow(sample.margins, Exponential(), start, log_loss=stops) for sample in samples
    ]
    found = [
        [alignment(sample, theta, fresh) for theta in run.theta]
        for sample, run in zip(samples, runs, strict=True)
    ]
    last = [row[-1] for row in found]
    ends = Alignment(
        *(torch.cat([getattr(row, name) for row in last]) for name in vars(last[0]))
    )
    sines = torch.stack(
        [torch.cat([row[k].sines.amax(-1) for row in found]) for k in range(len(stops))]
    )
    other = stretched(samples[0], STRETCH)
    bent = flow(other.margins, Exponential(), start, log_loss=stops[0]).theta[0]
    uneven = alignment(other, bent, fresh)
    early = torch.cat([row[0].bend for row in found])
    checks = _symmetric_checks(
        [best for sample in samples for best in sample.solutions],
        torch.stack([at_stop.margin_ratio for row in found for at_stop in row]),
        early,
        ends,
    )
    control = _uneven_control(uneven.bend)
    data = {
        "stops": torch.tensor(stops),
        "sines": sines.cpu(),
        "neurons": ends.sines.cpu(),
        "uneven": uneven.sines.cpu(),
        "bends": uneven.bend.cpu(),
    }
    notes = {
        "rejected (support vectors do not span, or rate below 0.005)": samples[
            0
        ].rejected,
        "networks": len(ends.light),
        "neurons": WIDTH * len(ends.light),
        "neurons left out (below 0.001 of the largest mass)": int(ends.light.sum()),
    }
    return Evidence(checks, control, data, notes)


def stretched(sample: Mirrored, factor: float) -> Mirrored:
    """The same networks on samples whose mirror images are (-factor x, -y): separable by the same directions with the
    same margins, and closed under the reflection for `factor` 1 only.
    """
    inputs = sample.net.inputs.clone()
    inputs[:, inputs.shape[1] // 2 :] *= factor
    return replace(sample, net=TwoLayer(inputs, WIDTH, sample.net.activation))


def _uneven_control(bends: Tensor) -> Control:
    """Of nonlinearities (B,) at log L = -1e2."""
    return Control(
        "mirror images twice as long, (-2 x, -y) for (x, y)",
        Check.share(
            "relative nonlinearity of f on fresh points at log L = -1e2 at most 0.01",
            bends,
            at_most=0.01,
            most=0.25,
            tag="observed",
            math=r"relative nonlinearity of $f$ on fresh points at $\log L = -10^2$ at most 0.01",
            reason="the bar that the claim meets at this loss",
        ),
        math="mirror images twice as long, $(-2 x, -y)$ for $(x, y)$",
    )


def _precisions(solutions: Sequence[MaxMargin | AgreementLimit]) -> list[float]:
    """Relative gaps and violations of programs."""
    return [size for best in solutions for size in (best.gap, best.violation)]


def _symmetric_checks(
    solutions: Sequence[MaxMargin], ratios: Tensor, early: Tensor, ends: Alignment
) -> tuple[Check, ...]:
    """Of the programs, of all margins over their bound, of nonlinearities (B,) at log L = -1e2, and of the networks at
    log L = -1e10.
    """
    return (
        Check.each(
            "max-margin program: relative gap or violation",
            _precisions(solutions),
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
            reason="proved on the page for every network; the gap of the program that gives $\\gamma$",
        ),
        Check.largest(
            "normalized margin over (1 + slope) gamma / 4",
            ends.margin_ratio,
            equals=1,
            atol=2e-9,
            growth=0.25,
            tag="derived",
            math=r"normalized margin over $(1 + s) \gamma / 4$",
            reason=r"a constant of the data over $\log\frac1L = 10^{10}$; below 6e-11 on 22 networks",
        ),
        Check.each(
            "sin of the angle of a neuron to +-w_hat, largest of a network",
            ends.sines.amax(-1),
            at_most=1e-5,
            tag="derived",
            math=r"$\sin\angle$ of a neuron to $\pm\hat w$, largest of a network",
            reason=r"of the order of $(\log\frac1L)^{-1/2} = 10^{-5}$, with the small start as a factor",
        ),
        Check.each(
            "mass of positive over mass of negative neurons",
            ends.balance,
            equals=1,
            atol=1e-9,
            tag="derived",
            reason=r"margins of mirror images that differ by a constant, over $10^{10}$",
            precision=True,
        ),
        Check.share(
            "relative nonlinearity of f on fresh points at log L = -1e2 at most 0.01",
            early,
            at_most=0.01,
            least=0.9,
            tag="observed",
            math=r"relative nonlinearity of $f$ on fresh points at $\log L = -10^2$ at most 0.01",
            reason="the bar of the control, at the first stop",
        ),
        Check.each(
            "relative nonlinearity of f on fresh points",
            ends.bend,
            at_most=1e-6,
            tag="derived",
            math="relative nonlinearity of $f$ on fresh points",
            reason="the root of a rounding error of one minus $R^2$",
            precision=True,
        ),
    )


@claim(
    kind="theorem",
    source="Sarussi, Brutzkus and Globerson 2021, on neural agreement (recalled; proved on the page)",
    statement=r"A two-layer leaky ReLU network with fixed output weights $\pm v$ whose "
    "neurons of equal sign are active on the same points of a linearly separable "
    "sample has a linear decision boundary in the limit, that of a modified support "
    "vector machine.",
    quick={"seeds": 8},
    book={"seeds": 12},
    full={"seeds": 200},
)
def leaky_linear_teacher(setting: Setting, *, seeds: int) -> Evidence:
    """Pairs of neuron directions against a quadratic program, and the network on fresh points."""
    teachers, rejected = draw_teachers(setting, seeds)
    start = random_start(setting, seeds, teachers.net.dimension, "linear teacher start")
    states = flow(
        teachers.margins,
        Exponential(),
        SMALL * start,
        log_loss=[-1.0, -20.0, -1e3, -1e5, -1e8],
    ).theta
    agree = _agreement(teachers, states[1:])
    predicted = torch.stack(
        [torch.cat([limit.plus, limit.minus]) for limit in teachers.limits]
    ).to(start)
    sines = sin_angle(teachers.pair(states[-1]), predicted)
    large = flow(
        teachers.margins, Exponential(), LARGE * start, log_loss=-20.0, tolerance=1e-3
    ).theta[0]
    fresh = _normal(setting, 1000, teachers.net.inputs.shape[-1])
    small_f, small_b, early_f, early_b, large_f, large_b = (
        teachers.on(sign * fresh).outputs(theta)
        for theta in (states[-1], states[1], large)
        for sign in (1, -1)
    )
    shares = _linear_shares(fresh, small_f)
    programs = linear_share(
        fresh, torch.stack([limit.outputs(fresh, SLOPE) for limit in teachers.limits])
    )
    checks = (
        Check.each(
            "program: relative gap or violation",
            _precisions(teachers.limits),
            at_most=1e-8,
            tag="derived",
            reason="duality; tolerance of the solver",
            precision=True,
        ),
        *_teacher_checks(
            agree,
            _drifts(teachers, states[1:3]),
            sines,
            _one_sided(early_f, early_b),
            _one_sided(small_f, small_b),
            (shares - programs).abs(),
        ),
    )
    control = _large_start_control(_one_sided(large_f, large_b))
    data = {
        "teachers": teachers,
        "agree": agree.cpu(),
        "sines": sines.cpu(),
        "shares": shares.cpu(),
        "large_shares": _linear_shares(fresh, large_f).cpu(),
        "states": states.cpu(),
        "large": large.cpu(),
    }
    notes = {
        "data sets": seeds,
        "rejected (the program's own neurons break the agreement)": rejected,
    }
    return Evidence(checks, control, data, notes)


def _drifts(teachers: Teachers, states: Tensor) -> Tensor:
    """Change between two states (2, B, P) of the differences of neurons of equal sign, over their size, (B,)."""
    positive = teachers.net.output_weights > 0
    spread = []
    for sign in (positive, ~positive):
        w = torch.stack([teachers.net.neurons(theta)[:, sign] for theta in states])
        spread.append(w - w.mean(2, keepdim=True))
    first, last = torch.cat(spread, 2).flatten(2)
    size = torch.linalg.vector_norm(first, dim=-1)
    return torch.linalg.vector_norm(last - first, dim=-1) / size


def _teacher_checks(
    agree: Tensor,
    drifts: Tensor,
    sines: Tensor,
    early: Tensor,
    one_sided: Tensor,
    differences: Tensor,
) -> tuple[Check, ...]:
    """Of B networks: agreement, 0 or 1 or NaN, and what the theorem says of those in agreement."""
    those = ~(agree == 0)
    return (
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
            "differences of neurons of equal sign, log L = -20 to -1e3: change over size",
            drifts[those],
            at_most=1e-8,
            tag="proved",
            math=r"differences of neurons of equal sign, $\log L = -20$ to $-10^3$: change over size",
            reason="conserved in agreement, as proved on the page; rounding of weights that grow to "
            "$10^3$ times the differences' inverse",
            precision=True,
        ),
        Check.largest(
            "sin of the angle of (w_+, w_-) to the program's at log L = -1e8",
            sines[those],
            at_most=1e-6,
            growth=0.25,
            tag="derived",
            math=r"$\sin\angle$ of $(w_+, w_-)$ to the program's at $\log L = -10^8$",
            reason=r"$C/\log\frac1L$ with a constant of the data",
        ),
        Check.share(
            "f(x), f(-x) on one side for at most 1 % of fresh x at log L = -20",
            early,
            at_most=0.01,
            least=0.9,
            tag="observed",
            math=r"$f(x)$, $f(-x)$ on one side for at most 1 % of fresh $x$ at $\log L = -20$",
            reason="the bar and the loss of the control",
        ),
        Check.each(
            "share of fresh x with f(x), f(-x) on one side",
            one_sided[those],
            at_most=0,
            tag="derived",
            math="share of fresh $x$ with $f(x)$, $f(-x)$ on one side",
            reason="the boundary is a hyperplane; a thousand points do not fall into an angle of 1e-6",
        ),
        Check.largest(
            "linear share R^2 of f minus that of the program",
            differences[those],
            at_most=1e-6,
            growth=0.25,
            tag="derived",
            math="linear share $R^2$ of $f$ minus that of the program",
            reason="a smooth function of the two directions, so of the order of their angle",
            precision=True,
        ),
    )


def _large_start_control(one_sided: Tensor) -> Control:
    """Of shares (B,) of fresh x with f(x), f(-x) on one side."""
    return Control(
        "start 10 instead of 0.001, at log L = -20",
        Check.share(
            "f(x), f(-x) on one side for at most 1 % of fresh x",
            one_sided,
            at_most=0.01,
            most=0.25,
            tag="observed",
            math="$f(x)$, $f(-x)$ on one side for at most 1 % of fresh $x$",
            reason="what the claim meets from the small start at this loss",
        ),
        math=r"start 10 instead of 0.001, at $\log L = -20$",
    )


def _one_sided(outputs: Tensor, mirrored: Tensor) -> Tensor:
    """`oddness_defect`, NaN for networks that are NaN, (B,)."""
    broken = (outputs + mirrored).isnan().any(-1)
    return torch.where(broken, torch.nan, oddness_defect(outputs, mirrored))


def _agreement(teachers: Teachers, states: Tensor) -> Tensor:
    """(B,): whether at all `states` (K, B, P) positive neurons are active where y = 1 only, the others where y = -1.

    1 or 0, and NaN for networks that did not come to all states.
    """
    positive = teachers.net.output_weights > 0
    right = (teachers.labels[..., None] > 0) == positive
    active = torch.stack([teachers.net.preactivations(theta) > 0 for theta in states])
    agree = (active == right).flatten(2).all(-1).all(0).to(states)
    return torch.where(states.isnan().any(-1).any(0), torch.nan, agree)


def _normal(setting: Setting, count: int, d: int) -> Tensor:
    generator = torch.Generator().manual_seed(setting.seeds(1, "fresh points")[0])
    return torch.randn(count, d, generator=generator, dtype=torch.float64).to(
        setting.device
    )
