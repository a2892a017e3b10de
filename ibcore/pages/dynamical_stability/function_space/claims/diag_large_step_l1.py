"""The bound, how near to it the runs end, and norm and error against those of vanishing
steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.oracles.stable_functions import (
    mean_load,
)
from ibcore.pages.dynamical_stability.function_space.runs import (
    MEAN,
    SparseMinima,
    SparseSets,
    load_growth,
    sparse_runs,
    sparse_sets,
)


@dataclass(frozen=True)
class SparseProblems:
    """The same data sets with inputs of mean 3 and of mean 0."""

    shifted: SparseSets
    centered: SparseSets
    stage: int


@dataclass(frozen=True)
class SparseEnds:
    """Where large steps settled, on shifted and on centered inputs."""

    problems: SparseProblems
    shifted: SparseMinima
    centered: SparseMinima


def draw_sparse(
    setting: Setting, *, datasets: int, support: int, stage: int
) -> SparseProblems:
    """20 examples in 40 dimensions with `support` nonzero coefficients; the step grows
    every `stage` steps.
    """
    seeds = setting.seeds(datasets, "sparse regression")
    shifted, centered = (
        sparse_sets(seeds, support, mean, setting.device) for mean in (MEAN, 0.0)
    )
    return SparseProblems(shifted, centered, stage)


def measure_sparse(problems: SparseProblems, setting: Setting) -> SparseEnds:
    """One batch of shifted and centered data sets."""
    generator = torch.Generator().manual_seed(setting.seeds(1, "sparse kicks")[0])
    sets = problems.shifted.joined(problems.centered)
    rest = 100 * problems.stage
    _, end = sparse_runs(sets, load_growth(problems.stage), rest, generator)
    count = len(problems.shifted.y)
    return SparseEnds(problems, end.of(slice(count)), end.of(slice(count, None)))


@claim(
    kind="theorem",
    source="Nacson, Ravichandran, Srebro and Soudry 2022 (abstract read, theorem "
    "recalled); the bound is proved on the page, and what it does to the predictor is "
    "observed",
    statement=r"At a stable minimum of zero loss of a diagonal linear network, $\beta "
    r"= u^2 - v^2$, with step $\eta$ and mean input $m$, $4 \eta \sum_j m_j^2 "
    r"|\beta_j| \le 1$. Where the mean is large, growing steps bring $|\beta|_1$ "
    r"closer to its least value and $\beta$ closer to a sparse truth, from a start at "
    "which small steps do not; on centered inputs they do the opposite.",
    quick={"datasets": 8, "support": 2, "stage": 200},
    book={"datasets": 12, "support": 3, "stage": 500},
    full={"datasets": 100, "support": 4, "stage": 2500},
    draw=draw_sparse,
    measure=measure_sparse,
)
def diag_large_step_l1(measured: SparseEnds) -> Evidence:
    """The bound, how near to it the runs end, and norm and error against those of
    vanishing steps.
    """
    sets, end = measured.problems.shifted, measured.shifted
    checks = (
        Check.each(
            "basis pursuit: relative gap",
            torch.cat([sets.gap, measured.problems.centered.gap]),
            at_most=1e-8,
            tag="derived",
            reason="duality; the tolerance asked of the solver",
            precision=True,
        ),
        *_loads(measured),
        _excess(sets, end, least=0.9),
        _error(sets, end),
    )
    control = Control(
        "centered inputs, the same schedule",
        _excess(measured.problems.centered, measured.centered, most=0.25),
    )
    notes = {
        "data sets": len(sets.y),
        "not settled": int((~end.fitted).sum()),
        "not settled, centered": int((~measured.centered.fitted).sum()),
    }
    return Evidence(checks, control, notes)


def _loads(measured: SparseEnds) -> tuple[Check, ...]:
    """The bound on the minima of both kinds of data, and how near to it those with a
    mean are.
    """
    both = (
        (measured.problems.shifted, measured.shifted),
        (measured.problems.centered, measured.centered),
    )
    loads = [mean_load(sets.X, end.coefficients) for sets, end in both]
    kept = [end.fitted for _, end in both]
    load, sharp, step = (
        torch.cat([one[which] for one, which in zip(ones, kept, strict=True)])
        for ones in (
            loads,
            [_sharpest(sets, end) for sets, end in both],
            [end.step for _, end in both],
        )
    )
    return (
        Check.each(
            "fitted minima: sharpness over 8 sum m_j^2 |beta_j|",
            sharp / (2 * load),
            at_least=1.0,
            tag="proved",
            math=r"fitted minima: sharpness over $8 \sum_j m_j^2 |\beta_j|$",
            reason="proved on the page at zero loss; at the loss $L < 10^{-6}$ "
            r"residuals take at most $4 \sqrt{L} \max_{ij} |x_{ij}|$ from a sharpness, "
            "and so much is added to it",
        ),
        Check.each(
            "fitted minima: 4 step sum m_j^2 |beta_j|",
            step * load,
            at_most=1.0,
            tag="derived",
            math=r"fitted minima: $4 \eta \sum_j m_j^2 |\beta_j|$",
            reason="the row above, and that a kick grows and descent leaves where "
            r"$\eta$ times the sharpness is above 2",
        ),
        Check.share(
            "inputs with a mean: 4 step sum m_j^2 |beta_j| at least 0.75",
            measured.shifted.step * loads[0],
            at_least=0.75,
            least=0.9,
            tag="observed",
            math=r"inputs with a mean: $4 \eta \sum_j m_j^2 |\beta_j|$ at least 0.75",
            reason="the step is 0.9 of one at which the sharpness stands at the bound, "
            "and the mean input has nearly all of it; 0.80 to 0.97 on 68 fresh data "
            "sets",
        ),
    )


def _sharpest(sets: SparseSets, end: SparseMinima) -> Tensor:
    """The sharpness, and what residuals can have taken from it, 4 sqrt(L) max |x_ij|:
    (B,).
    """
    return end.sharpness + 4 * end.loss.sqrt() * sets.X.abs().amax((-1, -2))


def _excess(sets: SparseSets, end: SparseMinima, **share: float) -> Check:
    """How far |beta|_1 is above its least value, over the same for vanishing steps; NaN
    where a run has not settled.
    """
    reached = end.coefficients.abs().sum(-1) - sets.least
    flow = sets.flow.abs().sum(-1) - sets.least
    return Check.share(
        "excess of |beta|_1 over its least value at most half that of vanishing steps",
        reached / flow,
        at_most=0.5,
        tag="observed",
        math=r"excess of $|\beta|_1$ over its least value at most half that of "
        "vanishing steps",
        reason="at most 0.5 on 63 of 64 fresh data sets with two nonzero coefficients, "
        "34 of 36 with three; on centered inputs none of 100, and above 1 on 99",
        **share,
    )


def _error(sets: SparseSets, end: SparseMinima) -> Check:
    """Distance to the truth over that of vanishing steps; NaN where a run has not
    settled.
    """
    reached, flow = (
        torch.linalg.vector_norm(beta - sets.truth, dim=-1)
        for beta in (end.coefficients, sets.flow)
    )
    return Check.share(
        "distance to the truth at most 0.75 of that of vanishing steps",
        reached / flow,
        at_most=0.75,
        least=0.9,
        tag="observed",
        reason="at most 0.75 on 62 of 64 fresh data sets with two nonzero "
        "coefficients, 34 of 36 with three",
    )
