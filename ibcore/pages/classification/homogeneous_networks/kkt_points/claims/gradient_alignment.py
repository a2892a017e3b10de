"""Parameters and negative gradient come to point in the same direction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Check, Control, Evidence
from ibcore.pages.classification.homogeneous_networks.kkt_points.bars import SHARE, fits
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    SMALL,
    Networks,
    TwoLayers,
    both_activations,
    own_data,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.runs import (
    DEPTHS,
    FASTER,
    alignment_bound,
    annealed,
    faster_output,
    followed,
    log_smoothed,
    misalignment,
    stopped,
)


@dataclass(frozen=True)
class Problems:
    """Networks with squared ReLU and with ReLU, and steps of annealing."""

    smooth: TwoLayers
    kinked: TwoLayers
    steps: int


@dataclass(frozen=True)
class Alignments:
    """1 - cos of the angle between theta and -grad L.

    gaps: (K, F) along the flow of the squared ReLU networks that come below 1/n, at log
    L = `stops` (K,).
    fitted: (B,), which these are.      integral: (F,), of tan^2 over log |theta|, over
    its bound.
    faster: (S, F), where the output layer learns `FASTER`^2 times as fast, at log L =
    `faster_stops` (S,).
    annealed, averaged: (B,), at the ends of annealing with squared ReLU, and with ReLU
    of the averaged gradient.
    """

    stops: Tensor
    gaps: Tensor
    fitted: Tensor
    integral: Tensor
    faster_stops: Tensor
    faster: Tensor
    annealed: Tensor
    averaged: Tensor
    broken: tuple[str, ...]


def draw_problems(setting: Setting, *, draws: int, steps: int) -> Problems:
    """Six points in ten dimensions for twenty neurons."""
    networks = both_activations(setting, draws, "alignment", SMALL)
    return Problems(*networks, steps)


def own_problems(
    setting: Setting, X: object, y: object, *, draws: int, steps: int
) -> Problems:
    """The same networks, `draws` starts of each, on a reader's X (n, d) and y (n,) in
    {-1, +1}.
    """
    networks = both_activations(setting, draws, "alignment", SMALL, own_data(X, y))
    return Problems(*networks, steps)


def measure_alignments(problems: Problems, setting: Setting) -> Alignments:  # noqa: ARG001
    """Along the flow down to log L = -1e10 and after annealing, there also for ReLU."""
    smooth, steps = problems.smooth, problems.steps
    run, fitted = followed(smooth, log_loss=list(DEPTHS))
    along = gaps(smooth, run)
    smooth_end = annealed(smooth, steps=steps // 2, finest=3e-5)
    kinked_end = annealed(problems.kinked, steps=steps, finest=1e-5)
    faster, faster_fitted = faster_gaps(smooth, FASTER)
    stops = torch.tensor(DEPTHS, dtype=torch.float64)
    return Alignments(
        stops,
        along[:, fitted],
        fitted,
        integral_over_bound(smooth, run, along)[fitted],
        stops[::8],
        faster[:, faster_fitted],
        misalignment(smooth_end.direction, smooth_end.pull),
        misalignment(kinked_end.direction, kinked_end.pull),
        stopped("squared ReLU", run, fitted),
    )


def gaps(networks: Networks, run: Trajectory) -> Tensor:
    """1 - cos of theta and -grad L at the records, (K, B)."""
    rows = [misalignment(theta, networks.gradients(theta)) for theta in run.theta]
    return torch.stack(rows)


def faster_gaps(networks: TwoLayers, faster: float) -> tuple[Tensor, Tensor]:
    """The same where the output layer learns `faster`^2 times as fast, and which
    networks come below 1/n, (B,).
    """
    run, fitted = faster_output(networks, faster, log_loss=list(DEPTHS[::8]))
    return gaps(networks, run), fitted


def integral_over_bound(networks: Networks, run: Trajectory, along: Tensor) -> Tensor:
    """Integral of tan^2 over log |theta|, from 1 - cos at the records (K, B), over its
    bound, (B,).
    """
    smoothed, log_norms = log_smoothed(networks, run)
    rise, _ = alignment_bound(smoothed, log_norms, networks.degree)
    return tangent_integral(along, log_norms) / rise


def tangent_integral(along: Tensor, log_norms: Tensor) -> Tensor:
    """Trapezoidal integral of tan^2 of the angle over log |theta|, from 1 - cos at the
    records (K, B), (B,).
    """
    return torch.trapezoid(1 / (1 - along) ** 2 - 1, log_norms, dim=0)


@claim(
    kind="theorem",
    source="Ji and Telgarsky 2020, the theorem on alignment (abstract read, theorem "
    "recalled); the bound on the mean is proved on the page",
    statement="Along gradient flow of a homogeneous network with locally Lipschitz "
    "gradients, from a loss below $1/n$ on, the parameters and the negative gradient "
    "of the loss come to point in the same direction. ReLU is not covered; there an "
    "averaged gradient is observed to align at the end of annealing.",
    quick={"draws": 8, "steps": 1500},
    book={"draws": 8, "steps": 2000},
    full={"draws": 50, "steps": 20_000},
    draw=draw_problems,
    measure=measure_alignments,
    own=own_problems,
)
def gradient_alignment(measured: Alignments) -> Evidence:
    """The integral against its bound, the angles along the flow and at the ends of
    annealing.
    """
    checks = (
        fits("squared ReLU", measured.fitted),
        _integral(measured.integral),
        _annealed(
            "squared ReLU, annealed",
            measured.annealed,
            "it is 0 at a KKT point; that annealing comes so close to one is observed",
        ),
        *_along(measured.gaps),
        _annealed(
            "ReLU, annealed, averaged gradient",
            measured.averaged,
            "the bar of the squared ReLU; with kinks the theorem is silent",
        ),
    )
    control = Control(
        "output layer four times as fast",
        Check.share(
            "1 - cos at log L = -1e10 at most 0.1",
            measured.faster[-1],
            at_most=0.1,
            most=0.1,
            tag="derived",
            math=r"$1 - \cos\angle$ at $\log L = -10^{10}$ at most 0.1",
            reason=r"the bar of the flow; here the limit is $1 - \sqrt{2/3} \approx "
            "0.18$, where the gradient is multiplied by 4 in the output layer, which "
            "has a third of the square of the flow's own norm",
        ),
    )
    notes = {"networks of each kind": len(measured.fitted)}
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _integral(over_bound: Tensor) -> Check:
    return Check.each(
        "squared ReLU: integral of tan^2 over d log |theta|, over its bound, log L "
        "from -1e2 to -1e10",
        over_bound,
        at_most=1,
        tag="proved",
        math=r"squared ReLU: $\int \tan^2\!\angle\; d\log\rho$ over its bound $\frac1k "
        r"\Delta\log\tilde\gamma$, $\log L$ from $-10^2$ to $-10^{10}$",
        reason="proved on the page; what is missing to 1 is the part of the rise that "
        "comes from the spread of the margins, a percent or more, beside which the "
        "quadrature's error is small",
        repeats=0.02,
    )


def _along(along: Tensor) -> tuple[Check, ...]:
    """Of 1 - cos along the flow, (K, B)."""
    return (
        Check.share(
            "squared ReLU: 1 - cos at log L = -1e10 over that at -1e2, at most 0.5",
            along[-1] / along[0],
            at_most=0.5,
            least=SHARE,
            tag="observed",
            math=r"squared ReLU: $1 - \cos\angle$ at $\log L = -10^{10}$ over that at "
            "$-10^2$, at most 0.5",
            reason="that it tends to 0 is proved, how far it has come at this loss is "
            "not",
        ),
        Check.share(
            "squared ReLU: 1 - cos at log L = -1e10 at most 0.1",
            along[-1],
            at_most=0.1,
            least=SHARE,
            tag="observed",
            math=r"squared ReLU: $1 - \cos\angle$ at $\log L = -10^{10}$ at most 0.1",
            reason="about half of what remains in the limit if the output layer learns "
            "four times as fast",
        ),
    )


def _annealed(name: str, ends: Tensor, reason: str) -> Check:
    """Of 1 - cos at the ends of annealing, (B,)."""
    return Check.share(
        f"{name}: 1 - cos at most 1e-3",
        ends,
        at_most=1e-3,
        least=SHARE,
        tag="observed",
        math=rf"{name}: $1 - \cos\angle \le 10^{{-3}}$",
        reason=reason,
    )
