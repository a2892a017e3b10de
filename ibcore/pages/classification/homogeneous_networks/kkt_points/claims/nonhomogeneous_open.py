"""Sums of parts of different degree: the share of the shallow part vanishes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.log_time import flow
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Exponential
from ibcore.models.activations import Activation, LeakyReLU, SquaredReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.models.sums import Sum
from ibcore.pages.classification.homogeneous_networks.kkt_points.bars import SHARE
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    SMALL,
    beside_linear,
    draw_networks,
)

SUM_LOSSES = (-1e1, -1e2, -1e4, -1e6, -1e8)
SMALL_SHARE = math.log(1e6) / 1e6


@dataclass(frozen=True)
class Sums:
    """B sums of two parts of one kind, on data of their own, with starts theta (B, P)."""

    model: Sum
    labels: Tensor
    theta: Tensor


@dataclass(frozen=True)
class Problems:
    """A linear part beside a network of degree 2, and of degree 3; two networks of
    degree 2.
    """

    second: Sums
    third: Sums
    same: Sums


@dataclass(frozen=True)
class Parts:
    """At the K losses `SUM_LOSSES`, (K, B) each, NaN where one was not reached.

    shares: of the first part in the mean |output|.      norms: of its parameters.
    least: the least margin.
    """

    shares: Tensor
    norms: Tensor
    least: Tensor

    def growth(self, i: int, j: int) -> Tensor:
        """Growth of the norm per unit of the logarithm of the least margin, from one
        loss to another, (B,).
        """
        gain = torch.log(self.least[j] / self.least[i])
        return (self.norms[j] - self.norms[i]) / gain


@dataclass(frozen=True)
class Shares:
    """What became of the first part in each kind of sum, with log L = `stops` (K,)."""

    stops: Tensor
    second: Parts
    third: Parts
    same: Parts
    broken: tuple[str, ...]


def draw_problems(setting: Setting, *, draws: int) -> Problems:
    """Six points in ten dimensions."""
    second, third = (
        with_linear(setting, draws, phi) for phi in (LeakyReLU(1.0), SquaredReLU())
    )
    return Problems(second, third, with_network(setting, draws, LeakyReLU(1.0)))


def with_linear(setting: Setting, draws: int, activation: Activation) -> Sums:
    """A linear part that starts at zero, and a network; on the same points."""
    deep = draw_networks(setting, draws, "sum", activation, SMALL)
    model, start = beside_linear(deep)
    return Sums(model, deep.margins.labels, torch.cat([start, deep.theta], 1))


def with_network(setting: Setting, draws: int, activation: Activation) -> Sums:
    """Two linear layers, of degree 2, and a network of as many parameters; on the same
    points.
    """
    deep = draw_networks(setting, draws, "sum", activation, SMALL)
    first = Network(deep.net.inputs, (SMALL.width,), "identity", biases=False)
    model = Sum((first, deep.net), (first.dimension, deep.net.dimension))
    other = deep.theta.flip(-1).roll(-2 * SMALL.width, -1)
    start = torch.cat([other, deep.theta], 1)
    return Sums(model, deep.margins.labels, start)


def measure_shares(problems: Problems, setting: Setting) -> Shares:  # noqa: ARG001
    """Gradient flow down to log L = -1e8."""
    second, second_lost = followed_sums("degrees 1 + 2", problems.second)
    third, third_lost = followed_sums("degrees 1 + 3", problems.third)
    same, same_lost = followed_sums("degrees 2 + 2", problems.same)
    stops = torch.tensor(SUM_LOSSES, dtype=torch.float64)
    return Shares(stops, second, third, same, second_lost + third_lost + same_lost)


def followed_sums(name: str, sums: Sums) -> tuple[Parts, tuple[str, ...]]:
    """The parts along the flow, and which sums did not come to the last loss, and why."""
    margins, model = Margins(sums.model, sums.labels), sums.model
    run = flow(
        margins, Exponential(), sums.theta, log_loss=list(SUM_LOSSES), tolerance=1e-4
    )
    sizes = torch.stack(
        [model.contributions(state).abs().mean(-1) for state in run.theta]
    )
    parts = Parts(
        sizes[:, 0] / sizes.sum(1),
        torch.linalg.vector_norm(run.theta[..., : model.dimensions[0]], dim=-1),
        torch.stack([margins.outputs(state).amin(-1) for state in run.theta]),
    )
    lost = (~run.log_loss[-1].isfinite()).nonzero()[:, 0].tolist()
    return parts, tuple(f"{name}, sum {b}: {run.status[b]}" for b in lost)


@claim(
    kind="open",
    source="Cai et al. 2025 (near-homogeneous networks), Nacson et al. 2019 (the "
    "constrained path of sums of different degrees) and Kunin et al. 2023 "
    "(quasi-homogeneous networks), abstracts read; the law of the linear part is "
    "derived on the page",
    statement="In the sum of a linear model and a two-layer network of degree 2 or 3, "
    "the linear part's share of the output vanishes: its norm grows like half of "
    r"$\log\log(1/L)$ beside degree 2, and stops growing beside degree 3. Where "
    "only terms of lower degree break homogeneity and the network is smooth, the "
    "direction is known to converge to a KKT point of the leading part (Cai et al. "
    "2025). What holds outside the near-homogeneous and quasi-homogeneous networks is "
    "open.",
    quick={"draws": 8},
    book={"draws": 8},
    full={"draws": 50},
    draw=draw_problems,
    measure=measure_shares,
)
def nonhomogeneous_open(measured: Shares) -> Evidence:
    """Shares of the output and norms of the linear part down to log L = -1e8."""
    checks = (
        _vanishes(2, measured.second),
        _vanishes(3, measured.third),
        *_norms(measured.second, measured.third),
    )
    control = Control(
        "two parts of degree 2",
        Check.share(
            "share of the first part at log L = -1e6 below 1 %",
            measured.same.shares[3],
            at_most=0.01,
            most=0.25,
            tag="observed",
            math=r"share of the first part at $\log L = -10^6$ below 1 %",
            reason="about seven hundred times the bar of a linear part",
        ),
    )
    notes = {"networks of each kind": measured.second.shares.shape[1]}
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _vanishes(degree: int, parts: Parts) -> Check:
    return Check.each(
        f"degrees 1 + {degree}: share of the linear part at log L = -1e6",
        parts.shares[3],
        at_most=SMALL_SHARE,
        tag="derived",
        math=rf"degrees $1 + {degree}$: share of the linear part at $\log L = -10^6$",
        reason=r"a norm of at most the order of $\log\log\frac1L$ beside margins of "
        r"$\log\frac1L$",
    )


def _norms(second: Parts, third: Parts) -> tuple[Check, ...]:
    return (
        Check.each(
            "degrees 1 + 2: growth of |w| per unit of log min m",
            second.growth(3, 4),
            equals=0.5,
            rtol=0.05,
            tag="derived",
            math=r"degrees $1 + 2$: growth of $\|u\|$ per unit of $\log \min_i m_i$",
            reason="the direction still turns, in parts of the order of "
            r"$1/\log\log\frac1L$",
        ),
        Check.share(
            "degrees 1 + 3: growth of |w| from log L = -1e4 to -1e8, relative, at most "
            "0.05",
            (third.norms[4] / third.norms[2] - 1).abs(),
            at_most=0.05,
            least=SHARE,
            tag="derived",
            math=r"degrees $1 + 3$: growth of $\|u\|$ from $\log L = -10^4$ to "
            "$-10^8$, relative, at most 0.05",
            reason="it stops; what is left to grow is of the order of "
            r"$(\log\frac1L)^{-1/3}$, 0.046 at $-10^4$",
        ),
    )
