"""Networks whose margin is maximized by annealing, and the flow beside them: drawn and
measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.directions import Steepest
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.trajectory import Trajectory
from ibcore.losses import Exponential
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    LARGE,
    Networks,
    TwoLayers,
    both_activations,
    deep_networks,
    own_data,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.residuals import (
    EVERY,
    ClarkeEnds,
    SmoothEnds,
    clarke_ends,
    mean_residuals,
    residuals,
    smooth_ends,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.runs import (
    DEPTHS,
    annealed,
    degrees_apart,
    euler_steps,
    followed,
    stopped,
)

ARC, PACE = 1.75, 2e-3  # length of a path over |theta|, and of a step of it


SIGN_STEP, SIGN_STEPS = 0.02, 1000


@dataclass(frozen=True)
class Problems:
    """Networks with squared ReLU, with ReLU, and with three layers of squared ReLU;
    steps of annealing.
    """

    smooth: TwoLayers
    kinked: TwoLayers
    deep: Networks
    steps: int


@dataclass(frozen=True)
class Beside:
    """The end of a path of the flow beside the annealed direction, (B,) each.

    degrees: between the two.      margins: quotient of the normalized margins.
    log_loss: of the flow's end.
    residuals: of the KKT conditions at the flow's end, for ReLU those of Clarke.
    """

    degrees: Tensor
    margins: Tensor
    log_loss: Tensor
    residuals: Tensor


@dataclass(frozen=True)
class Halved:
    """Degrees by which the ends of ReLU paths move if the steps are half as long: of
    the flow and annealed, (B,).
    """

    flow: Tensor
    annealed: Tensor


@dataclass(frozen=True)
class Residuals:
    """What is left of the KKT conditions, one number a network, NaN where an example is
    wrong.

    means, deep: along the flow the integral of the squared residual over its bound, for
    squared ReLU networks of two and of three layers, of those below 1/n.
    smooth, kinked: at the ends of annealing with squared ReLU and with ReLU.
    averaged: ReLU, sine of the angle to the averaged gradients.      sign: at the ends
    of sign descent, squared ReLU.
    smooth_flow, kinked_flow: where the flow itself had to be left.      halved: see
    `Halved`.
    """

    means: Tensor
    deep: Tensor
    smooth: SmoothEnds
    kinked: ClarkeEnds
    averaged: Tensor
    sign: Tensor
    smooth_flow: Beside
    kinked_flow: Beside
    halved: Halved
    rejected: int
    broken: tuple[str, ...]


def draw_problems(setting: Setting, *, draws: int, steps: int) -> Problems:
    """Ten points in twenty dimensions for thirty neurons; four points for three layers."""
    smooth, kinked = both_activations(setting, draws, "kkt", LARGE)
    deep = deep_networks(setting, draws)
    return Problems(smooth, kinked, deep, steps)


def own_problems(
    setting: Setting, X: object, y: object, *, draws: int, steps: int
) -> Problems:
    """The same networks, `draws` starts of each, on a reader's X (n, d) and y (n,) in
    {-1, +1}.
    """
    data = own_data(X, y)
    smooth, kinked = both_activations(setting, draws, "kkt", LARGE, data)
    deep = deep_networks(setting, draws, data)
    return Problems(smooth, kinked, deep, steps)


def measure_residuals(problems: Problems, setting: Setting) -> Residuals:  # noqa: ARG001
    """The flow as far as it can be followed, annealing, and sign descent."""
    smooth, kinked, deep = problems.smooth, problems.kinked, problems.deep
    run, fitted = followed(smooth, log_loss=list(DEPTHS[::8]))
    deep_run, deep_fitted = followed(deep, log_loss=list(DEPTHS[:33:4]))
    smooth_end = annealed(smooth, steps=problems.steps, finest=3e-5).direction
    kinked_run = annealed(kinked, steps=problems.steps, finest=1e-5)
    at_smooth, smooth_lost = smooth_ends(smooth, smooth_end)
    at_kinked, kinked_lost = clarke_ends(kinked, kinked_run.direction)
    kinked_flow, halved = kinked_paths(kinked, kinked_run.direction, problems.steps)
    return Residuals(
        mean_residuals(smooth, run, fitted),
        mean_residuals(deep, deep_run, deep_fitted),
        at_smooth,
        at_kinked,
        kinked_run.misalignment,
        residuals(smooth, sign_descent(smooth), EVERY),
        smooth_path(smooth, run, smooth_end),
        kinked_flow,
        halved,
        smooth.rejected + kinked.rejected,
        tuple(f"squared ReLU, {one}" for one in smooth_lost)
        + tuple(f"ReLU, {one}" for one in kinked_lost)
        + stopped("squared ReLU", run, fitted)
        + stopped("three layers", deep_run, deep_fitted),
    )


def smooth_path(networks: Networks, run: Trajectory, direction: Tensor) -> Beside:
    """The last record of the flow beside the annealed direction (B, P)."""
    theta = run.theta[-1]
    end = theta / torch.linalg.vector_norm(theta, dim=-1, keepdim=True)
    return Beside(
        degrees_apart(end, direction),
        networks.normalized(end) / networks.normalized(direction),
        run.log_loss[-1],
        residuals(networks, end),
    )


def kinked_paths(
    networks: TwoLayers, direction: Tensor, steps: int
) -> tuple[Beside, Halved]:
    """Networks with kinks along Euler steps of the flow, beside their annealed
    directions (B, P) after `steps`.
    """
    long, short = (
        euler_steps(networks, arc=ARC, length=length) for length in (PACE, PACE / 2)
    )
    again = annealed(networks, steps=2 * steps, finest=1e-5, coarsest=0.025)
    end = short.direction
    scaled = short.smoothed[-1] * torch.exp(networks.degree * short.log_norm[-1])
    path = Beside(
        degrees_apart(end, direction),
        networks.normalized(end) / networks.normalized(direction),
        -(scaled + networks.log_examples),
        clarke_ends(networks, end)[0].residual,
    )
    moved = Halved(
        degrees_apart(long.direction, end), degrees_apart(again.direction, direction)
    )
    return path, moved


def sign_descent(networks: Networks) -> Tensor:
    """Steps of equal size in every coordinate along the sign of the gradient, (B, P):
    steepest in another norm.
    """
    return descend(
        Objective(networks.margins, Exponential()),
        networks.theta,
        constant(SIGN_STEP),
        steps=[SIGN_STEPS],
        direction=Steepest(math.inf, normalized=True),
        max_seconds=math.inf,
    ).theta[-1]
