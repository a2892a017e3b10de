"""Observations that commute: the flow ends at the solution of the entropy program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence, attempt
from ibcore.oracles.matrix_entropy import EntropyMinimum, entropy_minimum
from ibcore.oracles.nuclear_minimization import NuclearMinimum, minimum_nuclear_norm
from ibcore.pages.regression.matrix_factorization.nuclear_norm import runs
from ibcore.pages.regression.matrix_factorization.nuclear_norm.bars import (
    arrived,
    certified,
)
from ibcore.problems.sensing import (
    LinearObservations,
    commuting_observations,
    gaussian_observations,
)

CONTROL_SCALE = 1e-2


@dataclass(frozen=True)
class Commuting:
    """B problems, what is predicted at K falling scales, and other problems.

    apart: those of the control, whose matrices do not commute.
    """

    data: tuple[LinearObservations, ...]
    scales: tuple[float, ...]
    entropy: tuple[EntropyMinimum, ...]
    least: tuple[NuclearMinimum, ...]
    apart: tuple[LinearObservations, ...]


@dataclass(frozen=True)
class Limits:
    """Where flows from K falling scales end on B problems.

    certificates: (B, 3), of the least nuclear norm.
    residual: (B, K), of the entropy program.
    complete: (B, K), whether the flow fitted.
    distances: (B, K), to the solution of the entropy program, relative.
    excess: (B, K), the trace over the least nuclear norm, minus 1.
    apart: distances at the scale 0.01 for matrices that do not commute, NaN where a
    member broke down.
    """

    scales: Tensor
    certificates: Tensor
    residual: Tensor
    complete: Tensor
    distances: Tensor
    excess: Tensor
    apart: Tensor
    broken: tuple[str, ...]


def draw_commuting(
    setting: Setting,
    *,
    size: int,
    observations: int,
    problems: int,
    scales: Sequence[float],
) -> Commuting:
    """Matrices with a common random eigenbasis; Gaussian ones for the control."""
    data = tuple(
        commuting_observations(size, observations, torch.Generator().manual_seed(seed))
        for seed in setting.seeds(problems, "commuting observations")
    )
    others = setting.seeds(max(problems, 8), "observations that do not commute")
    return Commuting(
        data,
        tuple(scales),
        tuple(entropy_minimum(d.matrices, d.targets, scales) for d in data),
        tuple(
            minimum_nuclear_norm(d.matrices, d.targets, semidefinite=True) for d in data
        ),
        tuple(
            gaussian_observations(
                size, size, observations, torch.Generator().manual_seed(seed)
            )
            for seed in others
        ),
    )


def measure_limits(problems: Commuting, setting: Setting) -> Limits:  # noqa: ARG001
    """The flow in the raw entries of U from every scale."""
    flows = [runs.flows(one, problems.scales) for one in problems.data]
    size = problems.data[0].truth.shape[-1]
    products = torch.stack([runs.products(row, size) for row in flows])
    predicted = torch.stack([one.matrix for one in problems.entropy])
    least = products.new_tensor([one.value for one in problems.least])
    traces = products.diagonal(dim1=-2, dim2=-1).sum(-1)
    apart, broken = attempt(distance_at_one_scale, problems.apart)
    return Limits(
        torch.tensor(problems.scales, dtype=torch.float64),
        runs.certificates(problems.least),
        torch.stack([one.residual for one in problems.entropy]),
        runs.complete(flows),
        runs.distances(products, predicted),
        traces / least[:, None] - 1,
        products.new_tensor([float(one) for one in apart]),
        (*runs.unfinished(flows), *broken),
    )


def distance_at_one_scale(data: LinearObservations) -> float:
    """From the end of the flow at the scale 0.01 to the entropy program's solution."""
    scales = [CONTROL_SCALE]
    expected = entropy_minimum(data.matrices, data.targets, scales).matrix
    flows = runs.flows(data, scales, tolerance=1e-7)
    found = runs.products(flows, data.truth.shape[-1])
    return float(runs.distances(found, expected))


@claim(
    kind="theorem",
    source="Gunasekar et al. 2017 for the limit of vanishing scale and Wu and "
    "Rebeschini 2021 for finite scales (both recalled); proved on the page, with "
    "convergence",
    statement="If the symmetric matrices $A_i$ commute and some positive semidefinite "
    r"matrix fits, gradient flow on $U$ from $U = \alpha I$ converges to the fit $W = "
    r"U U^T$ that minimizes $\operatorname{tr}(W \log W - W) - \log(\alpha^2) "
    r"\operatorname{tr} W$, the nuclear norm for $\alpha \to 0$.",
    quick={"size": 6, "observations": 3, "problems": 4, "scales": (1.0, 1e-1, 1e-3)},
    book={
        "size": 8,
        "observations": 4,
        "problems": 8,
        "scales": (1.0, 1e-1, 1e-2, 1e-3),
    },
    full={
        "size": 20,
        "observations": 8,
        "problems": 20,
        "scales": (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6),
    },
    draw=draw_commuting,
    measure=measure_limits,
)
def mf_nuclear_commuting(measured: Limits) -> Evidence:
    """The flow in the raw entries of U against the entropy program; its trace."""
    checks = (
        certified(measured.certificates),
        *ends_at_the_minimum(measured.residual, measured.complete, measured.distances),
        *trace_falls(measured.excess),
    )
    return Evidence(checks, not_commuting(measured.apart), broken=measured.broken)


def ends_at_the_minimum(
    residual: Tensor, complete: Tensor, distances: Tensor
) -> tuple[Check, ...]:
    """The entropy program, whether flows fitted, and their distances, (B, K) each."""
    return (
        Check.each(
            "residual of the entropy program",
            residual,
            at_most=1e-12,
            tag="derived",
            reason="Newton's method to rounding",
            precision=True,
        ),
        arrived(
            complete,
            -26,
            "the loss tends to zero, at an exponential rate, as a positive definite "
            "matrix fits",
        ),
        Check.share(
            "distance to the entropy program at most 1e-9, relative",
            distances,
            at_most=1e-9,
            least=0.9,
            tag="proved",
            math="distance to the entropy program at most $10^{-9}$, relative",
            reason="a hundred times the tolerance of the integrator, whose errors add "
            "up over the longer paths from small scales",
            precision=True,
        ),
        Check.each(
            "distance to the entropy program, relative",
            distances,
            at_most=1e-6,
            tag="proved",
            reason="the integrator's tolerance 1e-11 times at most 1e5 for the "
            "conditioning of the program at the smallest scale",
            precision=True,
        ),
    )


def trace_falls(excess: Tensor) -> tuple[Check, ...]:
    """Traces over the least nuclear norm, minus 1, at falling scales, (B, K)."""
    return (
        Check.each(
            "rise of the trace when the scale falls, largest of a problem",
            excess.diff(dim=1).amax(1),
            at_most=0.0,
            tag="proved",
            reason="the minimum of a sum of two terms of which one gains weight",
        ),
        Check.each(
            "trace over the least nuclear norm",
            1 + excess.amin(1),
            at_least=1 - 1e-9,
            tag="proved",
            reason="every fit has at least the least nuclear norm; its certified gap",
        ),
    )


def not_commuting(distances: Tensor) -> Control:
    """Distances to the solution of the same program for Gaussian matrices."""
    return Control(
        "Gaussian matrices, which do not commute, alpha = 0.01",
        Check.share(
            "distance to the entropy program at most 1e-4, relative",
            distances,
            at_most=1e-4,
            most=0.25,
            tag="observed",
            math=r"distance to the entropy program at most $10^{-4}$, relative",
            reason="a hundred times the bar of the claim",
        ),
        math=r"Gaussian matrices, which do not commute, $\alpha = 0.01$",
    )
