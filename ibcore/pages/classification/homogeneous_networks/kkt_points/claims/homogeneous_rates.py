"""How fast the loss of a homogeneous network falls, with its constant."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Check, Control, Evidence
from ibcore.models import Linear
from ibcore.models.activations import LeakyReLU, SquaredReLU
from ibcore.models.margins import Margins
from ibcore.pages.classification.homogeneous_networks.kkt_points.bars import SHARE, fits
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    SMALL,
    Networks,
    TwoLayers,
    draw_networks,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.runs import (
    FASTER,
    faster_output,
    followed,
    stopped,
)

LOG_TIMES = tuple(10.0**p for p in range(3, 10))


@dataclass(frozen=True)
class Ladder:
    """Models of degree 1, 2, 3 on data of their own: linear, two linear layers, and
    squared ReLU.
    """

    linear: Networks
    layers: TwoLayers
    squared: TwoLayers

    @property
    def rungs(self) -> tuple[Networks, TwoLayers, TwoLayers]:
        return self.linear, self.layers, self.squared


@dataclass(frozen=True)
class Rates:
    """Products t L (log t)^(2 - 2/k) k^2 g^(2/k), by the degree k.

    products: (K, F) at log t = `log_times` (K,), of the F networks below 1/n.
    fitted: (B,), which these are.
    delays: t at the later stops over its bound from the first, (K - 1, F).
    faster: (F,), for k = 2 and 3, at the last stop where the output layer learns
    `FASTER`^2 times as fast.
    """

    log_times: Tensor
    products: dict[int, Tensor]
    delays: dict[int, Tensor]
    fitted: dict[int, Tensor]
    faster: dict[int, Tensor]
    broken: tuple[str, ...]


def draw_ladder(setting: Setting, *, draws: int) -> Ladder:
    """Six points in ten dimensions."""
    one, two, three = (
        draw_networks(setting, draws, f"rates {k}", phi, SMALL)
        for k, phi in ((1, LeakyReLU(1.0)), (2, LeakyReLU(1.0)), (3, SquaredReLU()))
    )
    inputs = one.net.inputs
    model = Margins(Linear(inputs), one.margins.labels)
    start = inputs.new_zeros(draws, inputs.shape[-1])
    return Ladder(Networks(model, 1, start, one.rejected), two, three)


def measure_rates(ladder: Ladder, setting: Setting) -> Rates:  # noqa: ARG001
    """Six decades of log t."""
    rungs = {networks.degree: networks for networks in ladder.rungs}
    paths = {k: followed(rungs[k], log_time=list(LOG_TIMES)) for k in rungs}
    broken = [stopped(f"k = {k}", *path) for k, path in paths.items()]
    return Rates(
        torch.tensor(LOG_TIMES, dtype=torch.float64),
        {k: products(rungs[k], run)[:, seen] for k, (run, seen) in paths.items()},
        {k: delays(rungs[k], run)[:, seen] for k, (run, seen) in paths.items()},
        {k: seen for k, (_, seen) in paths.items()},
        {
            layers.degree: faster_products(layers, FASTER)
            for layers in (ladder.layers, ladder.squared)
        },
        sum(broken, ()),
    )


def products(networks: Networks, run: Trajectory) -> Tensor:
    """t L (log t)^(2 - 2/k) k^2 g^(2/k) at the stops (K, B), g the normalized margin at
    the last.
    """
    k, limit = networks.degree, networks.normalized(run.theta[-1])
    log_product = (run.log_time + run.log_loss) + (2 - 2 / k) * torch.log(run.log_time)
    return torch.exp(log_product) * k**2 * limit ** (2 / k)


def delays(networks: Networks, run: Trajectory) -> Tensor:
    """t at the stops after the first, over the longest time that the margin at the
    first allows, (K - 1, B).
    """
    k = networks.degree
    power = 2 - 2 / k
    depth = -run.log_loss - networks.log_examples
    log_norm = torch.log(torch.linalg.vector_norm(run.theta[0], dim=-1))
    log_smoothed = torch.log(depth[0]) - k * log_norm
    return torch.exp(
        (run.log_time + run.log_loss + power * torch.log(depth))[1:]
        + 2 * math.log(k)
        + 2 / k * log_smoothed
        + torch.log1p(-power / depth[0])
    )


def faster_products(networks: TwoLayers, faster: float) -> Tensor:
    """The product at log t = 1e9 where the output layer learns `faster`^2 times as
    fast, of those below 1/n, (B,).
    """
    stops = [LOG_TIMES[0], LOG_TIMES[-1]]
    run, fitted = faster_output(networks, faster, log_time=stops)
    return products(networks, run)[-1, fitted]


@claim(
    kind="theorem",
    source="Lyu and Li 2020, Theorem 4.3 (recalled; the order); the constant is proved "
    "on the page from the alignment of Ji and Telgarsky 2020 (abstract read)",
    statement="Along gradient flow of a $k$-homogeneous network whose exponential "
    r"loss has come below $1/n$ the loss falls like $1/(t (\log t)^{2 - 2/k})$ and, if "
    r"the gradients are locally Lipschitz, $t L (\log t)^{2 - 2/k} k^2 g^{2/k}$ tends "
    "to 1, with $g$ the normalized margin of the limit.",
    quick={"draws": 8},
    book={"draws": 8},
    full={"draws": 50},
    draw=draw_ladder,
    measure=measure_rates,
)
def homogeneous_rates(measured: Rates) -> Evidence:
    """The product for k = 1, 2, 3 over six decades of log t."""
    checks = (
        _in_time(torch.cat([rows.flatten() for rows in measured.delays.values()])),
        *_exact(
            measured.products[1],
            1,
            1e-4,
            "the remainder of the direction is gone; below 3e-6 on 48 problems",
        ),
        *_exact(
            measured.products[2],
            2,
            0.02,
            r"the power of $\log t$ is off by $(\log\log t)/\log t < 0.007$",
        ),
        *_turning(measured.products[3]),
        *(_own_limit(k, ends) for k, ends in measured.faster.items()),
        fits("all degrees", torch.cat(list(measured.fitted.values()))),
    )
    control = Control(
        "output layer four times as fast",
        Check.share(
            "product at log t = 1e9 within 5 % of 1",
            torch.cat(list(measured.faster.values())),
            equals=1,
            atol=0.05,
            most=0.1,
            tag="derived",
            math=r"product at $\log t = 10^9$ within 5 % of 1",
            reason=r"the bar of $k = 3$; here the limits are $\frac25$ and $\frac12$",
        ),
    )
    notes = {"networks of each degree": len(measured.fitted[1])}
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _in_time(late: Tensor) -> Check:
    """Of t over its bound."""
    return Check.each(
        "all degrees: t over its bound by the smoothed margin at log t = 1e3, at all "
        "later stops",
        late,
        at_most=1,
        tag="proved",
        math=r"all degrees: $t$ over its bound by the smoothed margin at $\log t = "
        "10^3$, at all later stops",
        reason="proved on the page; below 1 by what the smoothed margin still gains",
    )


def _exact(values: Tensor, k: int, spread: float, why: str) -> tuple[Check, ...]:
    """How flat the products (K, B) of degree k = 1 or 2 are, and how close to 1 at the
    end.
    """
    return (
        Check.each(
            f"k = {k}: largest over least product, log t from 1e3 to 1e9, less 1",
            _spread(values) - 1,
            at_most=spread,
            tag="derived",
            math=rf"$k = {k}$: largest over least product, $\log t$ from $10^3$ to "
            "$10^9$, less 1",
            reason=why,
            precision=k == 1,
        ),
        Check.each(
            f"k = {k}: product at log t = 1e9",
            values[-1],
            equals=1,
            atol=1e-4,
            tag="derived",
            math=rf"$k = {k}$: product at $\log t = 10^9$",
            reason=r"the limit is 1, and $(\log\log t)/\log t$ is $2 \cdot 10^{-8}$; "
            "the flow's tolerance",
            precision=True,
        ),
    )


def _turning(values: Tensor) -> tuple[Check, ...]:
    """The same of degree 3, where the direction is still turning."""
    return (
        Check.share(
            "k = 3: largest over least product, log t from 1e3 to 1e9, at most 1.5",
            _spread(values),
            at_most=1.5,
            least=SHARE,
            tag="observed",
            math=r"$k = 3$: largest over least product, $\log t$ from $10^3$ to "
            "$10^9$, at most 1.5",
            reason="the limit is proved and this factor is not; the direction is still "
            "turning at the start",
        ),
        Check.share(
            "k = 3: product at log t = 1e9 within 5 % of 1",
            values[-1],
            equals=1,
            atol=0.05,
            least=SHARE,
            tag="derived",
            math=r"$k = 3$: product at $\log t = 10^9$ within 5 % of 1",
            reason="the limit is 1; that the direction has converged so far by then is "
            "assumed",
        ),
    )


def _own_limit(k: int, ends: Tensor) -> Check:
    """Of products at log t = 1e9 where the output layer learns `FASTER`^2 times as
    fast, (B,).
    """
    return Check.share(
        f"k = {k}, output layer four times as fast: product over its own limit, within "
        "5 % of 1",
        ends * (FASTER**2 + k - 1) / k,
        equals=1,
        atol=0.05,
        least=SHARE,
        tag="derived",
        math=f"$k = {k}$, output layer four times as fast: product over its own limit "
        f"${k}/{k + 3}$, within 5 % of 1",
        reason="the limit is a KKT point in the norm of that flow, of which the output "
        "layer has $1/k$ of the square",
    )


def _spread(values: Tensor) -> Tensor:
    """Largest over least along the first dimension."""
    return values.amax(0) / values.amin(0)
