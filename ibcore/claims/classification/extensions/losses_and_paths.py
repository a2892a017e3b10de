"""Other losses and finite times: several classes, tails that are powers, and the regularization path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ibcore.claims import Setting, claim
from ibcore.claims.classification.logistic_regression import LEAST_RATE, draw_solved
from ibcore.dynamics.protocols import TailLoss
from ibcore.dynamics.scipy_flow import scipy_flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Check, Control, Evidence, fraction
from ibcore.losses import ConvexTail, CrossEntropy, Exponential, Logistic
from ibcore.measures import sin_angle, slope
from ibcore.models import Linear
from ibcore.oracles.max_margin import MaxMargin
from ibcore.oracles.multiclass import multiclass_max_margin
from ibcore.oracles.regularization_path import (
    PathPoint,
    regularization_path,
    tail_limit,
)
from ibcore.problems.separable import PlantedMargin
from ibcore.problems.several_classes import SeveralClasses, planted_classes

LOG_10 = float(np.log(10))


@dataclass(frozen=True)
class ManyClasses:
    """A problem with its certified solution and the flow on its cross entropy from a random start (1, K d)."""

    problem: SeveralClasses
    solution: MaxMargin
    start: Tensor
    run: Trajectory

    @property
    def weights(self) -> Tensor:
        """Shares of the pairs (i, k) in the gradient at the first stop, (n (K - 1),)."""
        loss = CrossEntropy(len(self.problem.teacher) - 1)
        return torch.softmax(
            loss.log_slope(self.problem.pairs @ self.run.theta[0, 0].cpu()), 0
        )

    @property
    def drift(self) -> float:
        """Largest change of sum_k w_k since the start, over |W|."""
        moved = (
            (self.run.theta[:, 0] - self.start)
            .unflatten(-1, self.problem.teacher.shape)
            .sum(-2)
        )
        return float((moved.norm(dim=-1) / self.run.theta[:, 0].norm(dim=-1)).max())


CLASS_SHAPES = ((20, 4, 3), (40, 5, 4))


@claim(
    kind="theorem",
    source="Soudry, Hoffer, Nacson, Gunasekar and Srebro 2018, section on several classes",
    statement="On linearly separable data of K classes, gradient flow on the cross entropy converges in direction to "
    "the multiclass max-margin solution, for almost every data set, and never moves the sum of the rows.",
    quick={"each": 1},
    book={"each": 4},
    full={"each": 100},
)
def multiclass_svm(setting: Setting, *, each: int) -> Evidence:
    """Direction, shares of the pairs, loss and conserved sum of the flow, against the certified solution."""
    cases, rejected = _many_classes(setting, each)
    sines = torch.stack(
        [sin_angle(c.run.theta[:, 0], c.solution.primal) for c in cases], 1
    )
    elsewhere = torch.stack(
        [
            sin_angle(_power_flow(c.problem.pairs, c.start, 1.0), c.solution.primal)
            for c in cases
        ]
    )
    product = torch.stack(
        [
            torch.exp(c.run.log_time[1, 0] + c.run.log_loss[1, 0])
            * c.solution.margin**2
            for c in cases
        ]
    )
    checks = (
        Check.close(
            "multiclass program: largest relative gap or violation",
            0,
            max(max(c.solution.gap, c.solution.violation) for c in cases),
            atol=1e-10,
        ),
        Check.at_most(
            "sin of the angle to W_hat at log L = -1e5, median",
            float(sines[1].median()),
            1e-4,
        ),
        Check.close(
            "sin of the angle to W_hat at log L = -1e6, largest",
            0,
            float(sines[2].max()),
            atol=1e-4,
        ),
        Check.close(
            "|shares of the pairs - duals| at log L = -6e3, largest",
            0,
            _largest(
                float((c.weights - c.solution.dual / c.solution.dual.sum()).abs().max())
                for c in cases
            ),
            atol=1e-8,
        ),
        Check.close(
            "t L gamma^2 at log L = -1e5, farthest from 1",
            1,
            float(product[(product - 1).abs().argmax()]),
            atol=0.01,
        ),
        Check.close(
            "change of the sum of the rows over |W|, largest",
            0,
            _largest(c.drift for c in cases),
            atol=1e-12,
        ),
    )
    control = Control(
        "power tail 1/m on every pair: median sin at t = 1e50",
        Check.at_least("median sin", float(elsewhere.median()), 1e-2),
    )
    notes = {"problems": len(cases), "rejected (rate below 0.005)": rejected}
    return Evidence(
        checks, control, {"cases": cases, "sines": sines, "elsewhere": elsewhere}, notes
    )


def _largest(values: Iterator[float]) -> float:
    """The maximum, NaN if any value is."""
    return float(np.max(list(values)))


def _many_classes(setting: Setting, each: int) -> tuple[list[ManyClasses], int]:
    cases, rejected = [], 0
    for n, d, count in CLASS_SHAPES:
        kept, more = setting.draw(
            each,
            f"classes {n} {d} {count}",
            partial(_solved_classes, n=n, d=d, count=count),
        )
        cases += kept
        rejected += more
    return cases, rejected


def _solved_classes(
    generator: torch.Generator, *, n: int, d: int, count: int
) -> ManyClasses | None:
    problem = planted_classes(n, d, count, 0.2, generator)
    solution = multiclass_max_margin(problem.X, problem.y, count)
    if solution.rate < LEAST_RATE:
        return None
    start = torch.randn(1, count * d, generator=generator, dtype=torch.float64)
    run = scipy_flow(
        Linear(problem.pairs),
        CrossEntropy(count - 1),
        start,
        log_loss=[-6e3, -1e5, -1e6],
        tolerance=1e-9,
    )
    return ManyClasses(problem, solution, start, run)


def _power_flow(
    signed: Tensor, start: Tensor, power: float, log_rho: float = 40.0
) -> Tensor:
    """The parameters (d,) of the flow on the tail m^-power when their norm is about exp(`log_rho`)."""
    run = scipy_flow(
        Linear(signed),
        ConvexTail(power),
        start,
        log_time=(power + 2) * log_rho,
        degree=1,
    )
    return run.theta[0, 0]


POWERS = (1.0, 2.0, 5.0)
LARGE_POWERS = (1000.0, 2000.0, 4000.0)  # a slack of 0.005 costs a factor e^-5 and less
TAIL_SHAPES = ((20, 5), (40, 10))


@claim(
    kind="theorem",
    source="Ji, Dudik, Schapire and Telgarsky 2020 (power tails); Soudry et al. 2018, Theorem 3 (exponential tails)",
    statement="With a convex loss whose tail is m^-a the direction of gradient flow is the limit of the loss's own "
    "regularization path, the minimizer of sum_i (y_i x_i.u)^-a over the unit ball: not the max-margin "
    "direction that every exponential tail leads to, though near it for large a.",
    quick={"each": 1},
    book={"each": 6},
    full={"each": 200},
)
def loss_tail_matters(setting: Setting, *, each: int) -> Evidence:
    """Directions for a = 1, 2, 5 and for the exponential tail, against their limits and against each other."""
    drawn, rejected = _separable(setting, each, "tail")
    limits = [[tail_limit(p.signed, a, s.primal) for a in POWERS] for p, s in drawn]
    reached = [
        [
            _power_flow(p.signed, torch.zeros(1, p.X.shape[1], dtype=torch.float64), a)
            for a in POWERS
        ]
        for p, _ in drawn
    ]
    own = torch.tensor(
        [
            [
                float(sin_angle(w, limit.direction))
                for w, limit in zip(ws, row, strict=True)
            ]
            for ws, row in zip(reached, limits, strict=True)
        ],
        dtype=torch.float64,
    )
    svm = torch.tensor(
        [
            [float(sin_angle(w, s.primal)) for w in ws]
            for ws, (_, s) in zip(reached, drawn, strict=True)
        ],
        dtype=torch.float64,
    )
    late = [
        tuple(tail_limit(p.signed, a, s.primal) for a in LARGE_POWERS) for p, s in drawn
    ]
    nearing = torch.tensor(
        [
            [float(sin_angle(limit.direction, s.primal)) for limit in row]
            for row, (_, s) in zip(late, drawn, strict=True)
        ],
        dtype=torch.float64,
    )
    slopes = slope(
        torch.tensor(LARGE_POWERS, dtype=torch.float64).log()[None], nearing.log()
    )
    exponential = [_exponential_flow(p) for p, _ in drawn]
    checks = (
        Check.close(
            "certified error of the limits, largest",
            0,
            max(limit.error for row in (*limits, *late) for limit in row),
            atol=1e-10,
        ),
        Check.close(
            "sin of the angle to the own limit, a = 1, 2, 5, largest",
            0,
            float(own.max()),
            atol=1e-7,
        ),
        Check.at_least(
            "sin of the angle to w_hat, a = 1, median", float(svm[:, 0].median()), 0.02
        ),
        Check.close(
            "limits for a = 1000 to 4000: slope of log sin to w_hat against log a, median",
            -1,
            float(slopes.median()),
            atol=0.1,
        ),
        Check.close(
            "exponential tail: sin of the angle to w_hat at log L = -1e6, largest",
            0,
            _largest(
                float(sin_angle(w, s.primal))
                for w, (_, s) in zip(exponential, drawn, strict=True)
            ),
            atol=1e-4,
        ),
    )
    away = torch.stack(
        [
            sin_angle(w, row[0].direction)
            for w, row in zip(exponential, limits, strict=True)
        ]
    )
    control = Control(
        "exponential tail: median sin to the limit for a = 1",
        Check.at_least("median sin", float(away.median()), 0.02),
    )
    data = {"own": own, "svm": svm, "nearing": nearing, "away": away}
    return Evidence(
        checks,
        control,
        data,
        {"problems": len(drawn), "rejected (rate below 0.005)": rejected},
    )


def _separable(
    setting: Setting, each: int, purpose: str
) -> tuple[list[tuple[PlantedMargin, MaxMargin]], int]:
    """`each` problems a shape whose rate is at least `LEAST_RATE`, with their solutions, and how many were not."""
    kept: list[tuple[PlantedMargin, MaxMargin]] = []
    rejected = 0
    for n, d in TAIL_SHAPES:
        pairs, more = draw_solved(setting, each, f"{purpose} {n} {d}", (n, d))
        kept += pairs
        rejected += more
    return kept, rejected


def _exponential_flow(problem: PlantedMargin) -> Tensor:
    start = torch.zeros(1, problem.X.shape[1], dtype=torch.float64)
    return scipy_flow(
        Linear(problem.signed), Exponential(), start, log_loss=-1e6
    ).theta[0, 0]


PATH_TIMES = tuple(float(power * LOG_10) for power in (1, 2, 3, 4, 6, 8, 10, 12))
LATE_TIMES = (1e3, 10**3.5, 1e4)
PATH_RATE = 0.02  # t^-rate is below e^-20 from log t = 1000 on
SPANNING, DEFICIENT = (
    (30, 3),
    (12, 8),
)  # shapes whose support vectors mostly span the space, and mostly do not


@dataclass(frozen=True)
class Followed:
    """A data set, the flow's w at the K times, (K, d), and the path's points of the same norms."""

    problem: PlantedMargin
    solution: MaxMargin
    theta: Tensor
    path: list[PathPoint]

    @property
    def to_path(self) -> Tensor:
        """sin of the angle between the flow and the path, (K,)."""
        return torch.stack(
            [
                sin_angle(w, point.w)
                for w, point in zip(self.theta, self.path, strict=True)
            ]
        )

    @property
    def to_limit(self) -> Tensor:
        """sin of the angle between the flow and w_hat, (K,)."""
        return sin_angle(self.theta, self.solution.primal)


@claim(
    kind="theorem",
    source="Ji, Dudik, Schapire and Telgarsky 2020 (equal limits); finite times observed, their rates derived here",
    statement="Long before its direction settles, gradient flow follows the regularization path: w(t) points like the "
    "minimizer of the loss over |w| <= |w(t)|, up to 1/log^2 t if the support vectors span the space, "
    "while the angle to the limit is 1/log t.",
    quick={"datasets": 4},
    book={"datasets": 12},
    full={"datasets": 400},
)
def finite_time_path(setting: Setting, *, datasets: int) -> Evidence:
    """Angles from the flow to its path and to its limit, from t = 10 to log t = 1e4, and other losses' paths."""
    spanning, rejected = _path_problems(setting, SPANNING, datasets, spans=True)
    deficient, also_rejected = _path_problems(
        setting, DEFICIENT, (datasets + 1) // 2, spans=False
    )
    whole = [_follow(p, s, Logistic(), (*PATH_TIMES, *LATE_TIMES)) for p, s in spanning]
    early, late = slice(2, len(PATH_TIMES)), slice(len(PATH_TIMES), None)
    ratios = torch.stack([(f.to_path / f.to_limit)[early] for f in whole])
    log_log = torch.tensor(LATE_TIMES, dtype=torch.float64).log()
    to_path, to_limit = (
        slope(log_log[None], torch.stack([angles(f)[late] for f in whole]).log())
        for angles in (lambda f: f.to_path, lambda f: f.to_limit)
    )
    missing = [_follow(p, s, Logistic(), LATE_TIMES) for p, s in deficient]
    flat = slope(log_log[None], torch.stack([f.to_path for f in missing]).log())
    checks = (
        Check.close(
            "residual of the path's optimality condition, largest",
            0,
            max(point.residual for f in (*whole, *missing) for point in f.path),
            atol=1e-9,
        ),
        fraction(
            "share of data sets and times, t = 1e3 to 1e12: angle to the path below half of that to w_hat",
            int((ratios < 0.5).sum()),
            ratios.numel(),
            at_least=0.75,
        ),
        Check.close(
            "angle to the path: slope against log t, log-log, log t = 1e3 to 1e4, median",
            -2,
            float(to_path.median()),
            atol=0.1,
        ),
        Check.close(
            "angle to w_hat: the same slope, median",
            -1,
            float(to_limit.median()),
            atol=0.05,
        ),
    )
    control = Control(
        "support vectors that do not span: slope of the angle to the path, median",
        Check.at_least("median slope", float(flat.median()), -1.3),
    )
    data = {"whole": whole, "ratios": ratios, "to_path": to_path, "missing": missing}
    notes = {
        "data sets": datasets,
        "for the control": len(missing),
        "rejected (rate below 0.02, or other kind)": rejected + also_rejected,
    }
    return Evidence(checks, control, data, notes)


def _follow(
    problem: PlantedMargin,
    solution: MaxMargin,
    loss: TailLoss,
    log_times: tuple[float, ...],
) -> Followed:
    start = torch.zeros(1, problem.X.shape[1], dtype=torch.float64)
    theta = scipy_flow(
        Linear(problem.signed), loss, start, log_time=log_times, tolerance=1e-9
    ).theta[:, 0]
    return Followed(
        problem, solution, theta, regularization_path(problem.signed, theta.norm(dim=1))
    )


def _path_problems(
    setting: Setting, shape: tuple[int, int], count: int, *, spans: bool
) -> tuple[list[tuple[PlantedMargin, MaxMargin]], int]:
    """Data sets of rate `PATH_RATE` or more whose support vectors span the space, or do not; and the rejected."""

    def good(solution: MaxMargin) -> bool:
        return (
            solution.rate >= PATH_RATE
            and (int(solution.support.sum()) >= shape[1]) == spans
        )

    return draw_solved(setting, count, f"path {shape}", shape, good)
