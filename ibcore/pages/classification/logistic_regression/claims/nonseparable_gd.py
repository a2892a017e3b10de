"""On data that nothing separates a part of the iterate converges, another diverges."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.trajectory import early_ends
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Logistic
from ibcore.measures import sin_angle
from ibcore.pages.classification.logistic_regression.bars import settled
from ibcore.pages.classification.logistic_regression.runs import (
    LOG_10,
    follow,
)
from ibcore.pages.classification.logistic_regression.splits import (
    Splits,
    excess_shares,
    frozen_flow,
)

POWERS = (4, 6, 8)  # of t / n


@dataclass(frozen=True)
class Parts:
    """The flow on B splits at t = 1e4 n, 1e6 n, 1e8 n, and off the span at K later
    times.

    excess: (3, B), of the loss in what is proved.
    distances: (3, B), of the part in the span to the minimizer.
    last: log t of the last of the three times.
    sines: (K, B), of the angle off the span.
    without: (B,), the last distance where the inseparable points are removed.
    """

    splits: Splits
    excess: Tensor
    distances: Tensor
    last: float
    log_times: Tensor
    sines: Tensor
    without: Tensor
    broken: tuple[str, ...]

    @property
    def slopes(self) -> Tensor:
        """Slopes of log distance against log t over the last two decades, (B,)."""
        return torch.log10(self.distances[2] / self.distances[1]) / 2

    @property
    def over_drift(self) -> Tensor:
        """t times the last distance over its predicted limit, (B,)."""
        return self.distances[2] * math.exp(self.last) / self.splits.drifts


def draw_splits(setting: Setting, *, datasets: int) -> Splits:
    """Sixteen points that overlap in a plane, and twelve separable ones off it."""
    return Splits.draw(setting, datasets)


def measure_parts(splits: Splits, setting: Setting) -> Parts:
    """The flow, and off the span with the part inside held fixed from t = 1e8 n on."""
    n = splits.signed.shape[1]
    times = [math.log(n) + power * LOG_10 for power in POWERS]
    run = splits.flow(times, tolerance=1e-7)
    log_times = torch.logspace(3, 6, 13, dtype=torch.float64).to(setting.device)
    outside = frozen_flow(splits, run.theta[2], times[2], log_times)
    alone = follow(splits.separable, Logistic(), log_time=times)
    return Parts(
        splits,
        excess_shares(splits, run.theta, times),
        (splits.inside(run.theta) - splits.minimizers).norm(dim=-1),
        times[2],
        log_times,
        sin_angle(outside, splits.directions),
        (splits.inside(alone.theta[2]) - splits.minimizers).norm(dim=-1),
        early_ends("flow", run, alone),
    )


@claim(
    kind="theorem",
    source="Ji and Telgarsky 2019, for gradient descent with decreasing steps "
    "(recalled); the limits of the flow are proved and its rates derived on the page",
    statement="On data that no direction separates, the logistic iterate has a part "
    "that converges, to the unique minimizer on the span of the inseparable points, "
    "and, if there are other points, a part that diverges in their max-margin "
    "direction after projection off that span.",
    quick={"datasets": 20},
    book={"datasets": 20},
    full={"datasets": 400},
    draw=draw_splits,
    measure=measure_parts,
)
def nonseparable_gd(measured: Parts) -> Evidence:
    """Projection onto the span at finite times, and direction off it at log t = 1e6."""
    splits = measured.splits
    datasets = len(splits.signed)
    checks = (
        *_predictions(datasets, splits.disagreed, splits.gradients),
        _proved(measured.excess),
        *_inside(measured.distances[1], measured.over_drift, measured.slopes),
        *_outside(measured.sines, measured.log_times),
    )
    control = Control(
        "inseparable points removed, t = 1e8 n",
        Check.share(
            "distance to the same minimizer at most 0.2",
            measured.without,
            at_most=0.2,
            most=0.25,
            tag="observed",
            reason="twenty thousand times the bar of the claim",
        ),
        math="inseparable points removed, $t = 10^8 n$",
    )
    notes = {
        "data sets": datasets,
        "rejected (separable, or rate below 0.005)": splits.rejected,
        "draws in which the split came out otherwise": splits.disagreed,
    }
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _predictions(agreed: int, disagreed: int, gradients: Tensor) -> tuple[Check, ...]:
    """Draws whose split was found and not, and certificates of the minimizers, (B,)."""
    return (
        Check.share(
            "the linear program finds the points that surround the origin",
            [True] * agreed + [False] * disagreed,
            least=1.0,
            tag="proved",
            reason="the largest separable part is unique",
        ),
        Check.each(
            "norm of the gradient at Newton's minimizer",
            gradients,
            at_most=1e-12,
            tag="derived",
            reason="rounding of a mean of terms of size 1",
            precision=True,
        ),
    )


def _proved(excess: Tensor) -> Check:
    """Shares (K, B) of the loss above its infimum in what the proof leaves."""
    return Check.each(
        "excess loss over its bound, t = 1e4 n to 1e8 n",
        excess.amax(0),
        at_most=1,
        tag="proved",
        math=r"excess loss over its bound, $t$ from $10^4 n$ to $10^8 n$",
        reason=r"proved on the page: a multiple of $\log^2 t/t$; both parts of the "
        "iterate follow",
    )


def _inside(distances: Tensor, over_drift: Tensor, slopes: Tensor) -> tuple[Check, ...]:
    """Of the part in the span, (B,): distances, the last over its prediction, slopes."""
    return (
        Check.share(
            "distance of the projection to the minimizer at most 1e-5, t = 1e6 n",
            distances,
            at_most=1e-5,
            least=0.9,
            tag="derived",
            math=r"distance of the projection to $\bar v$ at most $10^{-5}$, $t = 10^6 "
            "n$",
            reason=r"$|c|/t$ with a constant that is above $10$ for few data sets",
        ),
        Check.share(
            "t * distance over the predicted |c| within 50 % of 1, t = 1e8 n",
            over_drift,
            equals=1,
            atol=0.5,
            least=0.9,
            tag="derived",
            math=r"$t \times$ distance over the predicted $|c|$ within 50 % of 1, $t = "
            "10^8 n$",
            reason=r"the derivation leaves out $t^{-\kappa}$, which is not small for "
            r"small $\kappa$",
        ),
        Check.share(
            "slope of log distance against log t within 0.1 of -1, t = 1e6 n to 1e8 n",
            slopes,
            equals=-1,
            atol=0.1,
            least=0.9,
            tag="derived",
            math=r"slope of $\log$ distance against $\log t$ within 0.1 of $-1$, $t = "
            "10^6 n$ to $10^8 n$",
            reason="the constant may still move by a factor of 1.6 over the two "
            "decades",
        ),
    )


def _outside(sines: Tensor, log_times: Tensor) -> tuple[Check, ...]:
    """Sines (K, B) of the angle off the span at K times."""
    return (
        Check.share(
            "sin of the angle off the span at most 1e-5, log t = 1e6",
            sines[-1],
            at_most=1e-5,
            least=0.9,
            tag="derived",
            math=r"$\sin\angle$ off the span at most $10^{-5}$, $\log t = 10^6$",
            reason=r"$C/\log t$ with a constant that is above 10 for few data sets",
        ),
        settled(sines * log_times[:, None]),
    )
