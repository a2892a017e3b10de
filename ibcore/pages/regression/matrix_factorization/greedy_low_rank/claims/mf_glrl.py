"""Gradient flow on U U^T from tiny starts against greedy low-rank learning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence
from ibcore.measures.polylines import distances
from ibcore.oracles.greedy_low_rank import Greedy, greedy_low_rank
from ibcore.pages.regression.matrix_factorization.greedy_low_rank.runs import (
    Sensed,
    Tracked,
    sensed,
    tracked,
)

CLOSEST = 0.75  # lambda_2/lambda_1 of -grad f before a stage: closer ones need still smaller starts
RESOLVED = 1e-4  # distances between curves below this are errors of integration and of segments
LARGE = 0.02  # scale of the control's start
LOOSE = 1e-4  # loss at which the control's flow ends


@dataclass(frozen=True)
class Stages:
    """B hidden matrices with the paths of the algorithm, and scales of the starts.

    rejected: how many draws had eigenvalues too close to each other.
    """

    problems: tuple[Sensed, ...]
    paths: tuple[Greedy, ...]
    scales: tuple[float, ...]
    rejected: int


@dataclass(frozen=True)
class Approach:
    """How far flows from S scales are from the path of the algorithm, on B problems.

    stationarity: |grad| of f(U U^T) at all corners of all paths.
    complete: (B, S), whether the flow fitted.
    far: (B, S), largest distances from the path.
    first: (B,), that of the first stage at the smallest scale.
    missed: (B,), at the smallest scale, the largest distance between the flow and a
    saddle of the path.
    control: (B,), largest distances from the path of flows from a large start.
    path, small, large: eigenvalues (K, d) of W for the first problem along the path of
    the algorithm, the flow from the smallest scale, and that of the control.
    """

    scales: Tensor
    stationarity: Tensor
    complete: Tensor
    far: Tensor
    first: Tensor
    missed: Tensor
    control: Tensor
    path: Tensor
    small: Tensor
    large: Tensor
    rejected: int


def draw_stages(
    setting: Setting,
    *,
    size: int,
    observed: int,
    spectrum: Sequence[float],
    scales: Sequence[float],
    instances: int,
) -> Stages:
    """Matrices before whose stages the top eigenvalue of -grad f stands alone."""

    def keep(generator: torch.Generator) -> tuple[Sensed, Greedy] | None:
        problem = sensed(generator.initial_seed(), size, observed, spectrum)
        path = greedy_low_rank(problem.A, problem.y, rank=len(spectrum))
        ratios = path.eigenvalues[:, 1] / path.eigenvalues[:, 0]
        return (problem, path) if float(ratios.max()) <= CLOSEST else None

    kept, close = setting.draw(instances, "greedy low rank", keep)
    problems, paths = zip(*kept, strict=True)
    return Stages(problems, paths, tuple(scales), close)


def measure_approach(stages: Stages, setting: Setting) -> Approach:  # noqa: ARG001
    """Flows from all scales, and from a large start, compared with the path."""
    pairs = list(zip(stages.problems, stages.paths, strict=True))
    flows = [
        [tracked(problem, path.basis, scale) for scale in stages.scales]
        for problem, path in pairs
    ]
    control = [from_large(problem, path) for problem, path in pairs]
    paths, smallest = stages.paths, [row[-1].products for row in flows]
    far = [
        torch.stack([distances(flow.products, path.path).max() for flow in row])
        for row, path in zip(flows, paths, strict=True)
    ]
    ends = list(zip(smallest, paths, strict=True))
    return Approach(
        torch.tensor(stages.scales, dtype=torch.float64),
        torch.cat([path.stationarity for path in paths]),
        torch.tensor([[flow.run.complete for flow in row] for row in flows]),
        torch.stack(far),
        torch.stack([_first_distance(products, path) for products, path in ends]),
        torch.stack([_missed(products, path) for products, path in ends]),
        torch.stack(
            [distance_from(f, path) for f, path in zip(control, paths, strict=True)]
        ),
        _spectra(paths[0].path),
        _spectra(smallest[0]),
        _spectra(control[0].products),
        stages.rejected,
    )


def from_large(problem: Sensed, path: Greedy) -> Tracked:
    """The flow of the control."""
    return tracked(problem, path.basis, LARGE, fitted=LOOSE)


def distance_from(flow: Tracked, path: Greedy) -> Tensor:
    """The largest distance of a flow from the path; NaN where it did not fit."""
    far = distances(flow.products, path.path).max()
    return far if flow.run.complete else far * math.nan


def first_stage(products: Tensor, path: Greedy) -> Tensor:
    """The flow (K, d, d) until it is closest to the first corner W_1 of the path."""
    gaps = torch.linalg.matrix_norm(products - path.corners[1])
    return products[: int(gaps.argmin()) + 1]


def _first_distance(products: Tensor, path: Greedy) -> Tensor:
    return distances(first_stage(products, path), path.path).max()


def _missed(products: Tensor, path: Greedy) -> Tensor:
    """The largest distance between the flow and a saddle W_1, ..., W_(R-1)."""
    saddles = path.corners[1:-1].flatten(1)
    return torch.cdist(saddles, products.flatten(1)).amin(1).max()


def _spectra(products: Tensor) -> Tensor:
    """Eigenvalues of (K, d, d), falling, (K, d)."""
    return torch.linalg.eigvalsh(products).flip(-1)


@claim(
    kind="empirical",
    source="Li, Luo and Lyu 2021 (recalled): proved for depth 2 and symmetric W = U "
    "U^T, stage by stage, under assumptions on eigenvalues and convergence; Jin et al. "
    "2023 (recalled): all stages of gradient descent under restricted isometry; the "
    "approach of whole paths is measured here",
    statement="As the start shrinks, the first stage of gradient flow on $f(U U^T)$ "
    "is that of greedy low-rank learning, and in these runs the whole path follows: "
    "from a stationary point of rank $r - 1$ it leaves along the top eigenvector of "
    r"$-\nabla f$ and goes to one of rank $r$.",
    quick={
        "size": 8,
        "observed": 33,
        "spectrum": (1.0, 0.25),
        "scales": (1e-16, 1e-64),
        "instances": 3,
    },
    book={
        "size": 15,
        "observed": 90,
        "spectrum": (1.0, 0.4, 0.15),
        "scales": (1e-12, 1e-16, 1e-32, 1e-64),
        "instances": 8,
    },
    full={
        "size": 15,
        "observed": 90,
        "spectrum": (1.0, 0.4, 0.15),
        "scales": (1e-12, 1e-16, 1e-32, 1e-64),
        "instances": 20,
    },
    draw=draw_stages,
    measure=measure_approach,
)
def mf_glrl(measured: Approach) -> Evidence:
    """Distances of the flow from the path of the algorithm as the start shrinks."""
    checks = (
        *runs_end_well(measured.stationarity, measured.complete),
        *path_is_followed(measured),
    )
    notes = {
        "problems": len(measured.far),
        "rejected (eigenvalues closer than 3/4)": measured.rejected,
    }
    return Evidence(checks, start_of_size(measured.control), notes=notes)


def runs_end_well(stationarity: Tensor, complete: Tensor) -> tuple[Check, ...]:
    """The corners of the algorithm are stationary, and the flows fit."""
    return (
        Check.each(
            "corners of the algorithm: |grad| of f(U U^T)",
            stationarity,
            at_most=1e-6,
            tag="derived",
            math=r"corners of the algorithm: $|\nabla f(UU^T)|$",
            reason="where the descent that finds the corners stops",
            precision=True,
        ),
        Check.each(
            "runs that did not fit the observations",
            (~complete).double(),
            at_most=0.0,
            tag="observed",
            reason="a run that ends early shows nothing",
        ),
    )


def path_is_followed(measured: Approach) -> tuple[Check, ...]:
    """The distance at the smallest scale, of the first stage too, and its fall."""
    least, far = float(measured.scales[-1]), measured.far
    smallest = f"$10^{{{math.log10(least):.0f}}}$"
    resolution = "ten times the resolution of curves made of segments"
    told_apart = far.clamp(min=RESOLVED)
    return (
        Check.each(
            f"first stage: distance from the path at scale {least:.0e}",
            measured.first,
            math=f"first stage: distance from the path at scale {smallest}",
            at_most=10 * RESOLVED,
            tag="derived",
            reason=f"the theorem has the limit of vanishing scale; {resolution}",
            precision=True,
        ),
        Check.each(
            "distance from the path at the smallest scale over that at the largest",
            told_apart[:, -1] / told_apart[:, 0],
            at_most=1.0,
            tag="observed",
            reason="what the limit of vanishing scale lets expect; a distance below "
            "the resolution of the curves, 1e-4, counts as that",
        ),
        Check.each(
            f"distance from the path at scale {least:.0e}",
            far[:, -1],
            math=f"distance from the path at scale {smallest}",
            at_most=10 * RESOLVED,
            tag="observed",
            reason=resolution,
        ),
        Check.each(
            f"saddles passed at scale {least:.0e}: distance",
            measured.missed,
            math=f"saddles passed at scale {smallest}: distance",
            at_most=10 * RESOLVED,
            tag="observed",
            reason=resolution,
            precision=True,
        ),
    )


def start_of_size(apart: Tensor) -> Control:
    """Distances (B,) from the path of flows from a start that is not small."""
    return Control(
        "start of scale 0.02 instead",
        Check.each(
            "distance from the path",
            apart,
            at_least=0.02,
            tag="observed",
            reason="twenty times the bar of the claim",
        ),
    )
