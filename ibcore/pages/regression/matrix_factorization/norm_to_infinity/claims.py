"""A completion all of whose norms go to infinity: the law of the free entry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.models.runaway_completion import balanced_layers
from ibcore.oracles import runaway_completion as law
from ibcore.pages.regression.matrix_factorization.norm_to_infinity.runs import (
    AT,
    HALF_SUM,
    LATE,
    REDUCED,
    Paths,
    Raw,
    draw_lopsided,
    draw_matrix,
    follow,
    of_negative_determinant,
    off_symmetry,
    raw_flows,
    raw_times,
    stacked,
)

STARTS_OFF_SYMMETRY = 4  # least number of them at each depth
FITTED = 1e-20  # loss below which raw weights count as fitted


@dataclass(frozen=True)
class Starts:
    """W(0), (B, 2, 2), for each of `depths`: symmetric ones, and lopsided ones."""

    matrices: Tensor
    lopsided: Tensor
    depths: tuple[int, ...]


@dataclass(frozen=True)
class Runaway:
    """The flows of the claim, by depth where they have several.

    reduced: at `times` (K,).
    raw: one start, at the first of these times, at depth 3 to 1.5e8.
    lopsided: starts that are not symmetric, at T times to 20.
    unguarded: depth 2, to 1.5e8.
    negative: from starts of negative determinant, at 1.5e8.
    """

    times: Tensor
    reduced: dict[int, Paths]
    raw: dict[int, Raw]
    lopsided: dict[int, Raw]
    unguarded: Raw
    negative: dict[int, Raw]
    broken: tuple[str, ...]


def draw_starts(setting: Setting, *, starts: int, depths: Sequence[int]) -> Starts:
    """Random symmetric starts, and as many or more that are far from symmetric."""
    seeds = setting.seeds(starts, "runaway completion")
    others = setting.seeds(max(starts, STARTS_OFF_SYMMETRY), "off symmetry")
    return Starts(
        torch.from_numpy(np.stack([draw_matrix(seed) for seed in seeds])),
        torch.from_numpy(np.stack([draw_lopsided(seed) for seed in others])),
        tuple(depths),
    )


def measure_flows(starts: Starts, setting: Setting) -> Runaway:  # noqa: ARG001
    """Flows at all depths, in reduced coordinates and in the raw weights."""
    matrices, depths = list(starts.matrices.numpy()), starts.depths
    paths = {k: [follow(one, k, REDUCED) for one in matrices] for k in depths}
    lost = [path.lost for group in paths.values() for path in group if path.lost]
    layers = {k: [balanced_layers(one, k) for one in matrices] for k in depths}
    return Runaway(
        torch.tensor(REDUCED, dtype=torch.float64),
        {k: stacked(group) for k, group in paths.items()},
        {k: raw_flows(layers[k][:1], raw_times(k), 1e-11) for k in depths},
        {k: off_symmetry(starts.lopsided, k) for k in depths},
        raw_flows([balanced_layers(one, 2) for one in matrices], LATE, 1e-8),
        {k: of_negative_determinant(starts.matrices, k) for k in depths},
        tuple(lost),
    )


@claim(
    kind="theorem",
    source="Razin and Cohen 2020, Theorem 1 and Corollary 1 (abstract read, theorem "
    "recalled), that all norms diverge and the rank falls to one; proof and bound on "
    "the page; the laws in t derived on the page, to leading order",
    statement=r"Observe $W_{12} = W_{21} = 1$ and $W_{22} = 0$ of a $2 \times 2$ "
    r"matrix. For $W = W_k \cdots W_1$, $k \ge 2$, from a balanced start with $\det W "
    "> 0$, gradient flow that drives the loss to zero drives every norm to infinity, "
    "although the solution of least Schatten norm has $W_{11} = 0$. To leading order, "
    r"from symmetric starts, $W_{11} \sim (4 (k + 1) t / 3)^{k / (2k + 2)}$.",
    quick={"starts": 2, "depths": (2, 3)},
    book={"starts": 8, "depths": (2, 3, 4)},
    full={"starts": 100, "depths": (2, 3, 4)},
    draw=draw_starts,
    measure=measure_flows,
)
def mf_norm_to_infinity(measured: Runaway) -> Evidence:
    """The free entry against its law, in coordinates that agree with raw weights."""
    checks = (
        *entry_at_the_middle(measured.reduced),
        *laws_at_the_end(measured.reduced),
        above_the_bound(measured.reduced),
        above_the_bound_off_symmetry(measured.lopsided),
        *rank_falls(measured.reduced),
        *raw_weights_agree(measured.raw, measured.reduced),
        *false_result(measured.unguarded),
    )
    some = next(iter(measured.reduced.values()))
    notes = {"starts": len(some.entry)}
    control = negative_determinant(measured.negative)
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def entry_at_the_middle(paths: dict[int, Paths]) -> tuple[Check, ...]:
    """W_11 over its law at t = 1.5e8, by depth."""
    middle = LATE[-1]
    return tuple(
        Check.each(
            f"depth {k}: W_11 over its law at t = 1.5e8",
            group.entry[:, AT[middle]] / law.entry(k, middle),
            equals=1,
            atol=1e-4,
            tag="derived",
            math=rf"depth {k}: $W_{{11}}$ over its law at $t = 1.5 \cdot 10^8$",
            reason="a leading term without a bound on the rest, which was 7e-6 at "
            "depth 2 and less at depths 3 and 4",
        )
        for k, group in paths.items()
    )


def laws_at_the_end(paths: dict[int, Paths]) -> tuple[Check, ...]:
    """Entry and loss over their laws at t = 1.5e32, and the exponent of the entry."""
    end = REDUCED[-1]
    entries = [group.entry[:, -1] / law.entry(k, end) for k, group in paths.items()]
    losses = [group.loss[:, -1] / law.loss(k, end) for k, group in paths.items()]
    slopes = [exponents(g.entry.log()) - law.exponent(k) for k, g in paths.items()]
    return (
        Check.each(
            "W_11 over its law at t = 1.5e32",
            torch.cat(entries),
            equals=1,
            atol=1e-6,
            tag="derived",
            math=r"$W_{11}$ over its law at $t = 1.5 \cdot 10^{32}$",
            reason="the rest of the law has fallen below the integrator's tolerance "
            "3e-9, whose errors add up",
            precision=True,
        ),
        Check.each(
            "exponent of W_11 in t, less k/(2k + 2)",
            torch.cat(slopes),
            equals=0,
            atol=1e-4,
            tag="derived",
            math=r"exponent of $W_{11}$ in $t$, less $k/(2k + 2)$",
            reason="as above, over a window of 20 powers of ten",
            precision=True,
        ),
        Check.each(
            "loss over its law at t = 1.5e32",
            torch.cat(losses),
            equals=1,
            atol=1e-4,
            tag="derived",
            math=r"loss over its law at $t = 1.5 \cdot 10^{32}$",
            reason="the loss is a difference of entries of size 1, of which the "
            "reduced coordinates keep the relative precision",
            precision=True,
        ),
    )


def exponents(logs: Tensor) -> Tensor:
    """Slopes (B,) in log t, from t = 1.5e12 on, of logarithms (B, K)."""
    first = AT[HALF_SUM * 1e12]
    times = logs.new_tensor(REDUCED[first:]).log()
    centered = times - times.mean()
    return (logs[:, first:] * centered).sum(1) / centered.square().sum()


def above_the_bound(paths: dict[int, Paths]) -> Check:
    """The bound that holds at any time, for symmetric matrices, to t = 1.5e8."""
    last = AT[LATE[-1]] + 1
    ratios = [
        least_over_bound(entry[:last], losses[:last])
        for group in paths.values()
        for entry, losses in zip(group.entry, group.loss, strict=True)
    ]
    return Check.each(
        "W_11 over its lower bound by the loss, to t = 1.5e8",
        ratios,
        at_least=1,
        tag="proved",
        math=r"$W_{11}$ over its lower bound by the loss, to $t = 1.5 \cdot 10^8$",
        reason="the bound of the theorem, proved on the page",
    )


def above_the_bound_off_symmetry(flows: dict[int, Raw]) -> Check:
    """The same where W_12 and W_21 are fitted one after the other."""
    return Check.each(
        "not symmetric: W_11 over its lower bound by the loss, to t = 20",
        [ratio for group in flows.values() for ratio in trusted_over_bound(group)],
        at_least=1,
        tag="proved",
        math="not symmetric: $W_{11}$ over its lower bound by the loss, to $t = 20$",
        reason="the bound of the theorem, proved on the page, for losses from 1/3 on",
    )


def trusted_over_bound(flows: Raw) -> list[float]:
    """`least_over_bound` of each flow.

    NaN where it ended early or a determinant changed its sign, which gradient flow
    cannot do.
    """
    members = zip(flows.entry, flows.loss, flows.signs.tolist(), strict=True)
    return [
        least_over_bound(entry, losses) if sign == 0 else math.nan
        for entry, losses, sign in members
    ]


def least_over_bound(entries: Tensor, losses: Tensor) -> float:
    """Least W_11 over its lower bound by the loss where this is below 1/3.

    NaN where it nowhere is, and for a flow that broke down.
    """
    ratios = [
        entry / law.least_entry(value) if value > 0 else math.nan
        for entry, value in zip(entries.tolist(), losses.tolist(), strict=True)
        if not value >= 1 / 3
    ]
    return float(np.min(ratios)) if ratios else math.nan


def rank_falls(paths: dict[int, Paths]) -> tuple[Check, ...]:
    """sigma_2/sigma_1 against its laws: at depth 2, and a power for deeper products."""
    deep = [
        exponents(group.log_ratio) / law.ratio_exponent(k)
        for k, group in paths.items()
        if k > 2
    ]
    checks = []
    if deep:
        checks.append(
            Check.each(
                "depth > 2: exponent of sigma_2/sigma_1 over its law",
                torch.cat(deep),
                equals=1,
                atol=1e-3,
                tag="derived",
                math=r"depth above 2: exponent of $\sigma_2/\sigma_1$ over its law",
                reason="a leading term, of which the rest has fallen below the "
                "integrator's tolerance; 1e-8 was measured",
                precision=True,
            )
        )
    if 2 in paths:
        last = paths[2].log_ratio[:, -1]
        checks.append(
            Check.each(
                "depth 2: log(sigma_2/sigma_1) over its law at t = 1.5e32",
                last / law.log_ratio_at_depth_two(REDUCED[-1]),
                equals=1,
                atol=1e-4,
                tag="derived",
                math=r"depth 2: $\log(\sigma_2/\sigma_1)$ over its law at $t = 1.5 "
                r"\cdot 10^{32}$",
                reason="a leading term, of which the rest has fallen below the "
                "integrator's tolerance; 3e-8 was measured",
                precision=True,
            )
        )
    return tuple(checks)


def raw_weights_agree(
    raw: dict[int, Raw], paths: dict[int, Paths]
) -> tuple[Check, ...]:
    """The weights themselves from one start: to t = 45, at depth 3 to t = 1.5e8."""
    gaps = [
        (flow.entry[0] / paths[k].entry[0, : flow.entry.shape[1]] - 1).abs().max()
        for k, flow in raw.items()
    ]
    return (
        Check.each(
            "W_11 in raw weights over reduced coordinates less 1",
            torch.stack(gaps),
            at_most=1e-4,
            tag="derived",
            math=r"$|W_{11}$ in raw weights over reduced coordinates less $1|$",
            reason=r"an imbalance of rounding size grows like $\exp(W_{11}^2/4)$ at "
            "depth 2",
            precision=True,
        ),
        Check.each(
            "raw weights there: changes of sign of det W_j",
            torch.cat([flow.signs for flow in raw.values()]),
            equals=0,
            tag="proved",
            math=r"raw weights there: changes of sign of $\det W_j$",
            reason="from a balanced start a determinant that is not zero never becomes "
            "zero",
        ),
    )


def fitted_over_law(flows: Raw, depth: int) -> Tensor:
    """|W_11| at t = 1.5e8 over its law, (B,); NaN where the loss is not below 1e-20."""
    ratios = flows.entry[:, -1].abs() / law.entry(depth, LATE[-1])
    return torch.where(flows.loss[:, -1] < FITTED, ratios, math.nan)


def false_result(flows: Raw) -> tuple[Check, ...]:
    """Depth 2 in raw weights beyond double precision: a false result and its alarm."""
    return (
        Check.each(
            "depth 2, raw: W_11 over its law where the loss says 1e-20",
            fitted_over_law(flows, 2),
            at_most=0.1,
            tag="observed",
            math=r"depth 2, raw: $W_{11}$ over its law where the loss says $10^{-20}$",
            reason="a tenth of the right value is a false result; its size is rounding",
            precision=True,
        ),
        Check.each(
            "depth 2, raw: changes of sign of det W_j",
            flows.signs,
            at_least=2,
            tag="observed",
            math=r"depth 2, raw: changes of sign of $\det W_j$",
            reason="both determinants; how often they change is rounding",
            precision=True,
        ),
    )


def negative_determinant(flows: dict[int, Raw]) -> Control:
    """Starts with det W < 0: the loss vanishes at a finite W."""
    return Control(
        "det W(0) < 0, loss below 1e-20",
        Check.each(
            "|W_11| over the law at t = 1.5e8",
            torch.cat([fitted_over_law(group, k) for k, group in flows.items()]),
            at_most=0.05,
            tag="observed",
            math=r"$|W_{11}|$ over the law at $t = 1.5 \cdot 10^8$",
            reason="a twentieth of the law; the theorem is silent here, where "
            "solutions have the right sign",
        ),
        math=r"$\det W(0) < 0$, loss below $10^{-20}$",
    )
