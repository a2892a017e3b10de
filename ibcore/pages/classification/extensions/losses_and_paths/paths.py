"""The flow on the logistic loss beside the regularization path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.dynamics.trajectory import Trajectory, early_ends
from ibcore.evidence import Breakdown, attempt
from ibcore.losses import Logistic
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.oracles.max_margin import MaxMargin
from ibcore.oracles.regularization_path import regularization_path
from ibcore.pages.classification.logistic_regression.runs import LOG_10, draw_solved

EARLY_TIMES = tuple(power * LOG_10 for power in (1, 2, 3, 4, 6, 8, 10, 12))
LATE_TIMES = (1e3, 10**3.5, 1e4)
LEAST_RATE = 0.02  # t^-rate is below e^-20 from log t = 1000 on
SPANNING = (30, 3)  # a shape whose support vectors mostly span the space
DEFICIENT = (12, 8)  # one whose support vectors mostly do not
WIDE = (20, 40)  # more parameters than examples: most, not all, are support vectors


@dataclass(frozen=True)
class Solved:
    """Rows y_i x_i (n, d) and their max-margin solution (d,)."""

    signed: Tensor
    w_hat: Tensor


@dataclass(frozen=True)
class Followed:
    """The flow at K times, (K, d), the path at the same norms, (K, d), and w_hat.

    residuals: (K,), of the path's optimality condition.
    broken: why there is no flow or no path; NaN then.
    """

    theta: Tensor
    path: Tensor
    residuals: Tensor
    w_hat: Tensor
    broken: tuple[str, ...] = ()

    @property
    def to_path(self) -> Tensor:
        """sin of the angle between the flow and the path, (K,)."""
        return sin_angle(self.theta, self.path)

    @property
    def angle(self) -> Tensor:
        """Angle between the flow and the path in radians, from 0 to pi, (K,)."""
        w, v = (u / u.norm(dim=-1, keepdim=True) for u in (self.theta, self.path))
        return 2 * torch.atan2((w - v).norm(dim=-1), (w + v).norm(dim=-1))

    @property
    def to_limit(self) -> Tensor:
        """sin of the angle between the flow and w_hat, (K,)."""
        return sin_angle(self.theta, self.w_hat)


def follow(problem: Solved, log_times: Sequence[float]) -> Followed:
    """The flow from w = 0 at `log_times`, and the path's points of the same norms."""
    start = torch.zeros(1, problem.signed.shape[1], dtype=torch.float64)
    model = Linear(problem.signed)
    run = scipy_flow(model, Logistic(), start, log_time=log_times, tolerance=1e-9)
    return beside_path(problem, run)


def beside_path(problem: Solved, run: Trajectory) -> Followed:
    """A trajectory of one run with the path's points of the same norms."""
    theta = run.theta[:, 0]
    (path,), lost = attempt(
        lambda radii: regularization_path(problem.signed, radii), [theta.norm(dim=1)]
    )
    if isinstance(path, Breakdown):
        points, residuals = torch.full_like(theta, torch.nan), [torch.nan] * len(theta)
    else:
        points = torch.stack([point.w for point in path])
        residuals = [point.residual for point in path]
    return Followed(
        theta,
        points,
        torch.tensor(residuals, dtype=torch.float64),
        problem.w_hat,
        early_ends("flow", run) + lost,
    )


def draw_kind(
    setting: Setting, shape: tuple[int, int], count: int, *, spans: bool
) -> tuple[tuple[Solved, ...], int]:
    """Data sets whose support vectors span the space, or do not; and the rejected."""

    def good(best: MaxMargin) -> bool:
        spanned = int(best.support.sum()) >= shape[1]
        return best.rate >= LEAST_RATE and spanned == spans

    return _draw(setting, shape, count, good)


def _draw(
    setting: Setting,
    shape: tuple[int, int],
    count: int,
    good: Callable[[MaxMargin], bool],
) -> tuple[tuple[Solved, ...], int]:
    pairs, rejected = draw_solved(setting, count, f"path {shape}", shape, good)
    solved = tuple(Solved(problem.signed, best.primal) for problem, best in pairs)
    return solved, rejected


def wide_ratios(setting: Setting, datasets: int) -> Tensor:
    """Angle to the path over that to w_hat at `EARLY_TIMES` where d > n, (datasets, 8).

    Only data are drawn whose support vectors do not span the inputs.
    """
    problems, _ = _draw(
        setting, WIDE, datasets, lambda best: int(best.support.sum()) < WIDE[0]
    )
    followed = [follow(problem, EARLY_TIMES) for problem in problems]
    return torch.stack([one.to_path / one.to_limit for one in followed])
