"""What is left of the KKT conditions in a batch of networks: NaN and a sentence where
one has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.trajectory import Trajectory
from ibcore.evidence import Breakdown, attempt
from ibcore.measures.kkt import clarke_kkt, kkt
from ibcore.oracles.max_margin import max_margin
from ibcore.pages.classification.homogeneous_networks.kkt_points.networks import (
    Networks,
    TwoLayers,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.runs import (
    alignment_bound,
    log_smoothed,
)

EVERY = 1e9  # for `active` of `kkt`: all constraints are allowed


@dataclass(frozen=True)
class SmoothEnds:
    """Of B networks without kinks: the KKT residual and complementarity, and
    `tangent_gap`, (B,) each.
    """

    residual: Tensor
    complementarity: Tensor
    tangent: Tensor


@dataclass(frozen=True)
class ClarkeEnds:
    """Of B ReLU networks, (B,) each, as in `clarke_kkt`: naive is the naive residual,
    kinks the number of pairs.
    """

    residual: Tensor
    complementarity: Tensor
    gap: Tensor
    naive: Tensor
    kinks: Tensor


def smooth_ends(
    networks: Networks, directions: Tensor
) -> tuple[SmoothEnds, tuple[str, ...]]:
    """At unit vectors (B, P), and which networks have an example that is still wrong."""
    values, rows = _linearized(networks, directions)

    def measure(b: int) -> list[float]:
        found = kkt(directions[b], values[b], rows[b])
        gap = tangent_gap(values[b], rows[b], networks.degree)
        return [found.residual, found.complementarity, gap]

    columns, lost = _measured(measure, len(directions), 3)
    return SmoothEnds(*columns), lost


def clarke_ends(
    networks: TwoLayers, directions: Tensor
) -> tuple[ClarkeEnds, tuple[str, ...]]:
    """The same with the best slopes at the kinks."""
    net, labels = networks.net, networks.margins.labels

    def measure(b: int) -> list[float]:
        found = clarke_kkt(*net.neurons(directions[b]), net.inputs[b], labels[b])
        return [
            found.residual,
            found.complementarity,
            found.gap,
            found.naive.residual,
            len(found.kinks),
        ]

    columns, lost = _measured(measure, len(directions), 5)
    return ClarkeEnds(*columns), lost


def residuals(networks: Networks, theta: Tensor, active: float = 0.01) -> Tensor:
    """KKT residuals (B,) of parameters (B, P), with the constraints within `active` of
    the smallest margin.
    """
    values, rows = _linearized(networks, theta)

    def measure(b: int) -> list[float]:
        return [kkt(theta[b], values[b], rows[b], active=active).residual]

    columns, _ = _measured(measure, len(theta), 1)
    return columns[0]


def mean_residuals(networks: Networks, run: Trajectory, fitted: Tensor) -> Tensor:
    """Integral of the squared residual over log |theta|, over its bound, all
    constraints allowed, for the `fitted`.
    """
    smoothed, log_norms = log_smoothed(networks, run)
    rise, _ = alignment_bound(smoothed, log_norms, networks.degree)
    squares = torch.stack(
        [residuals(networks, theta, EVERY).square() for theta in run.theta]
    )
    integral = torch.trapezoid(squares, log_norms.cpu(), dim=0)
    return (integral / rise.cpu())[fitted.cpu()]


def tangent_gap(values: Tensor, rows: Tensor, degree: int) -> float:
    """1 minus the least margin of a direction on its own gradients over the largest
    that any direction has.

    By Euler's identity the direction's margins there are k times those of the network,
    which are `values` (n,), with the gradients `rows` (n, P).
    """
    best = max_margin(rows.cpu(), torch.ones(len(values), dtype=values.dtype))
    return 1 - degree * float(values.min()) / best.margin


def _linearized(networks: Networks, theta: Tensor) -> tuple[Tensor, Tensor]:
    return networks.margins.outputs(theta), networks.margins.jacobian(theta)


def _measured(
    measure: Callable[[int], list[float]], count: int, columns: int
) -> tuple[Tensor, tuple[str, ...]]:
    """What `measure` says of each network, (columns, count), and of which it could say
    nothing, and why.
    """
    found, _ = attempt(measure, range(count))
    lost = {b: one.reason for b, one in enumerate(found) if isinstance(one, Breakdown)}
    rows = [[math.nan] * columns if b in lost else one for b, one in enumerate(found)]
    table = torch.tensor(rows, dtype=torch.float64).reshape(count, columns)
    return table.T, tuple(f"network {b}: {reason}" for b, reason in lost.items())
