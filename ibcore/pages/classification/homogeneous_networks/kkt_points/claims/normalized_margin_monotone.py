"""The smoothed margin never falls along gradient flow."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.sphere_flow import SphereRun
from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Check, Control, Evidence
from ibcore.models.margins import Margins
from ibcore.pages.classification.homogeneous_networks.kkt_points.bars import SHARE, fits
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    SMALL,
    Networks,
    TwoLayers,
    beside_linear,
    both_activations,
    own_data,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.runs import (
    euler_steps,
    followed,
    stopped,
)

ARC = 2.5  # until |theta| has grown about twelvefold
COARSE, FINE = 2e-3, 5e-4
EULER = 0.5 / COARSE  # least margin up to which steps of either length follow the flow
SHRUNK = 0.05  # factor of a start from which a linear part leads at first


@dataclass(frozen=True)
class Problems:
    """Networks with squared ReLU and with ReLU, and how many records are kept of a
    flow.
    """

    smooth: TwoLayers
    kinked: TwoLayers
    records: int


@dataclass(frozen=True)
class SmoothedMargins:
    """Smoothed margins along the flow of B squared ReLU networks, and largest falls
    with ReLU.

    stops: (K,) log L of the records.      fitted, begun, steady: (B,), which networks
    come below 1/n: from the start, from one that is smaller by `SHRUNK`, and with ReLU.
    large, small: (K, F), of these, from either start.      skip: (K, B), from the small
    start beside a linear part.
    falls: (2, F), of the ReLU networks, with coarse and fine steps.
    """

    stops: Tensor
    fitted: Tensor
    begun: Tensor
    steady: Tensor
    large: Tensor
    small: Tensor
    skip: Tensor
    falls: Tensor
    broken: tuple[str, ...]


def draw_problems(setting: Setting, *, draws: int, records: int) -> Problems:
    """Six points in ten dimensions for twenty neurons."""
    networks = both_activations(setting, draws, "monotone", SMALL)
    return Problems(*networks, records)


def own_problems(
    setting: Setting, X: object, y: object, *, draws: int, records: int
) -> Problems:
    """The same networks, `draws` starts of each, on a reader's X (n, d) and y (n,) in
    {-1, +1}.
    """
    networks = both_activations(setting, draws, "monotone", SMALL, own_data(X, y))
    return Problems(*networks, records)


def measure_margins(problems: Problems, setting: Setting) -> SmoothedMargins:  # noqa: ARG001
    """Records of log L down to -1e6, and Euler steps with ReLU."""
    smooth, kinked = problems.smooth, problems.kinked
    first = math.log10(smooth.log_examples + 0.1)
    stops = -torch.logspace(first, 6, problems.records, dtype=torch.float64)
    run, fitted = followed(smooth, log_loss=stops)
    small, begun = followed(small_start(smooth), log_loss=stops)
    skip, _ = followed(beside_skip(small_start(smooth)), log_loss=stops)
    walks = [
        euler_steps(kinked, arc=ARC, length=length, recorded=True)
        for length in (COARSE, FINE)
    ]
    steady = (walks[1].smoothed > 0).any(0)
    falls = torch.stack([step_falls(walk, kinked.degree)[steady] for walk in walks])
    return SmoothedMargins(
        stops,
        fitted,
        begun,
        steady,
        smoothed_margins(smooth, run)[:, fitted],
        smoothed_margins(smooth, small)[:, begun],
        smoothed_margins(smooth, skip),
        falls,
        stopped("squared ReLU", run, fitted)
        + stopped("squared ReLU, small start", small, begun),
    )


def smoothed_margins(networks: Networks, run: Trajectory) -> Tensor:
    """log(1 / (n L)) / |theta|^k at the records, (K, B), NaN at a stop not reached."""
    norms = torch.linalg.vector_norm(run.theta, dim=-1)
    return -(run.log_loss + networks.log_examples) / norms**networks.degree


def small_start(networks: TwoLayers) -> TwoLayers:
    """The same networks from a start that is smaller by the factor `SHRUNK`."""
    return replace(networks, theta=SHRUNK * networks.theta)


def beside_skip(networks: TwoLayers) -> Networks:
    """The same with a linear part added to each network, which starts at zero; the sums
    are not homogeneous.
    """
    model, start = beside_linear(networks)
    return replace(
        networks,
        margins=Margins(model, networks.margins.labels),
        theta=torch.cat([start, networks.theta], 1),
    )


def largest_falls(smoothed: Tensor) -> Tensor:
    """Largest fall from one record (K, B) to the next once the loss is below 1/n,
    relative to the last value, (B,).
    """
    fall = (smoothed[:-1] - smoothed[1:]) / smoothed[-1].abs()
    return torch.where(smoothed[:-1] <= 0, -torch.inf, fall).amax(0)


def step_falls(walk: SphereRun, degree: int) -> Tensor:
    """`largest_falls`, and 0 at least, of steps that are Euler steps of the flow, (B,).

    A longer step than this would overshoot the softmax, and `sphere_flow` leaves the
    flow.
    """
    euler = torch.exp(degree * walk.log_norm[:-1]) * walk.margins[:-1] <= EULER
    fall = (walk.smoothed[:-1] - walk.smoothed[1:]) / walk.smoothed[-1].abs()
    counted = euler & (walk.smoothed[:-1] > 0)
    kept = torch.where(counted | fall.isnan(), fall, 0.0)
    return kept.amax(0).clamp_min(0)


@claim(
    kind="theorem",
    source="Lyu and Li 2020, Theorem 4.1 (recalled); proved on the page",
    statement="For the exponential loss with sum below 1, the smoothed margin "
    r"$-\log(\text{sum of losses}) / \|\theta\|^k$ of a $k$-homogeneous network never "
    "falls along gradient flow.",
    quick={"draws": 8, "records": 30},
    book={"draws": 8, "records": 60},
    full={"draws": 50, "records": 200},
    draw=draw_problems,
    measure=measure_margins,
    own=own_problems,
)
def normalized_margin_monotone(measured: SmoothedMargins) -> Evidence:
    """Largest fall between records, on an integrator that never looks at this quantity."""
    checks = (
        fits("squared ReLU", measured.fitted),
        fits("squared ReLU, small start", measured.begun),
        *_between_records(measured.large, measured.small),
        fits("ReLU", measured.steady),
        *_in_a_step(*measured.falls),
    )
    control = Control(
        "a linear part beside the network, from the small start",
        Check.share(
            "largest fall between records, relative, at most 1e-3",
            largest_falls(measured.skip),
            at_most=1e-3,
            most=0.5,
            tag="observed",
            math="largest fall between records, relative, at most $10^{-3}$",
            reason="a hundred thousand times the bar of the claim. While the linear "
            r"part leads, the margins grow like $\rho$ and not like $\rho^3$",
        ),
    )
    notes = {"networks of each kind": len(measured.fitted)}
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _between_records(large: Tensor, small: Tensor) -> tuple[Check, ...]:
    """Of smoothed margins (K, B) from the start and from the small one."""
    return (
        Check.each(
            "squared ReLU, k = 3: largest fall between records, relative",
            largest_falls(large),
            at_most=1e-8,
            tag="proved",
            math="squared ReLU, $k = 3$: largest fall between records, relative",
            reason="none for the flow; the rest is for rounding",
        ),
        Check.each(
            "the same from a start twenty times smaller",
            largest_falls(small),
            at_most=1e-8,
            tag="proved",
            reason="as above",
        ),
    )


def _in_a_step(coarse: Tensor, fine: Tensor) -> tuple[Check, ...]:
    """Of largest falls (B,) with steps of two lengths."""
    return (
        Check.each(
            "ReLU, k = 2: largest fall in a step, relative length 0.0005",
            fine,
            at_most=FINE,
            tag="derived",
            math="ReLU, $k = 2$: largest fall in a step, relative length 0.0005",
            reason="none for the flow; an Euler step of it of relative length $r$ is "
            "allowed a fall of $r$",
        ),
        Check.share(
            "ReLU: at most half of the largest fall with steps four times as long",
            fine <= coarse / 2,
            least=SHARE,
            tag="derived",
            reason="falls that come from the steps shrink at least like their length",
        ),
    )
