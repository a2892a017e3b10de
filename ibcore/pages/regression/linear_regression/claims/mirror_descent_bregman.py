"""The Bregman projection of the start, reached by mirror descent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.mirror_descent import mirror_descent, natural_descent
from ibcore.evidence import Check, Control, Evidence, attempt
from ibcore.oracles.bregman_projection import bregman_projection
from ibcore.pages.regression.linear_regression.runs import (
    FITTED,
    drawn,
    outside,
    own,
    relative,
)
from ibcore.potentials import Entropy, Hypentropy, PNorm, Potential
from ibcore.problems.interpolation import Interpolation

ENTROPY = "entropy"
POTENTIALS: dict[str, Potential] = {
    "p = 1.5": PNorm(1.5),
    "p = 3": PNorm(3.0),
    "hypentropy, beta = 1": Hypentropy(1.0),
    "hypentropy, beta = 1e-2": Hypentropy(1e-2),
    "hypentropy, beta = 1e-4": Hypentropy(1e-4),
    ENTROPY: Entropy(),
}
LABELS = {
    "p = 1.5": "$p = 1.5$",
    "p = 3": "$p = 3$",
    "hypentropy, beta = 1": r"hypentropy, $\beta = 1$",
    "hypentropy, beta = 1e-2": r"hypentropy, $\beta = 10^{-2}$",
    "hypentropy, beta = 1e-4": r"hypentropy, $\beta = 10^{-4}$",
    ENTROPY: "entropy",
}
NATURAL_FITS = 1e-8  # |X w - y| / |y| at which a run of the natural gradient ends
FULL, HALF = 1.0, 0.5  # steps of the natural gradient
_PURPOSE = "mirror regression"


@dataclass(frozen=True)
class Projections:
    """The predictions for one potential on B problems.

    best: (B, d), NaN where no projection was found.
    certificate: (B,), the largest of residual, gap and part
    outside the row space.      broken: why projections failed.
    """

    data: Interpolation
    best: Tensor
    certificate: Tensor
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Problems:
    """The problems by potential."""

    projections: dict[str, Projections]


@dataclass(frozen=True)
class Mirrored:
    """Mirror descent with one potential on B problems, and its prediction.

    w: (B, d), NaN for a run that did not fit.
    best, certificate: see `Projections`.
    moved: (B,) the part of the mirrored move outside the row space.
    """

    w: Tensor
    best: Tensor
    certificate: Tensor
    moved: Tensor


@dataclass(frozen=True)
class MirrorRuns:
    """Mirror descent by potential, and the natural gradient for the entropy.

    natural: (2, B), relative distances to the projection with full and with half steps,
    NaN without a fit.
    """

    runs: dict[str, Mirrored]
    natural: Tensor
    broken: tuple[str, ...]

    @property
    def table(self) -> Tensor:
        """Distances of the end with one potential to the projection of another.

        (P, P, B), relative, without the entropy, whose problems have other labels.
        """
        runs = [run for name, run in self.runs.items() if name != ENTROPY]
        rows = [[relative(run.w, other.best) for other in runs] for run in runs]
        return torch.stack([torch.stack(row) for row in rows])


def draw_projections(setting: Setting, *, problems: int, n: int, d: int) -> Problems:
    """Normal examples with random starts, projected with every potential."""
    return _projected(drawn(setting, problems, n, d, _PURPOSE))


def own_projections(
    setting: Setting,
    X: object,
    y: object,
    *,
    problems: int,
    n: int,  # noqa: ARG001
    d: int,  # noqa: ARG001
) -> Problems:
    """A reader's X (n, d) and y (n,) with `problems` random starts; see `runs.own`.

    For the entropy the labels are those of a positive predictor, the absolute values of
    the shortest one.
    """
    return _projected(own(setting, X, y, problems, _PURPOSE))


def _projected(data: Interpolation) -> Problems:
    return Problems(
        {
            name: _projection(data.positive() if name == ENTROPY else data, psi)
            for name, psi in POTENTIALS.items()
        }
    )


def _projection(data: Interpolation, psi: Potential) -> Projections:
    found, broken = attempt(
        lambda one: bregman_projection(*one, psi),
        zip(data.X, data.y, data.start, strict=True),
    )
    best = [torch.as_tensor(one.w).to(data.X).expand(data.X.shape[-1]) for one in found]
    certificate = [[one.residual, one.outside, abs(one.gap)] for one in found]
    return Projections(
        data, torch.stack(best), torch.tensor(certificate).amax(-1), broken
    )


def measure_runs(problems: Problems, setting: Setting) -> MirrorRuns:  # noqa: ARG001
    """Mirror descent with every potential; natural gradient with two step sizes."""
    cases = problems.projections
    runs = {name: _mirrored(one, POTENTIALS[name]) for name, one in cases.items()}
    natural = [_natural_distances(cases[ENTROPY], size) for size in (FULL, HALF)]
    broken = tuple(reason for one in cases.values() for reason in one.broken)
    return MirrorRuns(runs, torch.stack(natural), broken)


def _mirrored(problem: Projections, psi: Potential) -> Mirrored:
    data = problem.data
    run = mirror_descent(data.X, data.y, data.start, psi, tolerance=FITTED)
    w = torch.where(run.converged[:, None], run.last, math.nan)
    moved = psi.mirror(w) - psi.mirror(data.start)
    return Mirrored(w, problem.best, problem.certificate, outside(data.X, moved))


def _natural_distances(problem: Projections, step_size: float) -> Tensor:
    """Relative distances (B,) of the natural gradient's ends; NaN without a fit."""
    data = problem.data
    run = natural_descent(
        data.X,
        data.y,
        data.start,
        Entropy(),
        step_size=step_size,
        tolerance=NATURAL_FITS,
    )
    return torch.where(run.converged, relative(run.last, problem.best), math.nan)


@claim(
    kind="theorem",
    source="Gunasekar, Lee, Soudry and Srebro 2018 (recalled); Azizan and Hassibi 2019 "
    "(recalled); proved on the page",
    statement=r"Mirror descent with a strictly convex Legendre potential $\psi$, with "
    r"any steps, if it converges to an interpolant inside the domain of $\psi$, ends "
    r"at the interpolant of least Bregman divergence $D_\psi(w, w_0)$ from its start.",
    quick={"problems": 8, "n": 10, "d": 30},
    book={"problems": 16, "n": 10, "d": 30},
    full={"problems": 100, "n": 20, "d": 60},
    draw=draw_projections,
    measure=measure_runs,
    own=own_projections,
)
def mirror_descent_bregman(measured: MirrorRuns) -> Evidence:
    """Six potentials, each against its projection and those of the others."""
    table = measured.table
    others = table[~torch.eye(len(table), dtype=torch.bool)].amin(0)
    return Evidence(
        _mirror_checks(measured.runs, others),
        _natural_control(measured.natural[0]),
        broken=measured.broken,
    )


def _mirror_checks(runs: dict[str, Mirrored], others: Tensor) -> tuple[Check, ...]:
    """others: (B,) the smallest distance to the projection for another potential."""
    return (
        Check.each(
            "projections: residual, gap, part of the mirrored move outside the row "
            "space",
            torch.cat([run.certificate for run in runs.values()]),
            at_most=1e-11,
            tag="derived",
            reason="the conditions of optimality; Newton's method goes on to rounding",
            precision=True,
        ),
        *(_at_projection(name, run) for name, run in runs.items()),
        Check.each(
            "all: part of the mirrored move outside the row space",
            torch.cat([run.moved for run in runs.values()]),
            at_most=1e-10,
            tag="proved",
            reason="every step moves the mirrored vector by a combination of rows; "
            "rounding",
            precision=True,
        ),
        Check.each(
            "distance to the nearest projection for another potential",
            others,
            at_least=1e-3,
            tag="observed",
            reason="1e7 times the bar of the runs: the rows above tell the potentials "
            "apart",
        ),
    )


def _at_projection(name: str, run: Mirrored) -> Check:
    return Check.each(
        f"{name}: relative distance to the projection",
        relative(run.w, run.best),
        at_most=1e-10,
        tag="proved",
        math=f"{LABELS[name]}: relative distance to the projection",
        reason="runs end at a residual of 1e-14, which the smallest singular value and "
        "the spread of the potential's curvatures magnify",
        precision=True,
    )


def _natural_control(distances: Tensor) -> Control:
    return Control(
        "the natural gradient for the entropy, with full steps",
        Check.share(
            "relative distance to the projection at most 1e-3",
            distances,
            at_most=1e-3,
            most=0.25,
            tag="observed",
            math="relative distance to the projection at most $10^{-3}$",
            reason="ten million times the bar of the claim",
        ),
    )
