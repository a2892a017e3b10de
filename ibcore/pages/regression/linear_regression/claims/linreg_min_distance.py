"""The interpolant closest to the start, by descent, heavy ball and SGD."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics import paces
from ibcore.dynamics.batches import epochs
from ibcore.dynamics.directions import Adam, Momentum
from ibcore.dynamics.events import short_gradient
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import LogCosh, Loss, Square
from ibcore.models.linear import Linear
from ibcore.oracles.least_squares import LeastSquares, descent_from_zero, minimum_norm
from ibcore.pages.regression.linear_regression.runs import (
    FITTED,
    drawn,
    fitted,
    outside,
    own,
    relative,
)
from ibcore.problems.interpolation import Interpolation

EARLY = 20  # steps after which descent is compared with its closed form
ADAM_FITS = 1e-8  # loss at which a run of Adam counts as fitted
_PURPOSE = "closest interpolant"


@dataclass(frozen=True)
class Problems:
    """B interpolation problems and what theory predicts of them.

    fit: the shortest w_inf - w_0, weights (B, d).
    early: w - w_0 after `EARLY` steps of descent, (B, d).
    step: 1 over the Lipschitz constant of the gradient, (B,).
    order: seed of the order of SGD's examples.
    """

    data: Interpolation
    fit: LeastSquares
    early: Tensor
    step: Tensor
    order: int

    @property
    def squares(self) -> Objective:
        """The mean square loss."""
        return Objective(Linear(self.data.X), Square(), self.data.y, shared=False)


@dataclass(frozen=True)
class Distances:
    """How far from w_inf the methods end, relative to |w_inf - w_0|.

    certificate: (B,) the larger of residual and part outside the row space of the
    prediction.
    ends: by method, (B,).
    outside: (M, B), the part of w - w_0 outside the row space.
    early: (B,), relative distance to the closed form after `EARLY` steps.
    adam: (B,), where Adam ends; NaN for a run that does not fit.
    """

    certificate: Tensor
    ends: dict[str, Tensor]
    outside: Tensor
    early: Tensor
    adam: Tensor


def draw_problems(setting: Setting, *, problems: int, n: int, d: int) -> Problems:
    """Normal examples with a random start for each data set."""
    return _predicted(drawn(setting, problems, n, d, _PURPOSE), setting)


def own_problems(
    setting: Setting,
    X: object,
    y: object,
    *,
    problems: int,
    n: int,  # noqa: ARG001
    d: int,  # noqa: ARG001
) -> Problems:
    """A reader's X (n, d) and y (n,) with `problems` random starts; see `runs.own`."""
    return _predicted(own(setting, X, y, problems, _PURPOSE), setting)


def _predicted(data: Interpolation, setting: Setting) -> Problems:
    missed = data.y - data.outputs(data.start)
    step = data.X.shape[-2] / (2 * torch.linalg.matrix_norm(data.X, 2).square())
    return Problems(
        data,
        minimum_norm(data.X, missed),
        descent_from_zero(data.X, missed, step, EARLY),
        step,
        setting.seeds(1, f"{_PURPOSE} order")[0],
    )


def measure_distances(problems: Problems, setting: Setting) -> Distances:  # noqa: ARG001
    """Four methods and Adam from the same starts."""
    data, fit = problems.data, problems.fit
    ends = {
        "gradient descent": _descent(problems, Square(), 1.5, 3000),
        "log cosh loss": _descent(problems, LogCosh(), 2.0, 6000),
        "heavy ball": _heavy_ball(problems),
        "SGD, one example a step": _stochastic(problems),
    }
    moved = {name: w - data.start for name, w in ends.items()}
    pace = paces.constant(problems.step)
    early = descend(problems.squares, data.start, pace, steps=[EARLY]).last
    return Distances(
        torch.maximum(fit.residual, fit.outside),
        {name: relative(move, fit.weights) for name, move in moved.items()},
        torch.stack([outside(data.X, move) for move in moved.values()]),
        relative(early - data.start, problems.early),
        _adam(problems),
    )


def _descent(problems: Problems, loss: Loss, scale: float, steps: int) -> Tensor:
    """Where descent with `scale` times the step ends, (B, d): at a short gradient."""
    data = problems.data
    lengths = torch.linalg.vector_norm(data.y, dim=-1) / data.y.shape[-1]
    slope = 1.0 if isinstance(loss, Square) else 0.5
    return descend(
        Objective(Linear(data.X), loss, data.y, shared=False),
        data.start,
        paces.constant(scale * problems.step),
        steps=[steps],
        until=short_gradient(slope * float(FITTED * lengths.min())),
        max_seconds=math.inf,
    ).last


def _heavy_ball(problems: Problems) -> Tensor:
    return descend(
        problems.squares,
        problems.data.start,
        paces.constant(float(problems.step.min())),
        direction=Momentum(0.8),
        until=fitted,
        max_steps=3000,
        max_seconds=math.inf,
    ).last


def _stochastic(problems: Problems) -> Tensor:
    data = problems.data
    n, d = data.X.shape[-2:]
    generator = torch.Generator().manual_seed(problems.order)
    return descend(
        problems.squares,
        data.start,
        paces.constant(0.5 / float(data.X.square().sum(-1).max())),
        batches=epochs(1, generator),
        until=fitted,
        ask_every=n,
        max_steps=200 * d * n,
        max_seconds=math.inf,
    ).last


def _adam(problems: Problems) -> Tensor:
    """Relative distance (B,) from Adam's end to the prediction; NaN without a fit."""
    run = descend(
        problems.squares,
        problems.data.start,
        paces.Cosine(0.05, 1500),
        log_loss=[math.log(1e-16)],
        direction=Adam(),
        max_steps=1500,
        max_seconds=math.inf,
    )
    away = relative(run.last - problems.data.start, problems.fit.weights)
    return torch.where(run.last_log_loss <= math.log(ADAM_FITS), away, math.nan)


@claim(
    kind="theorem",
    source="Gunasekar, Lee, Soudry and Srebro 2018 for losses with a unique finite "
    "root (recalled); stochastic steps: Azizan and Hassibi 2019 (recalled); proved on "
    "the page",
    statement="On data with independent rows, fewer than dimensions, gradient descent, "
    "heavy ball and SGD on the square loss, with steps below their limits, converge to "
    "the interpolant closest to their start; so does gradient descent on any loss of "
    "the outputs, if it converges to an interpolant.",
    quick={"problems": 8, "n": 10, "d": 30},
    book={"problems": 40, "n": 20, "d": 60},
    full={"problems": 400, "n": 50, "d": 200},
    draw=draw_problems,
    measure=measure_distances,
    own=own_problems,
)
def linreg_min_distance(measured: Distances) -> Evidence:
    """Four methods from random starts, against w_0 + X^+ (y - X w_0)."""
    checks = (
        Check.each(
            "prediction: residual, part outside the row space",
            measured.certificate,
            at_most=1e-13,
            tag="derived",
            reason="the two conditions that only the closest interpolant meets; "
            "rounding",
            precision=True,
        ),
        *(_at_prediction(name, far) for name, far in measured.ends.items()),
        Check.each(
            "all: part of w - w_0 outside the row space",
            measured.outside,
            at_most=1e-12,
            tag="proved",
            math="all: part of $w - w_0$ outside the row space",
            reason="gradients are combinations of the rows; rounding of all steps",
            precision=True,
        ),
        Check.each(
            f"after {EARLY} steps: distance to the closed form",
            measured.early,
            at_most=1e-12,
            tag="derived",
            reason="a geometric sum in the singular vectors; rounding",
            precision=True,
        ),
    )
    return Evidence(checks, _adam_control(measured.adam))


def _at_prediction(name: str, distances: Tensor) -> Check:
    return Check.each(
        f"{name}: relative distance to the prediction",
        distances,
        at_most=1e-12,
        tag="proved",
        reason="runs end at a residual of 1e-14, which the smallest singular value "
        "magnifies a few times; rounding of all steps",
        precision=True,
    )


def _adam_control(away: Tensor) -> Control:
    """Adam as if it were one of the methods; `away` (B,) is NaN without a fit."""
    return Control(
        "Adam, run to a loss of 1e-8 or less",
        Check.share(
            "relative distance to the prediction at most 0.1",
            away,
            at_most=0.1,
            most=0.25,
            tag="observed",
            reason="1e11 times the bar of the claim",
        ),
        math="Adam, run to a loss of $10^{-8}$ or less",
    )
