"""Gradient flow and annealing of the networks of this page, and what is read off their
paths.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ibcore.dynamics.log_time import flow
from ibcore.dynamics.sphere_flow import SphereRun, sphere_flow
from ibcore.dynamics.trajectory import Trajectory
from ibcore.losses import Exponential
from ibcore.models.margins import Margins
from ibcore.models.network import of_neurons
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    Networks,
    TwoLayers,
)

MOST_STEPS = 400
DEPTHS = tuple(-(10.0 ** (2 + k / 8)) for k in range(65))  # log L, from -1e2 to -1e10
FASTER = 2.0  # root of the factor by which the output layer learns faster in controls


def followed(networks: Networks, **stops: Any) -> tuple[Trajectory, Tensor]:
    """Gradient flow on the exponential loss, and which networks are below a loss of 1/n
    at the first stop, (B,).

    The others are stuck above 1/n, and the theorems are silent on them. One that falls
    below 1/n and does not reach a later stop within `MOST_STEPS` steps has NaN there.
    """
    run = flow(
        networks.margins, Exponential(), networks.theta, max_steps=MOST_STEPS, **stops
    )
    return run, run.log_loss[0] < -networks.log_examples


def annealed(
    networks: Networks, *, steps: int, finest: float, coarsest: float = 0.05
) -> SphereRun:
    """The direction after a long run of `sphere_flow`, which is not that of gradient
    flow.
    """
    return sphere_flow(
        networks.margins,
        networks.theta,
        degree=networks.degree,
        steps=steps,
        coarsest=coarsest,
        finest=finest,
        window=steps // 10,
    )


def euler_steps(
    networks: Networks, *, arc: float, length: float, recorded: bool = False
) -> SphereRun:
    """Explicit steps of one relative `length` on a path that is `arc` long relative to
    |theta|, without annealing.
    """
    steps = round(arc / length)
    return sphere_flow(
        networks.margins,
        networks.theta,
        degree=networks.degree,
        steps=steps,
        coarsest=length,
        finest=length,
        window=10,
        records=steps if recorded else 100,
    )


def faster_output(
    networks: TwoLayers, faster: float, **stops: Any
) -> tuple[Trajectory, Tensor]:
    """A flow in which the output layer learns `faster`^2 times as fast, with its states
    in the parameters themselves.

    In (a / faster, w) it is gradient flow of a network whose outputs are `faster` times
    those of (a, w), which is the network on inputs that are longer by faster^(1/q),
    with q the degree of the activation.
    """
    net = networks.net
    longer = net.on(net.inputs * faster ** (1 / (net.degree - 1)))
    a, w = net.neurons(networks.theta)
    changed = replace(
        networks,
        net=longer,
        margins=Margins(longer, networks.margins.labels),
        theta=of_neurons(a / faster, w),
    )
    run, fitted = followed(changed, **stops)
    a, w = net.neurons(run.theta)
    return replace(run, theta=of_neurons(faster * a, w)), fitted


def log_smoothed(networks: Networks, run: Trajectory) -> tuple[Tensor, Tensor]:
    """Logarithms of the smoothed margin and of |theta| at the records, (K, B) each."""
    log_norms = torch.log(torch.linalg.vector_norm(run.theta, dim=-1))
    excess = -(run.log_loss + networks.log_examples)
    return torch.log(excess) - networks.degree * log_norms, log_norms


def alignment_bound(
    log_smoothed: Tensor, log_norms: Tensor, degree: int
) -> tuple[Tensor, Tensor]:
    """Rise of log smoothed margin (K, B) over k, and of log |theta|, from the first
    record to the last, (B,) each.

    Their quotient bounds the mean of tan^2 of the angle between theta and -grad L over
    log |theta| along gradient flow, and so the mean of the squared residual of the KKT
    conditions.
    """
    return (
        (log_smoothed[-1] - log_smoothed[0]) / degree,
        log_norms[-1] - log_norms[0],
    )


def misalignment(theta: Tensor, pull: Tensor) -> Tensor:
    """1 - cos of the angle between theta and pull (..., P), without cancellation,
    (...).
    """
    units = [
        v / torch.linalg.vector_norm(v, dim=-1, keepdim=True) for v in (theta, pull)
    ]
    return (units[0] - units[1]).square().sum(-1) / 2


def degrees_apart(theta: Tensor, other: Tensor) -> Tensor:
    """Angles between vectors (..., P), in degrees, (...)."""
    half_chord = (misalignment(theta, other) / 2).sqrt()
    return torch.rad2deg(2 * torch.asin(half_chord))


def stopped(name: str, run: Trajectory, fitted: Tensor) -> tuple[str, ...]:
    """Why those of the `fitted` networks stopped that did not reach the last stop."""
    lost = fitted & ~run.log_loss[-1].isfinite()
    return tuple(
        f"{name}, network {b}: {run.status[b]}" for b in lost.nonzero()[:, 0].tolist()
    )
