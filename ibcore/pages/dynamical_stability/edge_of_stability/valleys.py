"""Losses whose minima form a curve, and the drift along it at the edge of stability."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.directions import Steepest
from ibcore.dynamics.objective import FunctionObjective
from ibcore.dynamics.paces import constant
from ibcore.oracles.edge_drift import largest_curvature
from ibcore.threads import threads


def valley(theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    """L = (1 + y^2) x^2 at theta = (x, y), (B, 2), and its gradient."""
    x, y = theta.unbind(-1)
    width = 1 + y.square()
    return width * x.square(), 2 * torch.stack([width * x, y * x.square()], -1)


def root_valley(theta: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    """sqrt(L) = sqrt(1 + y^2) |x| and its gradient."""
    x, y = theta.unbind(-1)
    width = torch.sqrt(1 + y.square())
    return width * x.abs(), torch.stack([width * x.sign(), y * x.abs() / width], -1)


KINDS = ("normalized", "root", "plain")


@threads()
def drift_along(
    kind: str, share: Tensor, height: Tensor, step_size: float, stops: int
) -> Tensor:
    """States (K, 2, B, 2) of K = `stops` + 1 pairs of neighboring steps, the pairs
    equally spaced in tau = 0, ..., 1.

    kind: "normalized" gradient descent on L, gradient descent on its "root", or "plain"
    gradient descent on L.
    share: (B,), |x| at the start over the length eta or eta sqrt(1 + y^2) of a step
    across.      height: (B,), y there.
    """
    across = torch.sqrt(1 + height.square()) if kind == "root" else 1.0
    start = torch.stack([share * step_size * across, height], -1)
    spacing = round(1 / step_size**2 / stops)
    numbers = [spacing * k + late for k in range(stops + 1) for late in (0, 1)]
    run = explicit.descend(
        FunctionObjective(root_valley if kind == "root" else valley),
        start,
        constant(step_size),
        steps=numbers,
        direction=Steepest(2, normalized=True) if kind == "normalized" else None,
        max_seconds=math.inf,
    )
    return run.theta.unflatten(0, (-1, 2))


def inverse_stableness(kind: str, states: Tensor, step_size: float) -> Tensor:
    """1 / S of states (..., 2): S is the step that the method takes on L, times the
    largest curvature of L there.
    """
    flat = states.reshape(-1, 2)
    loss, gradient = valley(flat, torch.empty(0))
    inverse = (
        2 * loss.sqrt()
        if kind == "root"
        else torch.linalg.vector_norm(gradient, dim=-1)
    )
    curvature = largest_curvature(*flat.unbind(-1))
    return (inverse / step_size / curvature).reshape(states.shape[:-1])
