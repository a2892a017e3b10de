"""The claim diag-q-alpha: gradient flow of u^D - v^D ends where Q_alpha is least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Evidence, attempt
from ibcore.measures.members import column
from ibcore.measures.relative import relative_distance
from ibcore.models.diagonal import Diagonal
from ibcore.oracles.q_alpha import q_alpha_minimizer
from ibcore.pages.regression.linear_networks.diagonal_networks.bars import (
    at_minimizer,
    missed_by,
)
from ibcore.pages.regression.linear_networks.diagonal_networks.networks import (
    REJECTED,
    even_ends,
    flowed,
    own_case,
    with_slack,
)
from ibcore.problems.sparse_regression import Regression

DEPTHS = (2, 3, 4)
EVEN = 0.1  # the scale around which uneven starts vary


@dataclass(frozen=True)
class Problems:
    """B data sets, and C networks (alpha, depth) to be trained on each.

    uneven: u = v for the control, (d,) a data set, log-normal around 0.1.
    """

    data: tuple[Regression, ...]
    networks: tuple[tuple[float, int], ...]
    uneven: tuple[Tensor, ...]
    rejected: int


@dataclass(frozen=True)
class Distances:
    """Of C networks on each of B data sets from what theory predicts, relative.

    alphas, depths: (C,).      networks: (B, C), to the minimizer of Q_alpha.
    missing: (B, C), what the minimizers lack.
    uneven: (B,), from starts of uneven size to the minimizer of Q_0.1.
    """

    alphas: Tensor
    depths: Tensor
    networks: Tensor
    missing: Tensor
    uneven: Tensor
    rejected: int
    broken: tuple[str, ...]


def draw_problems(
    setting: Setting,
    *,
    datasets: int,
    points: int,
    features: int,
    alphas: Sequence[float],
    deep: Sequence[float],
) -> Problems:
    """Sparse targets; depth 2 starts from `alphas`, depths 3 and 4 from `deep`."""
    cases, rejected = setting.draw(
        datasets, "q alpha", lambda g: with_slack(points, features, g)
    )
    return _placed(setting, [case.data for case in cases], alphas, deep, rejected)


def own_problems(
    setting: Setting,
    X: object,
    y: object,
    *,
    datasets: int,  # noqa: ARG001
    points: int,  # noqa: ARG001
    features: int,  # noqa: ARG001
    alphas: Sequence[float],
    deep: Sequence[float],
) -> Problems:
    """A reader's X (n, d) with independent rows and y (n,), see `own_case`."""
    return _placed(setting, [own_case(X, y).data], alphas, deep, 0)


def _placed(
    setting: Setting,
    data: Sequence[Regression],
    alphas: Sequence[float],
    deep: Sequence[float],
    rejected: int,
) -> Problems:
    networks = [(alpha, 2) for alpha in alphas]
    networks += [(alpha, depth) for depth in DEPTHS[1:] for alpha in deep]
    uneven = [
        _uneven(one.X.shape[1], seed)
        for one, seed in zip(
            data, setting.seeds(len(data), "q alpha uneven"), strict=True
        )
    ]
    return Problems(tuple(data), tuple(networks), tuple(uneven), rejected)


def _uneven(features: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return EVEN * torch.randn(features, generator=generator, dtype=torch.float64).exp()


def measure_networks(problems: Problems, setting: Setting) -> Distances:  # noqa: ARG001
    """Networks trained in their own parameters against the minimizers of Q_alpha."""
    shape = (len(problems.data), len(problems.networks))
    ends, broken = even_ends(
        [(data, *network) for data in problems.data for network in problems.networks]
    )
    uneven, stopped = attempt(
        lambda task: uneven_distance(*task),
        zip(problems.data, problems.uneven, strict=True),
    )
    alphas, depths = torch.tensor(problems.networks, dtype=torch.float64).T
    return Distances(
        alphas,
        depths,
        ends.distances.reshape(shape),
        ends.missing.reshape(shape),
        column(uneven),
        problems.rejected,
        (*broken, *stopped),
    )


def uneven_distance(data: Regression, sizes: Tensor) -> Tensor:
    """From u = v = `sizes` (d,): relative distance to the minimizer for one alpha."""
    found = flowed(
        Diagonal(data.X), data, sizes.repeat(2), "uneven start", tolerance=1e-6
    )
    return relative_distance(found, q_alpha_minimizer(data.X, data.y, EVEN).primal)


@claim(
    kind="theorem",
    source="Woodworth et al. 2020, theorems on the networks u^2 - v^2 and u^D - v^D "
    "(recalled); that the flow fits the data: on the page",
    statement=r"Gradient flow on the square loss of $\beta = u^D - v^D$ from $u = v = "
    r"\alpha$, for independent rows of $X$, ends at the interpolant of least "
    r"$Q_\alpha$, at every scale $\alpha$ and every depth $D \ge 2$: $\beta = 2 "
    r"\alpha^2 \sinh(X^T \nu)$ for $D = 2$ and $\alpha^D h_D(X^T \nu)$ above.",
    quick={
        "datasets": 2,
        "points": 6,
        "features": 16,
        "alphas": (1.0, 1e-6),
        "deep": (0.3,),
    },
    book={
        "datasets": 4,
        "points": 20,
        "features": 60,
        "alphas": (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
        "deep": (1.0, 0.1),
    },
    full={
        "datasets": 10,
        "points": 40,
        "features": 200,
        "alphas": (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
        "deep": (1.0, 0.3, 0.1),
    },
    draw=draw_problems,
    measure=measure_networks,
    own=own_problems,
)
def diag_q_alpha(measured: Distances) -> Evidence:
    """Every network ends at its minimizer, and one from an uneven start does not."""
    checks = (
        _certified(measured.missing),
        *(
            at_minimizer(
                f"depth {depth}: relative distance to the minimizer",
                measured.networks[:, measured.depths == depth],
            )
            for depth in DEPTHS
        ),
    )
    control = missed_by(
        "coordinates that start at different sizes",
        "relative distance to the minimizer of Q_0.1",
        measured.uneven,
        0.01,
        reason="ten million times the bar of the claim; 0.07 or more on 22 data sets",
        math="relative distance to the minimizer of $Q_{0.1}$",
    )
    notes = {"networks": measured.networks.numel(), REJECTED: measured.rejected}
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _certified(missing: Tensor) -> Check:
    return Check.each(
        "Newton's method: residual or next correction",
        missing,
        at_most=1e-11,
        tag="derived",
        reason="the conditions of optimality; Newton's method goes on to rounding",
        precision=True,
    )
