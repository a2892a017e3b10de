"""Deep linear networks conserve the imbalance of their layers, which become of rank one
and align.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.trajectory import Trajectory, early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Exponential
from ibcore.measures.layers import (
    imbalance_size,
    imbalances,
    misalignments,
    second_value_bounds,
    singular_pairs,
)
from ibcore.pages.classification.linear_networks.fully_connected.runs import (
    LEVELS,
    SCALE,
    Batch,
    corrections,
    exponents,
    follow,
    follow_on,
    random_starts,
)

EXPLICIT = -30.0  # log L where the explicit phase ends
TOLERANCE = 1e-8
LARGE = 15  # times the start of the claim
FITTED = 0.01  # loss at which the control stops


@dataclass(frozen=True)
class Layers:
    """B networks of one depth.      drift, bounded: (B,), when the explicit phase ends.

    drift: of the imbalance, over its size.      bounded: the largest sigma_2 over its
    bound by the start.
    log_loss, ratios, sines: (K, B) at `LEVELS`, the worst layer of each network:
    sigma_2/sigma_1, and the sine of the angle between adjacent layers' singular
    vectors.
    """

    drift: Tensor
    bounded: Tensor
    log_loss: Tensor
    ratios: Tensor
    sines: Tensor

    @property
    def size(self) -> Tensor:
        """log 1/L at the last stop, (B,)."""
        return -self.log_loss[-1]

    @property
    def exponents(self) -> Tensor:
        """Of the ratios in log(1/L), (B,)."""
        return exponents(self.log_loss, self.ratios)

    @property
    def turning(self) -> Tensor:
        """Of the sines in log(1/L), (B,)."""
        return exponents(self.log_loss, self.sines)


@dataclass(frozen=True)
class Alignments:
    """Layers by depth, and the ratios sigma_2/sigma_1 (B,) of fitted networks of depth
    2 from large starts.
    """

    batch: Batch
    layers: dict[int, Layers]
    large: Tensor
    broken: tuple[str, ...]


def draw_batch(setting: Setting, *, depths: Sequence[int], each: int) -> Batch:
    """Ten points in five dimensions, as for the direction."""
    return Batch.draw(setting, each, "deep alignment", depths)


def own_batch(
    setting: Setting, X: object, y: object, *, depths: Sequence[int], each: int
) -> Batch:
    """A reader's data, with as many random starts."""
    return Batch.own(setting, X, y, 2 * each, depths)


def measure_layers(batch: Batch, setting: Setting) -> Alignments:
    """The explicit phase with a tight tolerance, then the stiff one to log L = -1e10;
    large starts to L = 0.01.
    """
    layers: dict[int, Layers] = {}
    broken: tuple[str, ...] = ()
    for depth in batch.depths:
        layers[depth], late = _aligned(batch, setting, depth)
        broken += early_ends(f"depth {depth}", late)
    control = large_run(batch, setting, [math.log(FITTED)])
    large = layer_ratios(batch.network(2).matrices(control.theta[0]))
    return Alignments(batch, layers, large, broken + early_ends("control", control))


def _aligned(batch: Batch, setting: Setting, depth: int) -> tuple[Layers, Trajectory]:
    """The layers of one depth, and the late phase of its run."""
    model = batch.network(depth)
    start = random_starts(setting, model, len(batch), SCALE, "deep alignment start")
    size = imbalance_size(model.matrices(start))

    def conserved(theta: Tensor) -> Tensor:
        gaps = [gap.flatten(1) for gap in imbalances(model.matrices(theta))]
        return torch.cat(gaps, 1) / size[:, None]

    early = follow(
        model,
        Exponential(),
        start,
        EXPLICIT,
        tolerance=TOLERANCE,
        invariants={"imbalance": conserved},
    )
    second = singular_pairs(model.matrices(early.theta[0]))[1][:, :-1]
    late = follow_on(model, Exponential(), early.theta[0], start, LEVELS)
    layers = model.matrices(late.theta)
    return Layers(
        early.drift["imbalance"],
        (second / second_value_bounds(model.matrices(start))).amax(-1),
        late.log_loss,
        layer_ratios(layers),
        misalignments(layers).amax(-1),
    ), late


def layer_ratios(layers: Sequence[Tensor]) -> Tensor:
    """Largest sigma_2/sigma_1 among the hidden layers, (...)."""
    first, second = singular_pairs(layers)
    return (second / first)[..., :-1].amax(-1)


def large_run(batch: Batch, setting: Setting, levels: Sequence[float]) -> Trajectory:
    """Depth 2 from starts fifteen times as large."""
    model = batch.network(2)
    start = random_starts(setting, model, len(batch), LARGE * SCALE, "large start")
    return follow(model, Exponential(), start, levels)


@claim(
    kind="theorem",
    source="Ji and Telgarsky 2019 (recalled; proved on the page); conservation: Arora, "
    "Cohen and Hazan 2018, Du, Hu and Lee 2018; rates derived on the page",
    statement="Gradient flow on a linear network conserves $W_{j+1}^T W_{j+1} - W_j "
    "W_j^T$. If there is one output and the loss goes to zero, every layer divided by "
    r"its norm becomes of rank one, $\sigma_2/\sigma_1$ falling like "
    r"$(\log(1/L))^{-1/k}$ or faster, and adjacent layers align.",
    quick={"depths": (2,), "each": 4},
    book={"depths": (2, 3, 4), "each": 4},
    full={"depths": (2, 3, 4), "each": 100},
    draw=draw_batch,
    measure=measure_layers,
    own=own_batch,
)
def deep_linear_alignment(measured: Alignments) -> Evidence:
    """Conservation in the explicit phase; then singular values and vectors of the
    layers down to log L = -1e10.
    """
    layers = measured.layers
    points = measured.batch.signed.shape[1]
    checks = (
        *from_the_start(layers),
        *of_rank_one(layers, points),
        *aligned(layers),
    )
    control = not_to_zero(measured.large)
    return Evidence(checks, control, notes=measured.batch.notes, broken=measured.broken)


def not_to_zero(ratios: Tensor) -> Control:
    """sigma_2/sigma_1 (B,) of networks that fit, and whose loss does not go to zero."""
    return Control(
        "start 15 times as large, depth 2, at L = 0.01",
        Check.share(
            "sigma_2/sigma_1 at most 0.3",
            ratios,
            at_most=0.3,
            most=0.25,
            tag="observed",
            reason="thirty thousand times what the claim asks for at depth 2; 0.39 or "
            "more in 350 runs",
            math=r"$\sigma_2/\sigma_1 \le 0.3$",
        ),
        math="start 15 times as large, depth 2, at $L = 0.01$",
    )


def from_the_start(layers: Mapping[int, Layers]) -> tuple[Check, ...]:
    """What the start decides: the imbalances, and by them how large second singular
    values can be.
    """
    runs = layers.values()
    return (
        Check.each(
            "imbalance: drift over its size until log L = -30",
            torch.cat([run.drift for run in runs]),
            at_most=1e-8,
            tag="proved",
            math=r"imbalance: drift over its size until $\log L = -30$",
            reason="conserved but for the integrator's error: with tolerances 1e-6, "
            "1e-7 and 1e-8 at most 8e-7, 1e-7 and 4e-10 in 360 runs; the last is used",
            precision=True,
        ),
        Check.each(
            "sigma_2 over its bound by the start at log L = -30",
            torch.cat([run.bounded for run in runs]),
            at_most=1 + 1e-6,
            tag="proved",
            reason="Weyl's inequality; the drift of the imbalance may add a millionth",
            math=r"$\sigma_2$ over its bound by the start at $\log L = -30$",
        ),
    )


def of_rank_one(layers: Mapping[int, Layers], points: int) -> tuple[Check, ...]:
    """The ratios of singular values: the limit of the theorem at the derived rate."""
    apart = [
        (k * run.exponents + 1).abs() / corrections(run.log_loss, k, points)
        for k, run in layers.items()
    ]
    return (
        *(_faded(depth, run) for depth, run in layers.items()),
        Check.each(
            "sigma_2/sigma_1: depth * exponent, distance from -1 over the corrections",
            torch.cat(apart),
            at_most=1,
            tag="derived",
            reason=r"what the law leaves out at $\log L = -10^7$, from where the "
            r"exponent is read off: $3 \cdot 10^{-7}$ at depth 2, $4 \cdot 10^{-6}$ at "
            r"3, $5 \cdot 10^{-5}$ at 4",
            math=r"$\sigma_2/\sigma_1$: depth $\times$ exponent in $\log(1/L)$, "
            "distance from $-1$ over the corrections",
        ),
    )


def _faded(depth: int, run: Layers) -> Check:
    """The ratio at the last stop."""
    return Check.each(
        f"depth {depth}: sigma_2/sigma_1 * (log 1/L)^(1/depth) at log L = -1e10",
        run.ratios[-1] * run.size ** (1 / depth),
        at_most=1,
        tag="derived",
        reason="the theorem gives the limit 0 of the ratio, the derivation the rate; "
        "the constant stayed below 0.43 in 468 runs",
        math=rf"depth {depth}: $\sigma_2/\sigma_1 \cdot (\log 1/L)^{{1/k}}$ at "
        r"$\log L = -10^{10}$",
    )


def aligned(layers: Mapping[int, Layers]) -> tuple[Check, ...]:
    """The angles between singular vectors of adjacent layers."""
    return (
        Check.each(
            "adjacent layers: sin * (log 1/L)^(2/depth) at log L = -1e10",
            torch.cat(
                [run.sines[-1] * run.size ** (2 / k) for k, run in layers.items()]
            ),
            at_most=1,
            tag="derived",
            reason="the theorem gives the limit 0 of the sine, the derivation the "
            "rate; the constant stayed below 0.15 in 960 runs",
            math=r"adjacent layers: $\sin\angle \cdot (\log 1/L)^{2/k}$ at $\log L = "
            "-10^{10}$",
        ),
        Check.each(
            "adjacent layers: depth * exponent of sin in log 1/L",
            torch.cat([k * run.turning for k, run in layers.items()]),
            equals=-2,
            atol=0.05,
            tag="derived",
            reason="the implicit method's tolerance, since the sine is a difference of "
            "two nearly equal directions: at most 0.009 off in 960 runs, and with a "
            "tolerance ten times tighter 0.0005 in 240",
            math=r"adjacent layers: depth $\times$ exponent of $\sin\angle$ in "
            r"$\log(1/L)$",
            precision=True,
        ),
    )
