"""Two-layer ReLU networks in the plane: their margins and their starts."""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.models.activations import LeakyReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network, of_neurons
from ibcore.problems.plane import neurons_that_see
from ibcore.problems.separable import Classification

RELU = LeakyReLU(0.0)


def network(
    data: Classification, width: int, device: torch.device | str = "cpu"
) -> Margins:
    """Margins of a two-layer ReLU network on `data`."""
    net = Network(data.X.to(device), (width,), RELU, biases=False)
    return Margins(net, data.y.to(device))


def normalized_margin(model: Margins, theta: Tensor) -> Tensor:
    """min_i m_i / (|theta|^2 / 2) of theta (..., P)."""
    margins = model.outputs(theta.flatten(0, -2)).amin(-1).view(theta.shape[:-1])
    return margins / (theta.square().sum(-1) / 2)


def at_margin_one(model: Margins, theta: Tensor) -> Tensor:
    """theta (B, P) scaled so that its smallest margin is 1."""
    return theta / model.outputs(theta).amin(-1, keepdim=True).sqrt()


def pair_starts(
    first: str, second: str, count: int, size: float, generator: torch.Generator
) -> Tensor:
    """Gaussian parameters (count, 6) of two neurons that see the stated points, the
    first with positive output.
    """
    (a, w), (b, v) = (
        neurons_that_see(sector, count, size, generator) for sector in (first, second)
    )
    return of_neurons(torch.stack([a.abs(), b], -1), torch.stack([w, v], -2))


def wide_start(
    width: int, count: int, generator: torch.Generator, *, padded: int | None = None
) -> Tensor:
    """Networks (count, P) of `width` neurons with |a_j| = |w_j| = width^-1/2, uniform
    directions and random signs.

    With `padded` neurons in all, the rest are zero; they have no gradient and stay
    zero.
    """
    total = padded or width
    a = torch.zeros(count, total, dtype=torch.float64)
    w = torch.zeros(count, total, 2, dtype=torch.float64)
    drawn = torch.randn(count, width, 3, generator=generator, dtype=torch.float64)
    turned = drawn[..., 1:] / drawn[..., 1:].norm(dim=-1, keepdim=True)
    a[:, :width] = drawn[..., 0].sign() * width**-0.5
    w[:, :width] = turned * width**-0.5
    return of_neurons(a, w)


def covered(X: Tensor, y: Tensor, a: Tensor, w: Tensor) -> Tensor:
    """Whether every point of X (B, n, 2) with labels y (B, n) is seen by a neuron of
    the label's sign, (B,).

    a: (B, m).      w: (B, m, 2).
    """
    sees = (X @ w.mT > 0) & (y[..., None] * a[:, None, :] > 0)
    return sees.any(-1).all(-1)
