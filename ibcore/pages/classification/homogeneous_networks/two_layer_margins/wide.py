"""Problems in the plane with their certified margin, and batches of networks that are
trained on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.models import Linear
from ibcore.models.network import Network
from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.variation_norm import VariationMargin, variation_margin
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.networks import (
    RELU,
    covered,
    network,
    normalized_margin,
    wide_start,
)
from ibcore.problems.plane import four_clusters
from ibcore.problems.separable import Classification
from ibcore.validation import InvalidInput, binary_data

OFF_KINKS = 0.02  # least |u.x| of an optimal direction u and a unit x
STOPS = (-1e2, -1e3, -1e4, -1e6, -1e8, -1e10)  # log L
TOGETHER = 100  # widths up to this are trained in one batch


@dataclass(frozen=True)
class Certified:
    """A problem in the plane with its largest normalized margin over networks of any
    width.
    """

    data: Classification
    best: VariationMargin

    @property
    def rate(self) -> float:
        """The predicted exponent, see `VariationMargin.rate`."""
        return self.best.rate(self.data.X, self.data.y)


@dataclass(frozen=True)
class Batch:
    """B networks from starts theta (B, P), on points X (B, n, 2) with labels y (B, n)
    and largest margins best (B,).
    """

    X: Tensor
    y: Tensor
    best: Tensor
    theta: Tensor

    @property
    def width(self) -> int:
        return self.theta.shape[-1] // 3

    def seen(self) -> Tensor:
        """Whether every point is seen by a neuron of its sign at the start, (B,)."""
        net = Network(self.X, (self.width,), RELU, biases=False)
        return covered(self.X, self.y, *net.neurons(self.theta))


def clusters(setting: Setting, count: int) -> tuple[list[Certified], int]:
    """`count` draws of four clusters with optimal neurons off the kinks, and how many
    had one within `OFF_KINKS`.
    """

    def keep(generator: torch.Generator) -> Certified | None:
        data = four_clusters(2, generator)
        best = variation_margin(data.X, data.y)
        good = best.distance_to_kinks(data.X) >= OFF_KINKS
        return Certified(data, best) if good else None

    return setting.draw(count, "four clusters", keep)


def own_points(X: object, y: object) -> Certified:
    """A reader's points X (n, 2) with labels y (n,) in {-1, +1}, in units of their root
    mean square length.

    Raises `InvalidInput` where an optimal neuron is closer than `OFF_KINKS` to its
    kink, along which the flow would slide.
    """
    inputs, labels = (part.double() for part in binary_data(X, y))
    inputs = inputs / inputs.square().sum(1).mean().sqrt()
    best = variation_margin(inputs, labels)
    apart = best.distance_to_kinks(inputs)
    if apart < OFF_KINKS:
        raise InvalidInput(
            f"an optimal neuron of these points is {apart:.2g} from its kink at one of "
            f"them, expected at least {OFF_KINKS:g}: the flow would slide along the "
            "kink. Move a point, or leave one out."
        )
    return Certified(Classification(inputs, labels), best)


def batch(
    problems: Sequence[Certified],
    widths: Sequence[int],
    starts: int,
    generator: torch.Generator,
) -> Batch:
    """`starts` networks of each of the `widths` on each problem: all of one width, then
    all of the next.
    """
    parts = (
        torch.stack([one.data.X for one in problems]),
        torch.stack([one.data.y for one in problems]),
        torch.tensor([one.best.margin for one in problems], dtype=torch.float64),
    )
    count = len(problems) * starts
    begin = [
        wide_start(width, count, generator, padded=max(widths)) for width in widths
    ]
    X, y, best = (
        part.repeat_interleave(starts, 0).repeat(len(widths), *[1] * (part.ndim - 1))
        for part in parts
    )
    return Batch(X, y, best, torch.cat(begin))


def groups(widths: Sequence[int]) -> list[list[int]]:
    """Widths that are trained in one batch: narrow ones together, wide ones alone."""
    narrow = [width for width in widths if width <= TOGETHER]
    wide = [[width] for width in widths if width > TOGETHER]
    return [narrow, *wide] if narrow else wide


def gaps(nets: Batch, stops: Sequence[float], device: torch.device) -> Tensor:
    """1 - normalized margin over the largest one along the flow, at losses of `stops`
    (K,), (K, B).
    """
    model = network(Classification(nets.X, nets.y), nets.width, device)
    run = flow(
        model,
        Exponential(),
        nets.theta.to(device),
        log_loss=list(stops),
        tolerance=1e-2,
        max_steps=400,
    )
    margins = torch.stack([normalized_margin(model, theta) for theta in run.theta])
    return 1 - margins.cpu() / nets.best


def output_layer_only(problem: Certified, start: Tensor) -> tuple[float, float]:
    """sin of the angle to the max margin of the fixed features, and the share of the
    variation-norm margin.

    start: (1, P).
    """
    X, y = problem.data.X, problem.data.y
    net = Network(X, (start.shape[-1] // 3,), RELU, biases=False)
    a, w = net.neurons(start)
    features = RELU.value(X @ w[0].T)
    rows = y[:, None] * features
    end = flow(Linear(rows), Exponential(), a, log_loss=-1e6).theta[-1, 0]
    margin = (rows @ end).min() / (end.abs() * w[0].norm(dim=-1)).sum()
    own = max_margin(features, y).primal
    return float(sin_angle(end, own)), float(margin / problem.best.margin)


def exponents(rates: Tensor, gaps: Tensor) -> Tensor:
    """Slopes of log |gap| against log log(1/L) from log L = -1e6 to -1e10 over the
    predicted rates (D,), (..., R).

    gaps: (K, ..., R) with R = D * starts runs, at stops of which the last three are
    those of `STOPS`.
    """
    decades = math.log(STOPS[-1] / STOPS[-3])
    slopes = -torch.log(gaps[-1].abs() / gaps[-3].abs()) / decades
    return slopes / rates.repeat_interleave(gaps.shape[-1] // len(rates))
