"""Training of the page on simple predictors that belongs to no claim."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.measures import sin_angle
from ibcore.models.homogeneous import LeakyReLU, TwoLayer, joined
from ibcore.models.margins import Margins
from ibcore.oracles.max_margin import max_margin
from ibcore.problems.separable import Classification


def class_sines(
    data: Classification,
    width: int,
    log_loss: Sequence[float],
    generator: torch.Generator,
) -> dict[int, Tensor]:
    """sin of the angle of each neuron of a class to the max margin classifier of that class alone.

    Gradient flow of a two-layer ReLU network from a balanced start of size 1e-3, to the K losses of `log_loss`.
    Returns (K, width / 2) for +1, whose neurons have positive output weights, and for -1.
    """
    net = TwoLayer(data.X, width, LeakyReLU())
    w = torch.randn(width, net.features, generator=generator, dtype=torch.float64)
    w = 1e-3 * w
    signs = torch.ones(width, dtype=torch.float64)
    signs[1::2] = -1
    start = joined(w.norm(dim=-1) * signs, w)[None]
    run = flow(Margins(net, data.y), Exponential(), start, log_loss=log_loss)
    weights = torch.stack([net.layers(theta[0])[1] for theta in run.theta])
    found = {}
    for sign in (1, -1):
        points = data.X[data.y == sign]
        best = max_margin(points, torch.ones(len(points)).double()).primal
        found[sign] = sin_angle(weights[:, signs == sign], best)
    return found
