"""Two ReLU neurons on the points (1, 1/4), (-1, 1/4), both of label +1: a KKT point
that is no optimum, in closed form.

The program is min |theta|^2 / 2 subject to margins of at least 1, with theta = (w_1,
w_2, a_1, a_2).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

LENGTH = math.sqrt(17) / 4  # of either point
TRAP = 1 / 4  # normalized margin min_i m_i / (|theta|^2 / 2) of the KKT point
BEST = math.sqrt(17) / 8  # of the optimum, one neuron along each point
MULTIPLIERS = (2.0, 2.0)  # at the KKT point
RISE = (
    math.sqrt(17) / 2 - 1
) / 16  # slope of `escape_margin` in epsilon^2 at the KKT point
TRAP_SHARE = (
    math.atan(1 / 4) / math.pi
) ** 2  # of rotation-invariant starts with symmetric signs


def trapped() -> Tensor:
    """The KKT point (6,): one neuron a = 2, w = (0, 2) and one that is zero.

    Its margins are 1 and 1.
    """
    return torch.tensor([0.0, 2.0, 0.0, 0.0, 2.0, 0.0], dtype=torch.float64)


def escape(epsilon: Tensor | float) -> Tensor:
    """Points (..., 6) at a distance of order epsilon from `trapped` whose normalized
    margin is larger.

    The zero neuron becomes epsilon (1, x_1/|x_1|), which adds epsilon^2 |x_1| to the
    first margin, and the other one leans towards the second point until the margins
    agree.
    """
    epsilon = torch.as_tensor(epsilon, dtype=torch.float64)
    lean, zero = epsilon**2 * LENGTH / 4, torch.zeros_like(epsilon)
    along = epsilon / LENGTH
    return torch.stack([-lean, zero + 2, along, along / 4, zero + 2, epsilon], -1)


def escape_margin(epsilon: Tensor | float) -> Tensor:
    """Normalized margin of `escape(epsilon)`: (1 + c e^2/2) / (4 + e^2 + c^2 e^4/32)
    with c = |x_1|.
    """
    square = torch.as_tensor(epsilon, dtype=torch.float64) ** 2
    return (1 + LENGTH * square / 2) / (4 + square + (LENGTH * square) ** 2 / 32)


def landscape(first: Array, second: Array) -> Array:
    """The largest normalized margin of two neurons of given directions, angles in
    radians, over their sizes.

    With balanced neurons of masses s and 1 - s it is max_s min_i [s h_i(first) + (1 -
    s) h_i(second)], h_i(u) = relu(u.x_i): attained at s = 0, 1 or where both margins
    agree.
    """
    one, two = _responses(first), _responses(second)
    tilt, other = one[0] - one[1], two[0] - two[1]
    opposed = tilt * other < 0
    share = np.where(opposed, other / np.where(opposed, other - tilt, 1.0), 0.0)
    mixed = np.where(opposed, share * one[0] + (1 - share) * two[0], 0.0)
    return np.maximum(mixed, np.maximum(one.min(0), two.min(0)))


def _responses(angles: Array) -> Array:
    x, y = np.cos(angles), np.sin(angles) / 4
    return np.maximum(np.stack([x + y, y - x]), 0)
