"""Homogeneous networks: KKT points, the smoothed margin, rates, alignment, and what is open without homogeneity."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.dynamics.descent import constant, descend
from ibcore.dynamics.directions import Steepest
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.sphere_flow import SphereRun, sphere_flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.losses import Exponential
from ibcore.measures.kkt import KKT, ClarkeKKT, clarke_kkt, kkt
from ibcore.models import Linear
from ibcore.models.homogeneous import Activation, LeakyReLU, SquaredReLU, TwoLayer
from ibcore.models.margins import Margins
from ibcore.models.sums import Sum
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.random_labels import random_labels

START = 0.5
RESIDUAL, COMPLEMENTARITY, CLARKE = 5e-3, 1e-4, 2e-2
SHARE, LEAST_FITTED, MOST_STEPS = 0.75, 0.5, 400
COARSE, FINE = 8e-3, 2e-3
LOG_TIMES = tuple(10.0**p for p in range(3, 10))


@dataclass(frozen=True)
class Shape:
    """n examples in d dimensions for a network of m neurons."""

    examples: int
    features: int
    width: int


LARGE, SMALL = Shape(10, 20, 30), Shape(6, 10, 20)


@dataclass(frozen=True)
class Networks:
    """B networks of one architecture, each on its own data, with random starts theta (B, P)."""

    net: TwoLayer
    margins: Margins
    theta: Tensor
    rejected: int

    def limit(self, *, steps: int, finest: float) -> SphereRun:
        """The direction after a long run of `sphere_flow`."""
        return sphere_flow(
            self.margins,
            self.theta,
            degree=self.net.degree,
            steps=steps,
            finest=finest,
            window=steps // 10,
        )

    def flow(self, **options: Any) -> tuple[Trajectory, Tensor]:
        """Gradient flow on the exponential loss, and which networks came to the last stop, (B,).

        Those that do not within `MOST_STEPS` steps are stuck where the loss is above 1/n; the theorems are silent on
        them.
        """
        run = flow(
            self.margins, Exponential(), self.theta, max_steps=MOST_STEPS, **options
        )
        return run, torch.isfinite(run.log_loss[-1])

    def gradients(self, theta: Tensor) -> Tensor:
        """Directions (B, P) of -grad L for the exponential loss, not normalized."""
        weights = torch.softmax(-self.margins.outputs(theta), -1)
        return (weights[:, None, :] @ self.margins.jacobian(theta))[:, 0]


def draw_networks(
    setting: Setting, draws: int, purpose: str, activation: Activation, shape: Shape
) -> Networks:
    """Random labels and random starts in which a neuron of the label's sign is active on every example."""

    def keep(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor] | None:
        X, y = random_labels(shape.examples, shape.features, generator)
        net = TwoLayer(X, shape.width, activation)
        theta = START * torch.randn(
            1, net.dimension, generator=generator, dtype=X.dtype
        )
        a, _ = net.layers(theta)
        active = (net.preactivations(theta)[0] > 0) & (y[:, None] * a > 0)
        return (X, y, theta[0]) if bool(active.any(1).all()) else None

    kept, rejected = setting.draw(draws, purpose, keep)
    X, y, theta = (
        torch.stack(rows).to(setting.device) for rows in zip(*kept, strict=True)
    )
    net = TwoLayer(X, shape.width, activation)
    return Networks(net, Margins(net, y), theta, rejected)


@claim(
    kind="theorem",
    source="Lyu and Li 2020 (limit points of the direction); Ji and Telgarsky 2020 (the direction converges)",
    statement="Gradient flow on a homogeneous network whose exponential loss has come "
    "below $1/n$ goes to infinity in a direction that is a KKT point of "
    r"$\min \|\theta\|^2 / 2$ subject to margins of at least 1; for ReLU networks with "
    "the subdifferential of Clarke, and there on kinks of the activation.",
    quick={"draws": 4, "steps": 1500},
    book={"draws": 16, "steps": 2000},
    full={"draws": 100, "steps": 20_000},
)
def homogeneous_kkt(setting: Setting, *, draws: int, steps: int) -> Evidence:
    """Residual and complementarity of the limit for squared ReLU and for ReLU, with a second oracle for each."""
    smooth = draw_networks(setting, draws, "kkt", SquaredReLU(), LARGE)
    kinked = draw_networks(setting, draws, "kkt", LeakyReLU(), LARGE)
    smooth_run, kinked_run = (
        smooth.limit(steps=steps, finest=3e-5),
        kinked.limit(steps=steps, finest=1e-5),
    )
    first = [_smooth_kkt(smooth, smooth_run.direction, b) for b in range(draws)]
    second = [_clarke_kkt(kinked, kinked_run.direction, b) for b in range(draws)]
    residuals, naive, clarke = (
        [p.residual if p else math.nan for p in points]
        for points in (first, [p.naive if p else None for p in second], second)
    )
    kinks = [len(p.kinks) for p in second if p]
    tangent = [_tangent_gap(smooth, smooth_run.direction, b) for b in range(draws)]
    averaged = kinked_run.misalignment.cpu()
    signed = _sign_descent(smooth)
    outcome = [
        kkt(
            t,
            smooth.margins.outputs(signed)[b],
            smooth.margins.jacobian(signed)[b],
            active=1e9,
        ).residual
        for b, t in enumerate(signed)
        if bool((smooth.margins.outputs(signed)[b] > 0).all())
    ]
    checks = (
        fraction(
            "squared ReLU: share of networks with residual <= 5e-3",
            _count(residuals, RESIDUAL),
            draws,
            at_least=SHARE,
        ),
        Check.at_most(
            "squared ReLU: complementarity, largest", _worst(first), COMPLEMENTARITY
        ),
        fraction(
            "squared ReLU: share within 1e-3 of the largest margin of the tangent kernel",
            _count(tangent, 1e-3),
            draws,
            at_least=SHARE,
        ),
        fraction(
            "ReLU: share of networks with Clarke residual <= 2e-2",
            _count(clarke, CLARKE),
            draws,
            at_least=SHARE,
        ),
        Check.at_most(
            "ReLU: complementarity, largest", _worst(second), COMPLEMENTARITY
        ),
        Check.at_least(
            "ReLU: residual with ReLU'(0) = 0, median", float(np.median(naive)), 0.1
        ),
        Check.at_least(
            "ReLU: pairs of an example and a neuron on its kink, median",
            float(np.median(kinks)),
            1,
        ),
        Check.at_most(
            "ReLU: gap of the certificate, largest",
            max(p.gap for p in second if p),
            CLARKE / 200,
        ),
        fraction(
            "ReLU: share with averaged gradients within sin 3e-2",
            _count(averaged.tolist(), 0.03),
            draws,
            at_least=SHARE,
        ),
    )
    control = Control(
        "sign descent: least residual, all constraints allowed",
        Check.at_least("least residual", min(outcome, default=math.nan), 0.2),
    )
    data = {
        "residuals": residuals,
        "naive": naive,
        "clarke": clarke,
        "kinks": kinks,
        "tangent": tangent,
        "averaged": averaged,
        "sign": outcome,
        "sizes": smooth_run.step_sizes.cpu(),
    }
    notes = {
        "networks of each kind": draws,
        "rejected (an example without an active neuron)": smooth.rejected
        + kinked.rejected,
        "kinks per network, median": float(np.median(kinks)),
    }
    return Evidence(checks, control, data, notes)


def _smooth_kkt(networks: Networks, directions: Tensor, b: int) -> KKT | None:
    """The measure for one network, None where an example is still misclassified."""
    values = networks.margins.outputs(directions)[b]
    if not bool((values > 0).all()):
        return None
    return kkt(directions[b], values, networks.margins.jacobian(directions)[b])


def _clarke_kkt(networks: Networks, directions: Tensor, b: int) -> ClarkeKKT | None:
    if not bool((networks.margins.outputs(directions)[b] > 0).all()):
        return None
    a, w = networks.net.layers(directions[b])
    return clarke_kkt(a, w, networks.net.inputs[b], networks.margins.labels[b])


def _tangent_gap(networks: Networks, directions: Tensor, b: int) -> float:
    """1 minus the least margin of the direction on its own gradients over the largest that any direction has.

    By Euler's identity the direction's margins there are k times those of the network.
    """
    values = networks.margins.outputs(directions)[b]
    if not bool((values > 0).all()):
        return math.nan
    best = max_margin(
        networks.margins.jacobian(directions)[b].cpu(),
        torch.ones(len(values), dtype=values.dtype),
    )
    return 1 - networks.net.degree * float(values.min()) / best.margin


def _sign_descent(networks: Networks) -> Tensor:
    """Steps of 0.02 in every coordinate along the sign of the gradient, (B, P): steepest descent in another norm."""
    method = Steepest(math.inf, normalized=True)
    return descend(
        networks.margins,
        Exponential(),
        networks.theta,
        constant(0.02),
        stops=[1000],
        direction=method,
    ).theta[-1]


def _count(values: list[float], bound: float) -> int:
    """How many are at most `bound`; NaN never is."""
    return sum(value <= bound for value in values)


def _worst(points: list[KKT | None] | list[ClarkeKKT | None]) -> float:
    return max((p.complementarity for p in points if p), default=math.nan)


@claim(
    kind="theorem",
    source="Lyu and Li 2020, the theorem on the smoothed normalized margin",
    statement="For the exponential loss with sum below 1, the smoothed margin "
    r"$-\log(\text{sum of losses}) / \|\theta\|^k$ of a $k$-homogeneous network never "
    "falls along gradient flow.",
    quick={"draws": 2, "records": 30},
    book={"draws": 8, "records": 60},
    full={"draws": 50, "records": 200},
)
def normalized_margin_monotone(
    setting: Setting, *, draws: int, records: int
) -> Evidence:
    """Largest fall between records, on an integrator that never looks at this quantity."""
    smooth = draw_networks(setting, draws, "monotone", SquaredReLU(), SMALL)
    stops = -torch.logspace(
        math.log10(math.log(SMALL.examples) + 0.1), 6, records, dtype=torch.float64
    )
    run, fitted = smooth.flow(log_loss=stops)
    norms = torch.linalg.vector_norm(run.theta, dim=-1)[:, fitted]
    excess, degree = (
        -(run.log_loss[:, fitted] + math.log(SMALL.examples)),
        smooth.net.degree,
    )
    smoothed, wrong = excess / norms**degree, excess / norms ** (degree + 1)
    kinked = draw_networks(setting, draws, "monotone", LeakyReLU(), SMALL)
    walks = [_walk(kinked, length) for length in (COARSE, FINE)]
    falls = [max(_fall(walk.smoothed[:, walk.smoothed[-1] > 0]), 0.0) for walk in walks]
    checks = (
        _fitted("squared ReLU", fitted),
        Check.at_most(
            "squared ReLU, k = 3: largest fall between records, relative",
            _fall(smoothed),
            1e-8,
        ),
        _fitted("ReLU", walks[1].smoothed[-1] > 0),
        Check.at_most(
            "ReLU, k = 2: largest fall in a step, relative length 0.002", falls[1], FINE
        ),
        Check.at_most(
            "ReLU: that over the largest fall with steps four times as long",
            falls[1] / (falls[0] or 1.0),
            0.5,
        ),
    )
    lost = 1 - wrong[-1] / wrong.amax(0)
    control = Control(
        "the same with degree 4: loss from its maximum, least",
        Check.at_least("least loss", float(lost.min()), 0.5),
    )
    data = {
        "log_loss": run.log_loss[:, fitted].cpu(),
        "smoothed": smoothed.cpu(),
        "wrong": wrong.cpu(),
        "relu": walks[1].smoothed.cpu(),
        "log_norm": walks[1].log_norm.cpu(),
        "falls": falls,
    }
    return Evidence(checks, control, data, {"networks of each kind": draws})


def _walk(networks: Networks, length: float) -> SphereRun:
    """Steps of one relative `length`, each recorded, until |theta| has grown about twelvefold."""
    steps = round(2.5 / length)
    return sphere_flow(
        networks.margins,
        networks.theta,
        degree=networks.net.degree,
        steps=steps,
        coarsest=length,
        finest=length,
        window=10,
        records=steps,
    )


def _fall(smoothed: Tensor) -> float:
    """Largest fall from one record (K, B) to the next once the loss is below 1/n, relative to the last value."""
    falls = (smoothed[:-1] - smoothed[1:]) / smoothed[-1]
    return float(torch.where(smoothed[:-1] > 0, falls, -torch.inf).max())


def _fitted(name: str, fitted: Tensor) -> Check:
    return fraction(
        f"{name}: share of networks whose loss comes below 1/n",
        int(fitted.sum()),
        len(fitted),
        at_least=LEAST_FITTED,
    )


@claim(
    kind="theorem",
    source="Lyu and Li 2020, the theorem on rates (the order); the constant is derived on this page",
    statement="Along gradient flow of a $k$-homogeneous network the loss falls like "
    r"$1/(t (\log t)^{2 - 2/k})$ and, where the direction converges with normalized "
    r"margin $g$, $t L (\log t)^{2 - 2/k} k^2 g^{2/k}$ tends to 1.",
    quick={"draws": 2},
    book={"draws": 8},
    full={"draws": 50},
)
def homogeneous_rates(setting: Setting, *, draws: int) -> Evidence:
    """The product for k = 1, 2, 3 over six decades of log t."""
    products, wrongs, fitted = {}, [], []
    for degree, networks in _ladder(setting, draws):
        run, reached = networks.flow(log_time=list(LOG_TIMES))
        last = run.theta[-1]
        limit = (
            networks.margins.outputs(last).amin(-1)
            / torch.linalg.vector_norm(last, dim=-1) ** degree
        )
        log_product = (run.log_time + run.log_loss) + (2 - 2 / degree) * torch.log(
            run.log_time
        )
        products[degree] = (torch.exp(log_product) * degree**2 * limit ** (2 / degree))[
            :, reached
        ].cpu()
        other = torch.exp(
            log_product + (2 / degree - 2 / (degree + 1)) * torch.log(run.log_time)
        )[:, reached].cpu()
        wrongs.append(_spread(other))
        fitted.append(reached)
    checks = (
        tuple(
            Check.at_most(
                f"k = {k}: largest over least product, log t from 1e3 to 1e9",
                float(_spread(values).max()),
                1.5,
            )
            for k, values in products.items()
        )
        + tuple(
            Check.close(
                f"k = {k}: product at log t = 1e9, farthest from 1",
                1,
                _farthest(values[-1], 1.0),
                atol=0.05,
            )
            for k, values in products.items()
        )
        + (_fitted("all degrees", torch.cat(fitted)),)
    )
    control = Control(
        "the same with k + 1 in place of k: largest over least product, least over networks",
        Check.at_least("least ratio", float(torch.cat(wrongs).min()), 5),
    )
    return Evidence(
        checks,
        control,
        {"products": products, "log_times": torch.tensor(LOG_TIMES)},
        {"networks of each degree": draws},
    )


def _spread(values: Tensor) -> Tensor:
    """Largest over least along the first dimension."""
    return values.amax(0) / values.amin(0)


def _ladder(setting: Setting, draws: int) -> list[tuple[int, Networks]]:
    """Models of degree 1, 2, 3 on data of their own: linear, two linear layers, and squared ReLU."""
    one, two, three = (
        draw_networks(setting, draws, f"rates {k}", phi, SMALL)
        for k, phi in ((1, LeakyReLU(1.0)), (2, LeakyReLU(1.0)), (3, SquaredReLU()))
    )
    start = torch.zeros(
        draws, SMALL.features, dtype=one.theta.dtype, device=one.theta.device
    )
    linear = replace(
        one, margins=Margins(Linear(one.net.inputs), one.margins.labels), theta=start
    )
    return [(1, linear), (2, two), (3, three)]


def _farthest(values: Tensor, target: float) -> float:
    return float(values[(values - target).abs().argmax()])


@claim(
    kind="theorem",
    source="Ji and Telgarsky 2020, the theorem on alignment",
    statement="Along gradient flow of a homogeneous network the parameters and the negative gradient of the loss "
    "come to point in the same direction.",
    quick={"draws": 4, "steps": 1500},
    book={"draws": 8, "steps": 2000},
    full={"draws": 50, "steps": 20_000},
)
def gradient_alignment(setting: Setting, *, draws: int, steps: int) -> Evidence:
    """1 - cos of theta and -grad L down to log L = -1e10; for ReLU with the gradient averaged over kinks."""
    smooth = draw_networks(setting, draws, "alignment", SquaredReLU(), SMALL)
    run, fitted = smooth.flow(log_loss=[-1e2, -1e4, -1e6, -1e8, -1e10])
    gaps = torch.stack(
        [_misalignment(theta, smooth.gradients(theta)) for theta in run.theta]
    )[:, fitted]
    kinked = draw_networks(setting, draws, "alignment", LeakyReLU(), SMALL)
    ends = [
        _misalignment(limit.direction, limit.pull)
        for limit in (
            smooth.limit(steps=steps // 2, finest=3e-5),
            kinked.limit(steps=steps, finest=1e-5),
        )
    ]
    signed = _sign_descent(smooth)
    elsewhere = _misalignment(signed, smooth.gradients(signed))
    elsewhere = elsewhere[
        elsewhere.isfinite()
    ]  # it can end where no neuron is active on some example: no gradient
    checks = (
        _fitted("squared ReLU", fitted),
        fraction(
            "squared ReLU, followed on: share with 1 - cos <= 1e-3",
            int((ends[0] <= 1e-3).sum()),
            draws,
            at_least=SHARE,
        ),
        Check.at_most(
            "squared ReLU: 1 - cos at -1e10 over that at -1e2, largest",
            float((gaps[-1] / gaps[0]).max()),
            0.5,
        ),
        fraction(
            "ReLU, averaged gradient: share with 1 - cos <= 1e-3",
            int((ends[1] <= 1e-3).sum()),
            draws,
            at_least=SHARE,
        ),
    )
    control = Control(
        "sign descent: least 1 - cos",
        Check.at_least("least 1 - cos", min(elsewhere.tolist(), default=math.nan), 0.1),
    )
    data = {
        "gaps": gaps.cpu(),
        "log_loss": run.log_loss[:, fitted].cpu(),
        "ends": torch.stack(ends).cpu(),
        "sign": elsewhere.cpu(),
    }
    return Evidence(checks, control, data, {"networks of each kind": draws})


def _misalignment(theta: Tensor, pull: Tensor) -> Tensor:
    """1 - cos of the angle between theta and pull (B, P), without cancellation, (B,)."""
    units = [
        v / torch.linalg.vector_norm(v, dim=-1, keepdim=True) for v in (theta, pull)
    ]
    return (units[0] - units[1]).square().sum(-1) / 2


@claim(
    kind="open",
    source="Nacson et al. 2019 (lexicographic margins of sums of different degrees), Kunin et al. 2023; the law of the "
    "linear part is derived on this page",
    statement="In the sum of a linear model and a two-layer network of degree 2 or 3, "
    "the linear part's share of the output vanishes: its norm grows like half of "
    r"$\log\log(1/L)$ beside degree 2, and stops growing beside degree 3. No theorem "
    "says what happens to non-homogeneous networks in general.",
    quick={"draws": 2},
    book={"draws": 8},
    full={"draws": 50},
)
def nonhomogeneous_open(setting: Setting, *, draws: int) -> Evidence:
    """Shares of the output and norms of the linear part down to log L = -1e8."""
    second, third = (
        _with_linear(setting, draws, phi) for phi in (LeakyReLU(1.0), SquaredReLU())
    )
    same = _with_same_degree(setting, draws)
    growth = second.growth(3, 4)
    checks = (
        Check.at_most(
            "degrees 1 + 2: share of the linear part at log L = -1e6, largest",
            float(second.shares[3].max()),
            1e-3,
        ),
        Check.at_most(
            "degrees 1 + 3: share of the linear part at log L = -1e6, largest",
            float(third.shares[3].max()),
            1e-3,
        ),
        Check.close(
            "degrees 1 + 2: growth of |w| per unit of log min m, farthest from 1/2",
            0.5,
            _farthest(growth, 0.5),
            rtol=0.05,
        ),
        Check.at_most(
            "degrees 1 + 3: growth of |w| from log L = -1e4 to -1e8, relative, largest",
            float((third.norms[4] / third.norms[2] - 1).abs().max()),
            0.05,
        ),
    )
    kept = same.shares[4] / same.shares[1]
    control = Control(
        "two parts of degree 2: share of the first at log L = -1e8 over that at -1e2, least",
        Check.at_least("least ratio", float(kept.min()), 0.2),
    )
    data = {
        "log_loss": second.log_loss,
        "second": second.shares,
        "third": third.shares,
        "same": same.shares,
        "norms": (second.norms, third.norms),
    }
    return Evidence(checks, control, data, {"networks of each kind": draws})


SUM_LOSSES = (-1e1, -1e2, -1e4, -1e6, -1e8)


@dataclass(frozen=True)
class _SumRun:
    """Shares (K, B) of the first part in the mean |output|, norms (K, B) of its parameters, least margins (K, B)."""

    shares: Tensor
    norms: Tensor
    least: Tensor
    log_loss: Tensor

    def growth(self, i: int, j: int) -> Tensor:
        return (self.norms[j] - self.norms[i]) / torch.log(
            self.least[j] / self.least[i]
        )


def _run_sum(model: Sum, labels: Tensor, theta: Tensor) -> _SumRun:
    margins = Margins(model, labels)
    run = flow(margins, Exponential(), theta, log_loss=list(SUM_LOSSES), tolerance=1e-4)
    sizes = torch.stack(
        [model.contributions(state).abs().mean(-1) for state in run.theta]
    )
    norms = torch.linalg.vector_norm(run.theta[..., : model.dimensions[0]], dim=-1)
    least = torch.stack([margins.outputs(state).amin(-1) for state in run.theta])
    shares = sizes[:, 0] / sizes.sum(1)
    return _SumRun(*(values.cpu() for values in (shares, norms, least, run.log_loss)))


def _with_linear(setting: Setting, draws: int, activation: Activation) -> _SumRun:
    """A linear part that starts at zero, and a network; on the same points."""
    deep = draw_networks(setting, draws, "sum", activation, SMALL)
    model = Sum(
        (Linear(deep.net.inputs), deep.net), (SMALL.features, deep.net.dimension)
    )
    start = torch.zeros(
        draws, SMALL.features, dtype=deep.theta.dtype, device=deep.theta.device
    )
    return _run_sum(model, deep.margins.labels, torch.cat([start, deep.theta], 1))


def _with_same_degree(setting: Setting, draws: int) -> _SumRun:
    deep = draw_networks(setting, draws, "sum", LeakyReLU(1.0), SMALL)
    model = Sum((deep.net, deep.net), (deep.net.dimension,) * 2)
    return _run_sum(
        model, deep.margins.labels, torch.cat([deep.theta.flip(-1), deep.theta], 1)
    )
