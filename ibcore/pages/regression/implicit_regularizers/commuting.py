"""Flows of commuting and of other parametrizations beside mirror flow: what is drawn
and measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.evidence import attempt
from ibcore.oracles.equations import refuse_dependent_rows
from ibcore.pages.regression.implicit_regularizers.runs import (
    ANGLE,
    FEATURES,
    PARAMETRIZATIONS,
    Make,
    Problem,
    connected,
    drawn,
    flow,
    mirror_flow,
    skewed,
    square,
    turned,
    weights_move,
)
from ibcore.validation import InvalidInput, regression_data


@dataclass(frozen=True)
class Problems:
    """B data sets for each of F commuting parametrizations, and B for networks that do
    not commute.

    seeds: (B,), of the corners of squares.      turned: with one layer turned against
    the other.
    connected: fully connected networks, without data.
    """

    commuting: dict[str, tuple[Problem, ...]]
    turned: tuple[Problem, ...]
    connected: tuple[Problem, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class MirrorFlow:
    """What was measured of one commuting parametrization on B data sets, (B,) each, NaN
    where a flow did not fit.

    limit: distance of the end from the interpolant of least Q, relative.      error: of
    that one's certificate.
    path: the largest distance between raw parameters and mirror flow at the stops,
    relative to the end.
    outside: the share of grad Q(w) outside the row space, largest of all stops.
    area: the dual objective apart from twice the area under the loss, over Q at the
    end, largest of all stops.
    rise: the least rise of the dual objective between stops, over Q at the end.
    pace: the largest of 2 t L(t) / Q at the stops.
    weights: distance between the ends with equal and with skewed weights, relative.
    bracket, gap: see `Square`.
    """

    limit: Tensor
    error: Tensor
    path: Tensor
    outside: Tensor
    area: Tensor
    rise: Tensor
    pace: Tensor
    weights: Tensor
    bracket: Tensor
    gap: Tensor


@dataclass(frozen=True)
class Measured:
    """Commuting parametrizations by their names; turned layers and fully connected
    networks, (B,) each.

    turned: distance between the ends with equal and with skewed weights, relative.
    laws: (2, B), how far the gap of a small square is from its law, for turned layers
    and for fully connected networks.
    """

    commuting: dict[str, MirrorFlow]
    turned: Tensor
    laws: Tensor
    broken: tuple[str, ...]


def draw_problems(
    setting: Setting, *, datasets: int, parametrizations: Sequence[str]
) -> Problems:
    """Three normal examples in eight dimensions, for U U^T in five, with targets of a w
    of norm one.
    """
    seeds = tuple(setting.seeds(datasets, "mirror flow"))
    return Problems(
        {
            name: tuple(drawn(PARAMETRIZATIONS[name], seed) for seed in seeds)
            for name in parametrizations
        },
        tuple(drawn(lambda g: turned(FEATURES, 0.3, ANGLE, g), seed) for seed in seeds),
        tuple(drawn(lambda g: connected(FEATURES, 4, 0.5, g), seed) for seed in seeds),
        seeds,
    )


def own_problems(
    setting: Setting,
    X: object,
    y: object,
    *,
    datasets: int,
    parametrizations: Sequence[str],  # noqa: ARG001
) -> Problems:
    """A reader's X (n, 8) with independent rows and y (n,), in units of root mean
    square one and a fit of norm one.

    Parametrizations that are positive are left out, since a positive fit need not
    exist.
    """
    inputs, targets = regression_data(X, y)
    inputs, targets = inputs.double().cpu(), targets.double().cpu()
    if inputs.shape[1] != FEATURES or len(inputs) >= FEATURES:
        raise InvalidInput(
            f"X has shape {tuple(inputs.shape)}, expected fewer than {FEATURES} rows "
            f"of {FEATURES} features."
        )
    refuse_dependent_rows(inputs.numpy())
    inputs = inputs / inputs.square().mean().sqrt()
    size = (torch.linalg.pinv(inputs) @ targets).norm()
    if not size > 0:
        raise InvalidInput("y is zero, and so is the predictor from every start.")
    seeds = tuple(setting.seeds(datasets, "mirror flow"))

    def placed(make: Make) -> tuple[Problem, ...]:
        return tuple(
            Problem(drawn(make, seed).parametrization, inputs, targets / size)
            for seed in seeds
        )

    kept = {
        name: make
        for name, make in PARAMETRIZATIONS.items()
        if not drawn(make, 0).parametrization.positive
    }
    return Problems(
        {name: placed(make)[:1] for name, make in kept.items()},
        placed(lambda g: turned(FEATURES, 0.3, ANGLE, g)),
        placed(lambda g: connected(FEATURES, 4, 0.5, g)),
        seeds,
    )


def measure_flows(problems: Problems, setting: Setting) -> Measured:  # noqa: ARG001
    """Every flow in raw parameters, with equal and with skewed weights; mirror flow,
    programs and squares.
    """
    found, broken = {}, []
    for name, group in problems.commuting.items():
        rows, reasons = attempt(_commuting, zip(group, problems.seeds, strict=False))
        found[name] = MirrorFlow(
            *(_column(rows, field) for field in MirrorFlow.__dataclass_fields__)
        )
        broken += [f"{name}: {reason}" for reason in reasons]
    apart, reasons = attempt(weights_move, problems.turned)
    laws, failed = attempt(
        lambda task: square(*task).law,
        [
            (problem.parametrization, seed)
            for group in (problems.turned, problems.connected)
            for problem, seed in zip(group, problems.seeds, strict=True)
        ],
    )
    return Measured(
        found,
        torch.tensor([float(one) for one in apart], dtype=torch.float64),
        torch.tensor([float(one) for one in laws], dtype=torch.float64).reshape(2, -1),
        (*broken, *reasons, *failed),
    )


def _column(rows: Sequence[object], field: str) -> Tensor:
    return torch.tensor(
        [float(getattr(row, field)) for row in rows], dtype=torch.float64
    )


def _commuting(task: tuple[Problem, int]) -> MirrorFlow:
    """All that is measured on one data set, as tensors of one number."""
    problem, seed = task
    chosen, X, y = problem.parametrization, problem.X, problem.y
    potential = chosen.potential
    if potential is None:
        raise InvalidInput(f"{chosen.name} has no potential.")
    times, mirrored = mirror_flow(problem)
    run = flow(problem, times)
    best = potential.minimizer(X, y)
    size, least = run.w.norm(), potential.value(best.w)
    w = torch.cat([run.path, run.w[None]])
    xi = potential.dual(w)
    nu = xi @ torch.linalg.pinv(X)
    dual = nu @ y - (xi * w).sum(-1) + potential.value(w)
    loss = (run.path @ X.mT - y).square().mean(-1)
    corner = square(chosen, seed)
    other = flow(problem.weighted(skewed(len(y)))).w
    return MirrorFlow(
        (run.w - best.w).norm() / best.w.norm(),
        torch.tensor(best.error),
        ((run.path - mirrored).norm(dim=-1) / size).max(),
        ((xi - nu @ X).norm(dim=-1) / xi.norm(dim=-1)).max(),
        ((dual - 2 * run.areas) / least).abs().max(),
        torch.cat([dual[:1], dual.diff()]).min() / least,
        (2 * torch.tensor(times) * loss / least).max(),
        (other - run.w).norm() / size,
        torch.tensor(corner.size),
        torch.tensor(corner.gap),
    )
