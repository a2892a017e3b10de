"""Data that nothing separates, what theory predicts on them, and the flow there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.log_time import flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.losses import Logistic
from ibcore.models import Linear
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.oracles.separability import (
    NonseparableLimit,
    minimizer_drift,
    nonseparable_limit,
)
from ibcore.pages.classification.logistic_regression.runs import LEAST_RATE
from ibcore.problems.separable import PlantedSplit, planted_split

INSEPARABLE, SEPARABLE, FEATURES, SPAN = 16, 12, 6, 2
Solved = tuple[PlantedSplit, NonseparableLimit, MaxMargin]


@dataclass(frozen=True)
class Splits:
    """B planted splits with what Ji and Telgarsky's theorem predicts for each.

    signed: (B, n, d) rows y_i x_i.
    rest: (B, n_rest, d), those of the inseparable points.
    separable, off_span: (B, n_separable, d), those of the separable points and their
    projections off the span.
    projectors: (B, d, d) onto the span.
    minimizers: (B, d) in the span.
    directions: (B, d) max-margin solutions off the span.
    drifts: (B,) norms of the predicted t (w - minimizer) in the span.
    gradients: (B,) norms of the gradient at the minimizers, their certificates.
    disagreed: draws in which the linear program found another split.
    """

    signed: Tensor
    rest: Tensor
    separable: Tensor
    off_span: Tensor
    projectors: Tensor
    minimizers: Tensor
    directions: Tensor
    drifts: Tensor
    gradients: Tensor
    rejected: int
    disagreed: int

    @classmethod
    def draw(cls, setting: Setting, count: int) -> Splits:
        """Splits with real overlap and a rate of at least `LEAST_RATE` off the span.

        Whether the points in the plane overlap is decided by their angles. A draw in
        which the linear program then finds another split is a disagreement.
        """
        disagreed: list[PlantedSplit] = []
        kept, others = setting.draw(count, "split", partial(_solved, disagreed))
        parts = [_parts(*one) for one in kept]
        tensors = {
            name: torch.stack([part[name] for part in parts]).to(setting.device)
            for name in parts[0]
        }
        return cls(
            **tensors,
            rejected=others - len(disagreed),
            disagreed=len(disagreed),
        )

    def inside(self, theta: Tensor) -> Tensor:
        """Components of (..., B, d) parameters in the span."""
        return (self.projectors @ theta[..., None])[..., 0]

    def flow(self, log_time: Sequence[float] | Tensor, **options: Any) -> Trajectory:
        """Gradient flow from w = 0 on all points; options as for `log_time.flow`."""
        start = torch.zeros_like(self.minimizers)
        model = Linear(self.signed)
        return flow(model, Logistic(), start, log_time=log_time, **options)


def _solved(disagreed: list[PlantedSplit], generator: torch.Generator) -> Solved | None:
    problem = planted_split(INSEPARABLE, SEPARABLE, FEATURES, SPAN, generator)
    if not surrounds(problem.signed[problem.overlap] @ problem.basis):
        return None
    limit = nonseparable_limit(problem.X, problem.y)
    if not bool((~limit.separable == problem.overlap).all()):
        disagreed.append(problem)
        return None
    part = problem.X[limit.separable]
    part = part - part @ limit.basis @ limit.basis.T
    solution = max_margin(part, problem.y[limit.separable])
    return (problem, limit, solution) if solution.rate >= LEAST_RATE else None


def surrounds(rows: Tensor) -> bool:
    """Whether directions (n, 2) leave no open half-plane empty, by their angles."""
    angles = torch.atan2(rows[:, 1], rows[:, 0]).sort().values
    around = angles[:1] - angles[-1:] + 2 * torch.pi
    return bool(torch.cat([angles.diff(), around]).max() < torch.pi)


def _parts(
    problem: PlantedSplit, limit: NonseparableLimit, solution: MaxMargin
) -> dict[str, Tensor]:
    """The fields of `Splits` that are tensors, of one problem."""
    projector = limit.basis @ limit.basis.T
    separable = problem.signed[limit.separable]
    drift = minimizer_drift(problem.X, problem.y, limit, solution.dual)
    return {
        "signed": problem.signed,
        "rest": problem.signed[~limit.separable],
        "separable": separable,
        "off_span": separable - separable @ projector,
        "projectors": projector,
        "minimizers": limit.minimizer,
        "directions": solution.primal,
        "drifts": drift.norm(),
        "gradients": torch.tensor(limit.gradient_norm, dtype=torch.float64),
    }


def frozen_flow(
    splits: Splits, theta: Tensor, log_time: float, log_times: Tensor
) -> Tensor:
    """The flow off the span from `theta` (B, d) at `log_time` on, the part inside held.

    The mean over the separable points alone speeds time up by n / n_separable; log t is
    shifted back. Returns the parameters off the span at the K `log_times`, (K, B, d),
    NaN for members that are NaN in `theta`.
    """
    whole = theta.isfinite().all(-1)
    theta = theta.where(whole[:, None], 0.0)
    inside = splits.inside(theta)
    shift = math.log(splits.signed.shape[1] / splits.separable.shape[1])
    log_times = log_times.to(theta)
    elapsed = log_times - shift + torch.log1p(-torch.exp(log_time - log_times))
    model = Linear(splits.off_span, (splits.separable @ inside[..., None])[..., 0])
    run = flow(model, Logistic(), theta - inside, log_time=elapsed)
    return run.theta.masked_fill(~whole[:, None], torch.nan)


def excess_shares(splits: Splits, thetas: Tensor, log_times: Sequence[float]) -> Tensor:
    """The loss above its infimum at K times over what is proved of it, (K, B).

    thetas: (K, B, d). The loss at any z plus |z|^2 / (2 t) is a bound on the loss at
    time t; it is taken at the minimizer plus log t times the max-margin solution off
    the span.
    """
    n, u = splits.signed.shape[1], thetas.new_tensor(log_times)[:, None]

    def share(rows: Tensor, w: Tensor) -> Tensor:
        margins = torch.einsum("bnd,...bd->...bn", rows, w)
        return Logistic().log_value(margins).exp().sum(-1) / n

    excess = share(splits.rest, thetas) - share(splits.rest, splits.minimizers)
    excess = excess + share(splits.separable, thetas)
    z = splits.minimizers + u[..., None] * splits.directions
    worst = torch.einsum("bnd,bd->bn", splits.separable, splits.minimizers).abs()
    some = splits.separable.shape[1] / n * torch.exp(worst.amax(-1))
    return excess * torch.exp(u) / (some + z.square().sum(-1) / 2)


def watched_parts(splits: Splits, log_times: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the minimizer in the span, and norm off it, along the flow, (K, B)."""
    whole = splits.flow(log_times).theta
    inside = splits.inside(whole)
    return (inside - splits.minimizers).norm(dim=-1), (whole - inside).norm(dim=-1)
