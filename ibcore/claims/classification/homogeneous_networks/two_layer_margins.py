"""Margins of two-layer ReLU networks: a KKT point that is no optimum, and wide networks that reach the optimum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.log_time import flow
from ibcore.evidence import Check, Control, Evidence, attempt
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.measures.kkt import KKT, kkt
from ibcore.models import Linear
from ibcore.models.homogeneous import LeakyReLU, TwoLayer, joined
from ibcore.models.margins import Margins
from ibcore.oracles.margin_trap import (
    BEST,
    MULTIPLIERS,
    RISE,
    TRAP,
    escape,
    trapped,
)
from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.variation_norm import VariationMargin, gated_norm, variation_margin
from ibcore.problems.plane import four_clusters, neurons_that_see, shallow_pair
from ibcore.problems.separable import Classification

RELU = LeakyReLU(0.0)
STEP = 0.01  # size of the neuron that leaves the KKT point
OFF_KINKS = 0.02  # least |u.x| of an optimal direction u and a unit x
NARROW = (
    10  # a width at which part of the starts leave some point to no neuron of its sign
)
STOPS = (-1e2, -1e3, -1e4, -1e6, -1e8, -1e10)  # log L


def network(
    data: Classification, width: int, device: torch.device | str = "cpu"
) -> Margins:
    """Margins of a two-layer ReLU network on `data`."""
    return Margins(TwoLayer(data.X.to(device), width, RELU), data.y.to(device))


def normalized_margin(model: Margins, theta: Tensor) -> Tensor:
    """min_i m_i / (|theta|^2 / 2) of theta (..., P)."""
    margins = model.outputs(theta.flatten(0, -2)).amin(-1).view(theta.shape[:-1])
    return margins / (theta.square().sum(-1) / 2)


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
)
def kkt_not_optimal(
    setting: Setting, *, starts: int, at_random: int, size: float
) -> Evidence:
    """Limits of starts in the trap, of starts with one neuron a point, and of Gaussian starts."""
    generator = torch.Generator().manual_seed(setting.seeds(1, "trap")[0])
    trap = pair_starts("both", "none", starts, size, generator)
    free = pair_starts("right", "left", starts, size, generator)
    free[:, :2] = free[:, :2].abs()
    anywhere = size * torch.randn(
        at_random, 6, generator=generator, dtype=torch.float64
    )
    model = network(shallow_pair(), 2, setting.device)
    run = flow(
        model,
        Exponential(),
        torch.cat([trap, free, anywhere]).to(setting.device),
        log_loss=[-1e2, -1e4, -1e10],
        max_steps=200,
    )
    caught, escaped, others = (
        normalized_margin(model, run.theta).cpu().split([starts, starts, at_random], 1)
    )
    limits, depths = run.theta[-1, :starts], -run.log_loss[:, :starts].cpu()
    law = (TRAP / caught[1] - 1) * depths[1] * 8 / trap[:, [1, 4, 5]].square().sum(-1)
    points, broken = attempt(lambda theta: _at_limit(model, theta), limits)
    checks = (
        *_trap_checks(caught[-1], escaped[-1], law),
        *_limit_checks(points, _gains(model, limits)),
    )
    control = _free_control(escaped[-1])
    data = {
        "depths": depths,
        "caught": caught,
        "escaped": escaped,
        "ends": _ends(others),
    }
    notes = {"starts in the trap": starts, "starts with a neuron a point": starts}
    return Evidence(checks, control, data, notes, broken)


def _free_control(margins: Tensor) -> Control:
    """Of normalized margins (B,) at log L = -1e10."""
    return Control(
        "no dead neuron",
        Check.share(
            "normalized margin at log L = -1e10 below 0.3",
            margins,
            at_most=0.3,
            most=0.1,
            tag="derived",
            math=r"normalized margin at $\log L = -10^{10}$ below 0.3",
            reason=r"a fifth above $\frac14$; the limit here is the optimum, $0.515$",
        ),
    )


def _trap_checks(caught: Tensor, escaped: Tensor, law: Tensor) -> tuple[Check, ...]:
    """Of normalized margins (B,) at the end, in the trap and outside, and of the speed over its prediction."""
    return (
        Check.each(
            "normalized margin from the trap at log L = -1e10",
            caught,
            equals=TRAP,
            rtol=1e-6,
            tag="derived",
            math=r"normalized margin from the trap at $\log L = -10^{10}$",
            reason="the gap is of the order of the dead neuron's square over $8 \\cdot 10^{10}$",
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
            _optima(),
            equals=BEST,
            rtol=1e-8,
            tag="derived",
            reason="tolerance of the solvers",
            precision=True,
        ),
        Check.largest(
            "gap * 8 log(1/L) / |dead neuron|^2 at log L = -1e4",
            law,
            equals=1,
            atol=1e-3,
            growth=2 / 3,
            tag="derived",
            math=r"gap $\times\, 8 \log\frac1L \big/ \|\theta_2\|^2$ at $\log L = -10^4$",
            reason=r"what is left out is of the order of $1/(\|\theta_2\|^2 "
            r"\log\frac1L)$, and the square of a Gaussian in three dimensions is below "
            r"$\varepsilon$ with a chance of order $\varepsilon^{3/2}$",
        ),
    )


def _limit_checks(points: list[KKT], gains: Tensor) -> tuple[Check, ...]:
    """Of the KKT conditions at the limits in the trap, and of what a new neuron gains there (B,)."""
    multipliers = [torch.as_tensor(point.multipliers).view(-1) for point in points]
    return (
        Check.each(
            "KKT residual of the trapped limits",
            [point.residual for point in points],
            at_most=1e-5,
            tag="proved",
            reason=r"the dead neuron keeps its size while $\|\theta\|$ grows to $2.8 "
            r"\cdot 10^5$; larger than 1e-5 if it starts at more than 2.8, five "
            "standard deviations",
        ),
        Check.each(
            "their multipliers at margin 1",
            torch.cat(multipliers),
            equals=MULTIPLIERS[0],
            rtol=1e-8,
            tag="derived",
            reason=r"the direction is reached to $1/\log\frac1L = 10^{-10}$",
            precision=True,
        ),
        Check.each(
            "gain there per size^2 of a new neuron",
            gains,
            equals=RISE,
            rtol=1e-4,
            tag="derived",
            math=r"gain there per $\varepsilon^2$ of a new neuron of size $\varepsilon = 0.01$",
            reason=r"the next term of the expansion is $O(\varepsilon^2)$",
        ),
    )


def pair_starts(
    first: str, second: str, count: int, size: float, generator: torch.Generator
) -> Tensor:
    """Gaussian parameters (count, 6) of two neurons that see the stated points, the first with positive output."""
    (a, w), (b, v) = (
        neurons_that_see(sector, count, size, generator) for sector in (first, second)
    )
    return joined(torch.stack([a.abs(), b], -1), torch.stack([w, v], -2))


def _optima() -> Tensor:
    """The largest normalized margin by a program over directions, by its dual, and by the program over gates."""
    data = shallow_pair()
    best = variation_margin(data.X, data.y)
    return torch.tensor(
        [best.margin, 1 / float(best.dual.sum()), 1 / gated_norm(data.X, data.y)],
        dtype=torch.float64,
    )


def _at_margin_one(model: Margins, theta: Tensor) -> Tensor:
    """theta (..., P) scaled so that its smallest margin is 1."""
    return theta / model.outputs(theta.view(-1, theta.shape[-1])).amin(-1).sqrt().view(
        *theta.shape[:-1], 1
    )


def _at_limit(model: Margins, theta: Tensor) -> KKT:
    """The KKT conditions at theta (P,), scaled to margin 1."""
    point = _at_margin_one(model, theta)
    return kkt(point, model.outputs(point[None])[0], model.jacobian(point[None])[0])


def _gains(model: Margins, limits: Tensor) -> Tensor:
    """Rise of the normalized margin over STEP^2 when the dead neuron of `limits` (B, 6) takes the escape."""
    points = _at_margin_one(model, limits)
    moved = points + (escape(STEP) - trapped()).to(points)
    moved[:, [1, 4, 5]] = escape(STEP)[[1, 4, 5]].to(points)
    return (
        (normalized_margin(model, moved) - normalized_margin(model, points)) / STEP**2
    ).cpu()


def _ends(margins: Tensor) -> dict[str, float]:
    """Shares of starts that end at either margin or never fit a point, by normalized margins (K, B) at the stops.

    A stop that was not reached is NaN.
    """
    if margins.shape[1] == 0:
        return {}
    end = margins[-1]
    return {
        "1/4": float((end / TRAP - 1).abs().le(1e-3).double().mean()),
        "sqrt(17)/8": float((end / BEST - 1).abs().le(1e-3).double().mean()),
        "never": float(margins[0].isnan().double().mean()),
    }


@dataclass(frozen=True)
class Certified:
    """A problem in the plane with its largest normalized margin over networks of any width."""

    data: Classification
    best: VariationMargin


def clusters(setting: Setting, count: int) -> tuple[list[Certified], int]:
    """`count` draws of four clusters with optimal neurons off the kinks, and how many had one within `OFF_KINKS`."""

    def keep(generator: torch.Generator) -> Certified | None:
        data = four_clusters(2, generator)
        best = variation_margin(data.X, data.y)
        good = best.distance_to_kinks(data.X) >= OFF_KINKS
        return Certified(data, best) if good else None

    return setting.draw(count, "four clusters", keep)


def wide_start(
    width: int, count: int, generator: torch.Generator, *, padded: int | None = None
) -> Tensor:
    """Networks (count, P) of `width` neurons with |a_j| = |w_j| = width^-1/2, uniform directions and random signs.

    With `padded` neurons in all, the rest are zero; they have no gradient and stay zero.
    """
    total = padded or width
    a, w = (
        torch.zeros(count, total, dtype=torch.float64),
        torch.zeros(count, total, 2, dtype=torch.float64),
    )
    drawn = torch.randn(count, width, 3, generator=generator, dtype=torch.float64)
    a[:, :width] = drawn[..., 0].sign() * width**-0.5
    w[:, :width] = (
        drawn[..., 1:] / drawn[..., 1:].norm(dim=-1, keepdim=True) * width**-0.5
    )
    return joined(a, w)


@claim(
    kind="theorem",
    source="Chizat and Bach 2020 (abstract read, theorem recalled: infinite width, "
    "given that the flow converges); finite widths are observed; for the output layer "
    "alone Soudry et al. 2018",
    statement="Both layers of an infinitely wide two-layer network with differentiable "
    "features, started balanced and with neurons of both signs in every direction, and "
    "trained by gradient flow on an exponential tail, maximize the margin in variation "
    "norm, if the flow converges; with the output layer alone trained, the margin of a "
    "kernel. Finite ReLU networks in the plane do so from starts at which every point "
    "is seen by a neuron of its sign.",
    quick={"datasets": 8, "starts": 1, "widths": [30, 100], "narrow": 3},
    book={"datasets": 8, "starts": 1, "widths": [10, 30, 100, 1000], "narrow": 4},
    full={
        "datasets": 50,
        "starts": 10,
        "widths": [10, 30, 100, 300, 1000, 3000],
        "narrow": 16,
    },
)
def wide_2nn_f1_margin(
    setting: Setting, *, datasets: int, starts: int, widths: list[int], narrow: int
) -> Evidence:
    """Normalized margins of trained networks of many widths over the certified largest one."""
    problems, rejected = clusters(setting, datasets)
    generator = torch.Generator().manual_seed(setting.seeds(1, "wide starts")[0])
    groups = [
        _gaps_of_widths(problems, group, starts, generator, setting)
        for group in _groups(widths)
    ]
    seen, gaps = (
        torch.cat(parts, dim)
        for parts, dim in zip(zip(*groups, strict=True), (0, 1), strict=True)
    )
    kernels = [
        _output_layer_only(problem, max(widths), generator) for problem in problems
    ]
    narrow_seen, ends = _narrow(problems, narrow, generator, setting)
    bars = _bars(problems)
    ratios = _exponents(problems, gaps)
    checks = _wide_checks(
        [problem.best.gap for problem in problems],
        _Ends(
            gaps[-1][seen],
            bars.repeat_interleave(starts).expand(len(widths), -1)[seen],
            ratios[seen],
        ),
        [sine for sine, _ in kernels],
        _Ends(
            ends[-1, narrow_seen],
            bars.repeat_interleave(narrow)[narrow_seen],
            _exponents(problems, ends[:, None])[0, narrow_seen],
        ),
    )
    control = _kernel_control([share for _, share in kernels])
    notes: dict[str, float | int | str] = {
        "data sets": datasets,
        "rejected (optimal neuron within 0.02 of a kink)": rejected,
        "networks": seen.numel(),
        "of these, every point seen by a neuron of its sign": int(seen.sum()),
        f"further networks of width {NARROW}": len(narrow_seen),
        "of these further ones, every point seen": int(narrow_seen.sum()),
    }
    data = {
        "widths": widths,
        "stops": STOPS,
        "gaps": gaps,
        "seen": seen,
        "kernel shares": [share for _, share in kernels],
        "problems": problems,
        "exponents over predicted rates": ratios[seen],
        "narrow": _shares(narrow_seen, ends, bars.repeat_interleave(narrow)),
    }
    return Evidence(checks, control, data, notes, _unreached(gaps, seen, widths))


def _bars(problems: list[Certified]) -> Tensor:
    """What the rate leaves at log L = -1e10 of a gap of a tenth at log L = -1, and 1e-8 at least, one a problem."""
    rates = torch.tensor([p.best.rate(p.data.X, p.data.y) for p in problems])
    return torch.clamp(0.1 * 10 ** (-10 * rates.double()), min=1e-8)


@dataclass(frozen=True)
class _Ends:
    """Of networks that see all points at the start: gaps, their bars, exponents over their predictions, (N,) each."""

    gaps: Tensor
    bars: Tensor
    ratios: Tensor


def _kernel_control(shares: list[float]) -> Control:
    """Of margins over the largest in variation norm, one a problem."""
    return Control(
        "only output layer trained",
        Check.share(
            "gap to the variation-norm margin at most 1e-2",
            [1 - share for share in shares],
            at_most=1e-2,
            most=0.25,
            tag="observed",
            math="gap to the variation-norm margin at most $10^{-2}$",
            reason="thousands of times the bars of the claim",
        ),
    )


def _unreached(gaps: Tensor, seen: Tensor, widths: list[int]) -> tuple[str, ...]:
    """Which networks that see all points at the start did not come to the last stop; gaps (stops, widths, runs)."""
    return tuple(
        f"width {widths[column]}, run {run}: the flow did not reach log L = {STOPS[-1]:g}"
        for column, run in (gaps[-1].isnan() & seen).nonzero().tolist()
    )


def _wide_checks(
    oracle: list[float], wide: _Ends, sines: list[float], narrow: _Ends
) -> tuple[Check, ...]:
    """Of the oracle's gaps, one a problem, of the networks of all widths, of the output layer alone, one a problem, and
    of further narrow networks.
    """
    return (
        Check.each(
            "relative gap of the oracle: program against exact dual",
            oracle,
            at_most=1e-8,
            tag="derived",
            reason="weak duality; tolerance of the solver",
            precision=True,
        ),
        *_end_checks("all points seen at the start", wide),
        *_end_checks(f"further networks of width {NARROW}, all points seen", narrow),
        Check.share(
            "no network beats the oracle by more than 1e-8",
            wide.gaps,
            at_least=-1e-8,
            least=0.9,
            tag="derived",
            math="no network beats the oracle by more than $10^{-8}$",
            reason="weak duality; the oracle's own gap",
            precision=True,
        ),
        Check.each(
            "only output layer trained: sin of the angle to its own max margin",
            sines,
            at_most=1e-4,
            tag="proved",
            math=r"only output layer trained: $\sin\angle$ to its own max margin",
            reason=r"$C/\log\frac1L$ at $\log L = -10^6$, with a constant of the data",
        ),
    )


def _end_checks(name: str, ends: _Ends) -> tuple[Check, Check]:
    """Whether networks come to the largest margin at log L = -1e10, and as fast as predicted."""
    return (
        Check.share(
            f"{name}: gap to the variation-norm margin at log L = -1e10 within its bar",
            ends.gaps - ends.bars,
            at_most=0,
            least=0.9,
            tag="observed",
            math=f"{name}: gap to the variation-norm margin at $\\log L = -10^{{10}}$ within its bar",
            reason=r"the theorem is for infinite width. With the rate $\kappa$ that "
            r"the data predict, a gap of a tenth at $\log L = -1$ has become $10^{-1 - "
            r"10 \kappa}$; $10^{-8}$ is the oracle's own gap",
        ),
        Check.share(
            f"{name}: exponent over the predicted rate at least 0.95",
            ends.ratios,
            at_least=0.95,
            least=0.9,
            tag="derived",
            reason="the slowest mode of the linearization; a start may hold little of "
            "it, and a gap that reaches rounding ends low",
        ),
    )


def _groups(widths: list[int]) -> list[list[int]]:
    """Widths that are trained in one batch: narrow ones together, wide ones alone."""
    narrow = [width for width in widths if width <= 100]
    return [
        group
        for group in (narrow, *([width] for width in widths if width > 100))
        if group
    ]


def _gaps_of_widths(
    problems: list[Certified],
    widths: list[int],
    starts: int,
    generator: torch.Generator,
    setting: Setting,
) -> tuple[Tensor, Tensor]:
    """Which starts see every point (widths, runs), and 1 - normalized margin / the largest one, (stops, widths, runs).

    There are problems * starts runs.
    """
    most = max(widths)
    X, y, best = _repeated(problems, starts)
    begin = torch.cat(
        [wide_start(width, len(best), generator, padded=most) for width in widths]
    )
    X, y, best = (
        part.repeat(len(widths), *[1] * (part.ndim - 1)) for part in (X, y, best)
    )
    seen = covered(X, y, *TwoLayer(X, most, RELU).layers(begin))
    gaps = _gaps(X, y, best, begin, setting, list(STOPS))
    return seen.view(len(widths), -1), gaps.view(len(STOPS), len(widths), -1)


def _gaps(
    X: Tensor,
    y: Tensor,
    best: Tensor,
    begin: Tensor,
    setting: Setting,
    stops: list[float],
) -> Tensor:
    """1 - normalized margin over `best` (B,) of flows from `begin` (B, P), at losses of `stops` (K,), (K, B)."""
    width = begin.shape[-1] // 3
    model = network(Classification(X, y), width, setting.device)
    run = flow(
        model,
        Exponential(),
        begin.to(setting.device),
        log_loss=stops,
        tolerance=1e-2,
        max_steps=400,
    )
    margins = torch.stack(
        [normalized_margin(model, theta) for theta in run.theta]
    ).cpu()
    return 1 - margins / best


def _output_layer_only(
    problem: Certified, width: int, generator: torch.Generator
) -> tuple[float, float]:
    """sin of the angle to the max margin of the fixed features, and the share of the variation-norm margin."""
    a, w = TwoLayer(problem.data.X, width, RELU).layers(wide_start(width, 1, generator))
    features = RELU.value(problem.data.X @ w[0].T)
    rows = problem.data.y[:, None] * features
    end = flow(Linear(rows), Exponential(), a, log_loss=-1e6).theta[-1, 0]
    share = (
        (rows @ end).min() / (end.abs() * w[0].norm(dim=-1)).sum() / problem.best.margin
    )
    return float(sin_angle(end, max_margin(features, problem.data.y).primal)), float(
        share
    )


def _exponents(problems: list[Certified], gaps: Tensor) -> Tensor:
    """Slopes of log |gap| against log log(1/L) from log L = -1e6, the third stop from the end, to -1e10, over the
    oracle's rates, for gaps (stops, widths, problems * starts): (widths, problems * starts).
    """
    decades = math.log(STOPS[-1] / STOPS[-3])
    slopes = -torch.log(gaps[-1].abs() / gaps[-3].abs()) / decades
    rates = slopes.new_tensor(
        [problem.best.rate(problem.data.X, problem.data.y) for problem in problems]
    )
    return slopes / rates.repeat_interleave(gaps.shape[-1] // len(problems))


def covered(X: Tensor, y: Tensor, a: Tensor, w: Tensor) -> Tensor:
    """Whether every point of X (B, n, 2) with labels y (B, n) is seen by a neuron of the label's sign, (B,).

    a: (B, m).      w: (B, m, 2).
    """
    sees = (X @ w.mT > 0) & (y[..., None] * a[:, None, :] > 0)
    return sees.any(-1).all(-1)


def _narrow(
    problems: list[Certified], starts: int, generator: torch.Generator, setting: Setting
) -> tuple[Tensor, Tensor]:
    """Of networks of width `NARROW`, `starts` a problem: whether the start sees all points, (B,), and the gaps (4, B)
    at the first and the last three stops, NaN where the flow has not come there.
    """
    X, y, best = _repeated(problems, starts)
    begin = wide_start(NARROW, len(best), generator)
    seen = covered(X, y, *TwoLayer(X, NARROW, RELU).layers(begin))
    gaps = _gaps(X, y, best, begin, setting, [STOPS[0], *STOPS[-3:]])
    return seen, gaps


def _shares(seen: Tensor, ends: Tensor, bars: Tensor) -> dict[str, float]:
    """Shares of narrow networks: `seen` (B,), and by gaps (K, B) those within their `bars` (B,) and that never fit."""
    return {
        "seen": float(seen.double().mean()),
        "best": float((ends[-1] <= bars).double().mean()),
        "never": float(ends[0].isnan().double().mean()),
        "never though seen": float((ends[0].isnan() & seen).double().mean()),
    }


def _repeated(problems: list[Certified], starts: int) -> tuple[Tensor, Tensor, Tensor]:
    """Points (B, n, 2), labels (B, n) and largest margins (B,) of B = problems * starts runs."""
    best = torch.tensor([p.best.margin for p in problems], dtype=torch.float64)
    X, y = (
        torch.stack([p.data.X for p in problems]),
        torch.stack([p.data.y for p in problems]),
    )
    X, y, best = (part.repeat_interleave(starts, 0) for part in (X, y, best))
    return X, y, best
