"""Univariate ReLU networks: their linear regions, kinks and margins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.measures.linear_regions import Kinks, region_counts
from ibcore.pages.classification.homogeneous_networks.univariate_networks.runs import (
    COARSE,
    FINE,
    Batch,
    TrainedLine,
    drawn_lines,
    own_lines,
    train,
    train_output_layer,
)

MISPLACED = 2e-3  # in gaps
Case = tuple[int, int, int]  # sign changes, points a cluster, problems


@dataclass(frozen=True)
class Regions:
    """Networks of W widths on N problems.

    fine, coarse: linear regions (N, W, 3), kinks within 0.02 and 0.5 gaps merged, at
    three tolerances for a jump.
    misplaced: (N, W), distances of their kinks from those of largest margin, in gaps.
    frozen: (N,), regions of the widest network whose output layer alone is trained,
    kinks within 0.5 gaps merged.
    """

    lines: tuple[TrainedLine, ...]
    fine: Tensor
    coarse: Tensor
    misplaced: Tensor
    frozen: Tensor

    @property
    def least(self) -> Tensor:
        """(N,), the number of sign changes."""
        return self.fine.new_tensor([line.least for line in self.lines])

    @property
    def margins(self) -> Tensor:
        """(N, W), over the largest possible."""
        return torch.stack([line.margins for line in self.lines])


def draw_lines(
    setting: Setting,
    *,
    cases: tuple[Case, ...],
    widths: tuple[int, ...],
    effort: int,
) -> tuple[Batch, ...]:
    """Clusters of alternating labels with random networks of all `widths`.

    They train for `effort` r^2 steps where there are r sign changes.
    """
    batches = []
    for changes, each, problems in cases:
        seeds = setting.seeds(problems, f"line {changes} {each}")
        lines = drawn_lines(changes, each, widths, seeds)
        batches.append(Batch(lines, effort * changes**2))
    return tuple(batches)


def own_points(
    setting: Setting,
    X: object,
    y: object,
    *,
    cases: tuple[Case, ...],
    widths: tuple[int, ...],
    effort: int,
) -> tuple[Batch, ...]:
    """Random starts on a reader's X (n, 1), y (n,): one a problem of `draw_lines`."""
    starts = sum(problems for _, _, problems in cases)
    lines = own_lines(X, y, widths, setting.seeds(starts, "own line"))
    return (Batch(lines, effort * lines[0].least ** 2),)


def measure_regions(batches: tuple[Batch, ...], setting: Setting) -> Regions:
    """Both layers trained, and the output layer alone."""
    device = setting.device
    lines = tuple(line for batch in batches for line in train(batch, device))
    frozen = [_regions(train_output_layer(line, device)) for line in lines]
    return Regions(
        lines,
        _counts(lines, FINE),
        _counts(lines, COARSE),
        torch.stack([line.misplaced() for line in lines]),
        torch.tensor(frozen, dtype=torch.float64),
    )


def _counts(lines: tuple[TrainedLine, ...], radius: float) -> Tensor:
    """Regions with kinks within `radius` gaps merged, (N, W, 3)."""
    rows = [[region_counts(kinks) for kinks in line.kinks(radius)] for line in lines]
    return torch.stack([torch.stack(row) for row in rows]).double()


def _regions(kinks: Kinks) -> float:
    """Regions with kinks below 1 % of the largest ignored; NaN where a jump is."""
    return math.nan if bool(kinks.jumps.isnan().any()) else kinks.regions(1e-2)


@claim(
    kind="empirical",
    source="Safran, Vardi and Lee 2022 prove a multiple of r regions (recalled; their "
    "constant is not checked)",
    statement="A univariate two-layer ReLU network with biases trained on labels with "
    "$r$ sign changes ends with few linear regions between the data points, however "
    "wide it is and however many points there are: at most $2 r$, and $r$ where near "
    "kinks count as one ($r = 3$ and 5).",
    quick={"cases": ((3, 4, 8),), "widths": (50, 200), "effort": 80},
    book={
        "cases": ((3, 4, 4), (3, 10, 2), (5, 4, 2)),
        "widths": (100, 500),
        "effort": 120,
    },
    full={
        "cases": ((3, 4, 50), (3, 40, 50), (4, 4, 50), (5, 4, 50), (6, 4, 50)),
        "widths": (50, 100, 200, 500, 1000),
        "effort": 1500,
    },
    draw=draw_lines,
    measure=measure_regions,
    own=own_points,
)
def univariate_linear_regions(measured: Regions) -> Evidence:
    """Regions against sign changes, kinks and margins against the largest margin."""
    least, margins = measured.least, measured.margins
    checks = (
        Check.each(
            "largest margin, linear program: relative gap",
            [line.best.gap for line in measured.lines],
            at_most=1e-6,
            tag="derived",
            reason="duality, small against what the networks lack",
            precision=True,
        ),
        *_region_checks(least, margins, measured.fine, measured.coarse),
        *_margin_checks(margins, measured.misplaced),
    )
    notes = {"problems": len(least), "networks": margins.numel()}
    control = _frozen_control(measured.frozen / least)
    return Evidence(checks, control, notes=notes)


def _region_checks(
    least: Tensor, margins: Tensor, fine: Tensor, coarse: Tensor
) -> tuple[Check, ...]:
    """Of least (N,), margins (N, W) over the largest, regions (N, W, tolerances)."""
    missing = margins.isnan()[..., None]
    fine, coarse = (
        torch.where(missing, torch.nan, counts) for counts in (fine, coarse)
    )
    more = (coarse - least[:, None, None]).abs().amax(-1)
    return (
        Check.share(
            "all points right",
            margins > 0,
            least=0.9,
            tag="observed",
            reason="what the theorem assumes",
        ),
        Check.share(
            "regions over r at most 2, kinks within 0.02 gaps merged",
            fine.amax(-1) / least[:, None],
            at_most=2,
            least=0.9,
            tag="derived",
            math="regions over $r$ at most 2, kinks within 0.02 gaps merged",
            reason="$2 r - 1$ where the support points are the ends of the gaps",
        ),
        Check.share(
            "exactly r regions, kinks within 0.5 gaps merged, widest",
            more[:, -1],
            at_most=0,
            least=0.9,
            tag="observed",
            math="exactly $r$ regions, kinks within 0.5 gaps merged, widest",
            reason="no theorem; at all of three tolerances for a jump",
        ),
        Check.share(
            "regions minus r at most 1, kinks within 0.5 gaps merged, any width",
            more,
            at_most=1,
            least=0.9,
            tag="observed",
            math="regions minus $r$ at most 1, kinks within 0.5 gaps merged, any width",
            reason="a narrow network may keep one more",
        ),
    )


def _margin_checks(margins: Tensor, misplaced: Tensor) -> tuple[Check, ...]:
    """Of margins over the largest and distances of kinks, (N, W) each."""
    return (
        Check.share(
            "normalized margin over the largest possible at least 0.95",
            margins,
            at_least=0.95,
            least=0.9,
            tag="observed",
            reason="the last few percent come slowly, as kinks meet",
        ),
        Check.share(
            "merged kinks within 0.002 gaps of the optimum's",
            misplaced,
            at_most=MISPLACED,
            least=0.9,
            tag="observed",
            reason="merged kinks are where lines through the support points meet. A "
            "softmax that is kept warm to the last step, of relative length 1e-4, "
            "leaves the margins of these points apart by 2e-4 times the logarithm of "
            "the quotient of their weights, of which 10 are allowed",
        ),
    )


def _frozen_control(counts: Tensor) -> Control:
    """Of regions over r, one a problem."""
    return Control(
        "only the output layer trained, widest",
        Check.share(
            "regions over r at most 4/3, kinks within 0.5 gaps merged",
            counts,
            at_most=4 / 3,
            most=0.25,
            tag="observed",
            math=r"regions over $r$ at most $\frac43$, kinks within 0.5 gaps merged",
            reason="one region more than the claim has for $r = 3$",
        ),
    )
