"""Residuals of the KKT conditions along gradient flow and at the ends of annealing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting, claim
from ibcore.dynamics.directions import Steepest
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Check, Control, Evidence
from ibcore.losses import Exponential
from ibcore.models.activations import LeakyReLU, SquaredReLU
from ibcore.pages.classification.homogeneous_networks.kkt_points.bars import (
    CLARKE,
    RESIDUAL,
    SHARE,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    LARGE,
    Data,
    Networks,
    TwoLayers,
    deep_networks,
    draw_networks,
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

COMPLEMENTARITY, AVERAGED = 1e-4, 3e-2
ARC, PACE = 1.75, 2e-3  # length of a path over |theta|, and of a step of it
SIGN_STEP, SIGN_STEPS = 0.02, 1000
_ANNEALED = (
    "a stationary point of the margin is a KKT point; that annealing comes so close to "
    "one is observed, and no theorem on the flow applies"
)


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
    return _problems(setting, draws, steps, None)


def own_problems(
    setting: Setting, X: object, y: object, *, draws: int, steps: int
) -> Problems:
    """The same networks, `draws` starts of each, on a reader's X (n, d) and y (n,) in
    {-1, +1}.
    """
    return _problems(setting, draws, steps, own_data(X, y))


def _problems(setting: Setting, draws: int, steps: int, data: Data | None) -> Problems:
    smooth, kinked = (
        draw_networks(setting, draws, "kkt", activation, LARGE, data)
        for activation in (SquaredReLU(), LeakyReLU())
    )
    return Problems(smooth, kinked, deep_networks(setting, draws, data), steps)


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


@claim(
    kind="theorem",
    source="Lyu and Li 2020, Theorems 4.4 and A.9 (recalled); Ji and Telgarsky 2020 "
    "(abstract read: the direction converges); the bound on the residual is proved on "
    "the page",
    statement="Gradient flow on a homogeneous network whose exponential loss has come "
    r"below $1/n$ goes to infinity in a direction that is a KKT point of $\min "
    r"\|\theta\|^2 / 2$ subject to margins of at least 1; for ReLU networks with the "
    "subdifferential of Clarke. An annealed maximization of the margin, which is not "
    "the flow, comes close to such points, and with ReLU to points on kinks of the "
    "activation.",
    quick={"draws": 8, "steps": 1500},
    book={"draws": 16, "steps": 2000},
    full={"draws": 100, "steps": 20_000},
    draw=draw_problems,
    measure=measure_residuals,
    own=own_problems,
)
def homogeneous_kkt(measured: Residuals) -> Evidence:
    """Residuals along the flow, and at the ends of annealing with a second oracle for
    each activation.
    """
    control = Control(
        "sign descent, all constraints allowed",
        Check.share(
            "residual at most 0.2",
            measured.sign,
            at_most=0.2,
            most=0.1,
            tag="observed",
            reason="forty times the bar of the claim",
        ),
    )
    checks = (
        *_along_the_flow(measured.means, measured.deep),
        *_smooth_ends(measured.smooth),
        _two_paths(measured.kinked_flow.degrees, measured.halved.flow),
        *_kinked_ends(measured.kinked, measured.averaged),
        *_kinks(measured.kinked),
    )
    notes = {
        "networks of each kind": len(measured.sign),
        "rejected (an example without an active neuron)": measured.rejected,
        "networks of three layers": len(measured.sign),
        "of these, with a loss that comes below 1/n": len(measured.deep),
    }
    return Evidence(checks, control, notes=notes, broken=measured.broken)


def _along_the_flow(means: Tensor, deep: Tensor) -> tuple[Check, ...]:
    return (
        Check.each(
            "squared ReLU, flow from log L = -1e2 to -1e10: mean squared residual over "
            "its bound",
            means,
            at_most=1,
            tag="proved",
            math=r"squared ReLU, flow from $\log L = -10^2$ to $-10^{10}$: mean "
            r"$\varepsilon^2$ over its bound $\frac1k \Delta \log\tilde\gamma / \Delta "
            r"\log\rho$",
            reason="proved on the page: the residual is at most the sine of the angle. "
            "What is missing to 1 is the part of the rise that comes from the spread "
            "of the margins; the error of the quadrature is small beside it",
            repeats=0.3,
        ),
        Check.each(
            "three layers, flow from log L = -1e2 to -1e6: mean squared residual over "
            "its bound",
            deep,
            at_most=1,
            tag="proved",
            math=r"three layers, $k = 7$, flow from $\log L = -10^2$ to $-10^6$: mean "
            r"$\varepsilon^2$ over its bound",
            reason="the same proof: squared ReLU networks of any depth are homogeneous "
            "and differentiable",
            repeats=0.3,
        ),
    )


def _smooth_ends(ends: SmoothEnds) -> tuple[Check, ...]:
    return (
        Check.share(
            "squared ReLU, annealed: residual at most 5e-3",
            ends.residual,
            at_most=RESIDUAL,
            least=SHARE,
            tag="observed",
            math=r"squared ReLU, annealed: residual $\varepsilon \le 5 \cdot 10^{-3}$",
            reason=_ANNEALED,
        ),
        Check.share(
            "squared ReLU, annealed: complementarity at most 1e-4",
            ends.complementarity,
            at_most=COMPLEMENTARITY,
            least=SHARE,
            tag="observed",
            math=r"squared ReLU, annealed: complementarity $\delta \le 10^{-4}$",
            reason="the margins taken as active differ by up to 1 %, which alone "
            "allows 3e-3",
        ),
        Check.share(
            "squared ReLU, annealed: within 1e-3 of the largest margin of the tangent "
            "kernel",
            ends.tangent,
            at_most=1e-3,
            least=SHARE,
            tag="derived",
            math="squared ReLU, annealed: within $10^{-3}$ of the largest margin of "
            "the tangent kernel",
            reason="the limit is 0; by duality the gap is of the order of the "
            "residual's square",
        ),
    )


def _two_paths(apart: Tensor, halved: Tensor) -> Check:
    """Of degrees from the flow to annealing and by which the flow's end moves with
    shorter steps, (B,).
    """
    return Check.share(
        "ReLU: from Euler steps of the flow to annealing, at least ten times what "
        "halving the steps changes",
        apart / halved,
        at_least=10,
        least=SHARE,
        tag="observed",
        reason="the angle is one between two paths, and not an error of the steps",
    )


def _kinked_ends(ends: ClarkeEnds, averaged: Tensor) -> tuple[Check, ...]:
    return (
        Check.share(
            "ReLU, annealed: Clarke residual at most 2e-2",
            ends.residual,
            at_most=CLARKE,
            least=SHARE,
            tag="observed",
            math=r"ReLU, annealed: Clarke residual $\varepsilon \le 2 \cdot 10^{-2}$",
            reason=_ANNEALED,
        ),
        Check.share(
            "ReLU, annealed: complementarity at most 1e-4",
            ends.complementarity,
            at_most=COMPLEMENTARITY,
            least=SHARE,
            tag="observed",
            math=r"ReLU, annealed: complementarity $\delta \le 10^{-4}$",
            reason="as for the squared ReLU",
        ),
        Check.share(
            "ReLU, annealed: gap of the certificate at most 1e-4",
            ends.gap,
            at_most=CLARKE / 200,
            least=SHARE,
            tag="derived",
            math="ReLU, annealed: gap of the certificate at most $10^{-4}$",
            reason="small against the bar of the residual",
            precision=True,
        ),
        Check.share(
            "ReLU, annealed: sin of the angle to the averaged gradients at most 3e-2",
            averaged,
            at_most=AVERAGED,
            least=SHARE,
            tag="observed",
            math=r"ReLU, annealed: $\sin\angle$ to the averaged gradients at most $3 "
            r"\cdot 10^{-2}$",
            reason="an average over the chatter of the last steps finds slopes, though "
            "not the best ones",
        ),
    )


def _kinks(ends: ClarkeEnds) -> tuple[Check, ...]:
    return (
        Check.share(
            "ReLU, annealed: residual with ReLU'(0) = 0 at least 2e-2",
            ends.naive,
            at_least=CLARKE,
            least=SHARE,
            tag="observed",
            math=r"ReLU, annealed: residual with $\phi'(0) = 0$ at least $2 \cdot "
            "10^{-2}$",
            reason="the bar that the best slopes meet",
        ),
        Check.share(
            "ReLU, annealed: some neuron on its kink for an example",
            ends.kinks,
            at_least=1,
            least=SHARE,
            tag="observed",
            reason="without kinks there is one slope, and the two residuals are the "
            "same",
        ),
    )
