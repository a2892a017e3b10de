"""The claim fc-linear-min-l2: from small starts full layers find the least norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence, attempt
from ibcore.measures.members import column, rows
from ibcore.pages.regression.linear_networks.convolutional_and_fully_connected.layers import (
    GaussianCase,
    ended,
    gaussian_case,
    own_data,
)

LARGE = 1.0  # scale of the start of the control


@dataclass(frozen=True)
class Problems:
    """B networks with their data, and K scales of the start."""

    cases: tuple[GaussianCase, ...]
    scales: tuple[float, ...]


@dataclass(frozen=True)
class SmallStarts:
    """B networks at K scales of the start.

    distances, ratios, bounds: (B, K), distance to X^+ y, sigma_2 / sigma_1 of the first
    layer, and what the first cannot exceed; distances are relative.
    constants: (B, 2), what distance and ratio are predicted to be per unit of the
    scale.
    large: (B,), distances of the same networks from the scale 1.
    """

    scales: Tensor
    distances: Tensor
    ratios: Tensor
    bounds: Tensor
    constants: Tensor
    large: Tensor
    broken: tuple[str, ...]


def draw_problems(
    setting: Setting, *, starts: int, scales: Sequence[float]
) -> Problems:
    """Five points in ten dimensions and six hidden neurons; scales have 0.1 and
    1e-4.
    """
    seeds = setting.seeds(starts, "small start")
    cases = [gaussian_case(torch.Generator().manual_seed(seed)) for seed in seeds]
    return Problems(tuple(cases), tuple(scales))


def own_problems(
    setting: Setting, X: object, y: object, *, starts: int, scales: Sequence[float]
) -> Problems:
    """As many networks on a reader's X (n, d) and y (n,), see `own_data`."""
    inputs, targets = own_data(X, y)
    cases = [
        GaussianCase.of(inputs, targets, torch.Generator().manual_seed(seed))
        for seed in setting.seeds(starts, "small start")
    ]
    return Problems(tuple(cases), tuple(scales))


def measure_starts(problems: Problems, setting: Setting) -> SmallStarts:  # noqa: ARG001
    """Gradient flow of both layers from every scale, and from the scale of the
    control.
    """
    cases, scales = problems.cases, problems.scales
    ends, broken = attempt(
        lambda task: ended(*task), [(case, scale) for case in cases for scale in scales]
    )
    large, stopped = attempt(lambda case: ended(case, LARGE)[0], cases)
    distances, ratios = rows(ends, 2).reshape(len(cases), len(scales), 2).unbind(-1)
    predictions = [case.predicted for case in cases]
    return SmallStarts(
        column(scales),
        distances,
        ratios,
        torch.stack(
            [column([p.bound(scale) for scale in scales]) for p in predictions]
        ),
        torch.stack([column([p.distance, p.ratio]) for p in predictions]),
        column(large),
        (*broken, *stopped),
    )


@claim(
    kind="theorem",
    source="Azulay et al. 2021 and Yun, Krishnan and Mobahi 2021 for the limit "
    "(recalled); the bound at every scale proved on the page, the first order in the "
    "scale derived there",
    statement="Where gradient flow on a two-layer fully connected linear network from "
    r"a start of vanishing scale fits the data, it tends to the least $\ell_2$ norm, "
    r"$X^+ y$, and its first layer to rank one. Distance and $\sigma_2/\sigma_1$ are "
    "at first order proportional to the scale, with constants that the start gives.",
    quick={"starts": 8, "scales": (1e-1, 1e-4)},
    book={"starts": 8, "scales": (1.0, 1e-1, 1e-2, 1e-3, 1e-4)},
    full={"starts": 50, "scales": (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6)},
    draw=draw_problems,
    measure=measure_starts,
    own=own_problems,
)
def fc_linear_min_l2(measured: SmallStarts) -> Evidence:
    """Distances below their bound, slopes and constants of the first order."""
    found = torch.stack([measured.distances, measured.ratios], -1)
    scales = measured.scales.tolist()
    large, small = scales.index(1e-1), scales.index(1e-4)
    slopes = torch.log10(found[:, large] / found[:, small]) / 3
    checks = (
        _bound_check(measured.distances / measured.bounds),
        *_first_order_checks(slopes, found[:, small] / 1e-4 / measured.constants),
    )
    notes = {"starts": len(found)}
    return Evidence(
        checks, _large_start(measured.large), notes=notes, broken=measured.broken
    )


def _bound_check(shares: Tensor) -> Check:
    """shares: (B, K) distances to X^+ y at K scales over what they cannot exceed."""
    return Check.each(
        "distance to X^+ y over its bound, at every scale",
        shares,
        at_most=1,
        tag="proved",
        math="distance to $X^{+} y$ over its bound, at every scale",
        reason="the theorem on the page, for every start and scale",
    )


def _first_order_checks(slopes: Tensor, constants: Tensor) -> tuple[Check, ...]:
    """slopes, constants: (B, 2) of the distance to X^+ y and of sigma_2/sigma_1."""
    names = (
        ("distance to X^+ y", "distance to $X^{+} y$"),
        ("sigma_2/sigma_1", r"$\sigma_2/\sigma_1$"),
    )
    return (
        *(_slope_check(*name, slopes[:, i]) for i, name in enumerate(names)),
        *(_constant_check(*name, constants[:, i]) for i, name in enumerate(names)),
    )


def _slope_check(name: str, math_name: str, slopes: Tensor) -> Check:
    return Check.largest(
        f"{name}: slope from scale 0.1 to 1e-4",
        slopes,
        equals=1,
        atol=0.05,
        growth=0.25,
        tag="derived",
        math=f"{math_name}: slope from scale 0.1 to $10^{{-4}}$",
        reason="the second order at the scale 0.1, a tenth or so, over three decades; "
        "at most 0.03 on 60 starts",
    )


def _constant_check(name: str, math_name: str, constants: Tensor) -> Check:
    return Check.largest(
        f"{name} over scale * predicted constant at 1e-4",
        constants,
        equals=1,
        atol=1e-3,
        growth=0.5,
        tag="derived",
        math=f"{math_name} over scale $\\times$ predicted constant at $10^{{-4}}$",
        reason="the second order, the scale times a constant that is large where the "
        "start hardly grows; at most 0.0003 on 60 starts",
    )


def _large_start(distances: Tensor) -> Control:
    """distances: to X^+ y of the same networks from the scale 1, NaN without a fit."""
    return Control(
        "the same networks from the scale 1",
        Check.share(
            "relative distance to X^+ y at most 0.05",
            distances,
            at_most=0.05,
            most=0.25,
            tag="observed",
            math="relative distance to $X^{+} y$ at most 0.05",
            reason="from the scale 0.01 they stay below 0.02; what the first layer "
            "holds off the row space stays",
        ),
    )
