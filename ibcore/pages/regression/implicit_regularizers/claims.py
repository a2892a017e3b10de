"""Implicit regularizers: gradient flow under a commuting parametrization is mirror
flow, fits, and minimizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.evidence import Check, Control, Evidence, attempt
from ibcore.oracles.equations import refuse_dependent_rows
from ibcore.pages.regression.implicit_regularizers.runs import (
    ANGLE,
    FEATURES,
    FRACTIONS,
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

EXACT = 1e-7
_DRIFT = (
    "the integrator has a tolerance of $10^{-10}$ a step; over some three hundred "
    "steps its errors add up to some $10^{-9}$ where the program is well conditioned, "
    "and a hundred times that is left for data where it is not"
)
_SAME = "the precision of the limits, for the same reason"


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


@claim(
    kind="theorem",
    source="Li, Wang, Lee and Arora 2022 (abstract read, theorem recalled) for mirror "
    "flow; Woodworth et al. 2020, Azulay et al. 2021 and Gunasekar et al. 2017 "
    "(abstracts read, theorems recalled) for the potentials. Proved on the page, with "
    "convergence",
    statement=r"If the gradients of the coordinates of $w = G(\theta)$ commute and "
    r"span, gradient flow of $\frac1n \|X G(\theta) - y\|^2$ is mirror flow of $w$ "
    "with a potential $Q$ that depends on $G$ and the start alone. Its dual variable "
    "ascends a strictly concave function, which rises by $2L$ per unit of time. So "
    "the flow fits whatever can be fitted, and its limit has the least $Q$ of all $w$ "
    "that fit, however the examples are weighted.",
    quick={
        "datasets": 8,
        "parametrizations": ("u^2 - v^2", "u^3 - v^3", "U U^T"),
    },
    book={"datasets": 10, "parametrizations": tuple(PARAMETRIZATIONS)},
    full={"datasets": 100, "parametrizations": tuple(PARAMETRIZATIONS)},
    draw=draw_problems,
    measure=measure_flows,
    own=own_problems,
)
def commuting_mirror_flow(measured: Measured) -> Evidence:
    """Flows in raw parameters against certified programs, mirror flow, and themselves
    with other weights.
    """
    found = measured.commuting
    checks = (
        *_limits(found),
        *_paths(found),
        *_duals(found),
        *_orders(found, measured.laws),
    )
    control = Control(
        "one layer turned against the other, so that nothing commutes",
        Check.share(
            "other weights move the limit by at most 1e-4, relative",
            measured.turned,
            at_most=1e-4,
            most=0.25,
            tag="observed",
            math="other weights move the limit by at most $10^{-4}$, relative",
            reason="a thousand times the bar of the claim",
        ),
    )
    notes = {"data sets for each parametrization": len(measured.turned)}
    return Evidence(checks, control, {}, notes, measured.broken)


def _all(found: dict[str, MirrorFlow], field: str) -> Tensor:
    """One quantity of all parametrizations, (F B,)."""
    empty = torch.full((1,), math.nan, dtype=torch.float64)
    return torch.cat([getattr(one, field) for one in found.values()] or [empty])


def _limits(found: dict[str, MirrorFlow]) -> tuple[Check, ...]:
    """Where the flows end, parametrization by parametrization."""
    return (
        Check.each(
            "certificates of the programs: residual, stationarity and gap",
            _all(found, "error"),
            at_most=1e-11,
            tag="derived",
            reason="the conditions of optimality; Newton's method goes on to rounding",
            precision=True,
        ),
        *(
            Check.each(
                f"{name}: distance of the limit from the least Q, relative",
                one.limit,
                at_most=EXACT,
                tag="proved",
                math=f"${_formula(name)}$: distance of the limit from the least $Q$, "
                "relative",
                reason="as in the line above" if place else _DRIFT,
                precision=True,
            )
            for place, (name, one) in enumerate(found.items())
        ),
    )


def _formula(name: str) -> str:
    return name.replace("u+ v+ - u- v-", "u_+ v_+ - u_- v_-").replace("U^T", r"U^\top")


def _paths(found: dict[str, MirrorFlow]) -> tuple[Check, ...]:
    """The way there, and that weights do not matter."""
    return (
        Check.each(
            f"raw parameters against mirror flow at {len(FRACTIONS)} times, relative",
            _all(found, "path"),
            at_most=EXACT,
            tag="proved",
            reason=_SAME,
            precision=True,
        ),
        Check.each(
            "share of grad Q(w) outside the row space, at all times",
            _all(found, "outside"),
            at_most=EXACT,
            tag="proved",
            math=r"share of $\nabla Q(w)$ outside the row space, at all times",
            reason=_SAME,
            precision=True,
        ),
        Check.each(
            "other weights move the limit, relative",
            _all(found, "weights"),
            at_most=EXACT,
            tag="proved",
            reason=_SAME,
            precision=True,
        ),
    )


def _duals(found: dict[str, MirrorFlow]) -> tuple[Check, ...]:
    """That the dual objective rises, how fast, and what follows for the loss."""
    return (
        Check.each(
            "dual objective apart from twice the area under the loss, over Q",
            _all(found, "area"),
            at_most=10 * EXACT,
            tag="proved",
            math="dual objective apart from twice the area under the loss, over $Q$",
            reason=f"{_SAME}; ten times more, since $Q$ is smaller than the terms of "
            "the dual objective",
            precision=True,
        ),
        Check.each(
            "rise of the dual objective from stop to stop, over Q",
            _all(found, "rise"),
            at_least=0,
            tag="proved",
            math="rise of the dual objective from stop to stop, over $Q$",
            reason="gradient ascent never falls",
        ),
        Check.each(
            "2 t L(t) over the least Q, at all stops",
            _all(found, "pace"),
            at_most=1,
            tag="proved",
            math="$2 t L(t)$ over the least $Q$, at all stops",
            reason="the loss never rises, and twice the area under it is at most the "
            "least $Q$",
        ),
    )


def _orders(found: dict[str, MirrorFlow], laws: Tensor) -> tuple[Check, ...]:
    """Brackets, and squares walked around in both orders; laws: (2, B)."""
    return (
        Check.each(
            "size of the brackets, relative",
            _all(found, "bracket"),
            at_most=1e-13,
            tag="proved",
            reason="zero by algebra, and rounded a few hundred times",
            precision=True,
        ),
        Check.each(
            "gap between two orders around a square, relative",
            _all(found, "gap"),
            at_most=1e-9,
            tag="proved",
            reason="zero; the integrator's tolerance of $10^{-13}$, divided by the "
            "square $0.05^2$ of the side, and some twenty times that",
            precision=True,
        ),
        Check.each(
            "without commutation: gap of a square against side^2 J [V_1, V_2], "
            "relative",
            laws,
            at_most=0.02,
            tag="derived",
            math="without commutation: gap of a square against $s^2 J [V_1, V_2]$, "
            "relative",
            reason="the correction is of the order of the squared side, $0.05^2$ in "
            "the unit of the curvature of $G$, with a factor of about 1; eight times "
            "that",
            repeats=0.3,
        ),
    )
