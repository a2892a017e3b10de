"""Parameters with which a univariate ReLU network connects given points by straight
lines.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.validation import InvalidInput


def connect_the_dots(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """`theta` (B, 3m) with its first n neurons rewritten so that f connects the points
    x, y (B, n): (B, 3m).

    Neuron by neuron a hinge: two before x_1 that bring f from zero to the first line,
    then one at each inner point that turns it by the difference of the slopes. Each is
    balanced, a^2 = b^2 + w^2, as gradient flow leaves neurons that start small. The
    other neurons keep b and w and get a = 0, so the function is exactly the polygon.
    For `TwoLayerReLU` on one feature.

    Raises `InvalidInput` if the network has fewer than n neurons.
    """
    width, count = theta.shape[-1] // 3, x.shape[-1]
    if count > width:
        raise InvalidInput(
            f"the network has {width} neurons and the polygon {count} points, expected "
            "at least one neuron a point. Make the network wider."
        )
    positions, jumps = _polygon(x, y)
    w = (jumps.abs() * math.sqrt(width) / torch.sqrt(1 + positions.square())).sqrt()
    a = jumps.sign() * w * torch.sqrt(1 + positions.square())
    inner, bias, outer = theta.clone().unflatten(-1, (3, width)).unbind(1)
    inner[:, :count], bias[:, :count], outer[:, :count] = w, -w * positions, a
    outer[:, count:] = 0
    return torch.cat([inner, bias, outer], -1)


def _polygon(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where the polygon bends, starting from zero on the left of x_1 - 2, and by how
    much: both (B, n).
    """
    slopes = y.diff() / x.diff()
    first = y[:, :1] - slopes[:, :1]
    positions = torch.cat([x[:, :1] - 2, x[:, :1] - 1, x[:, 1:-1]], -1)
    return positions, torch.cat([first, slopes[:, :1] - first, slopes.diff()], -1)
