"""What theory says of the imbalance of a network: closed forms, and an integral along
the flow.

The imbalance of adjacent layers is D_j = W_(j+1)^T W_(j+1) - W_j W_j^T, that of one
neuron of degree q the number q |w_out|^2 - |w_in|^2 - b^2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_number,
)

Array = NDArray[np.float64]


def layer_change(gradients: Sequence[Tensor]) -> Tensor:
    """Change of all D_j over eta^2 in a step of descent: G_(j+1)^T G_(j+1) - G_j G_j^T,
    flattened, (..., M).

    gradients: G_1, ..., G_k of the layers of a linear network, (..., m_j, m_(j-1)). The
    term of order eta vanishes because W_(j+1)^T G_(j+1) = G_j W_j^T.
    """
    changes = []
    for below, above in pairwise(gradients):
        read = torch.einsum("...ri,...ci->...rc", below, below)
        sent = torch.einsum("...ir,...ic->...rc", above, above)
        changes.append((sent - read).flatten(-2))
    return torch.cat(changes, -1)


def neuron_change(
    gradients: Sequence[Tensor], biases: Sequence[Tensor], degree: float = 1.0
) -> Tensor:
    """The same for the neurons of a homogeneous network: q |g_out|^2 - |g_in|^2 -
    g_b^2, (..., m_1 + ... + m_(k-1)).

    gradients: of W_1, ..., W_k, (..., m_j, m_(j-1)).      biases: gradients of b_1,
    ..., (..., m_j).
    """
    changes = []
    for below, above, shift in zip(
        gradients[:-1], gradients[1:], biases[: len(gradients) - 1], strict=True
    ):
        sent = torch.einsum("...ij,...ij->...j", above, above)
        read = torch.einsum("...ji,...ji->...j", below, below) + shift * shift
        changes.append(degree * sent - read)
    return torch.cat(changes, -1)


def decayed(imbalance: Tensor, decay: float, time: float) -> Tensor:
    """The imbalance at `time` of the flow of L + (decay/2) |theta|^2: exp(-2 decay
    time) times that at the start.
    """
    return imbalance * math.exp(
        -2 * real_number("decay", decay) * real_number("time", time)
    )


def gauss_times(horizon: float, pieces: int = 8, nodes: int = 8) -> tuple[Array, Array]:
    """Times in (0, horizon) and weights of a composite Gauss rule, for an integral
    along a smooth flow.
    """
    length = positive_number("horizon", horizon) / positive_integer("pieces", pieces)
    points, weights = np.polynomial.legendre.leggauss(positive_integer("nodes", nodes))
    left = length * np.arange(pieces)[:, None]
    times = (left + length * (points + 1) / 2).ravel()
    return times, np.tile(length * weights / 2, pieces)


def product_limit(imbalance: float, target: float = 1.0) -> tuple[float, float]:
    """Where the flow of (u v - target)^2 ends that starts with u^2 - v^2 = `imbalance`
    and u > |v|: (u, v).

    u v = target and the conserved difference make u^2 a root of a quadratic equation.
    target: above 0. Raises `InvalidInput` for an imbalance of at most 0; the case v >
    |u| is its mirror image.
    """
    gap = positive_number("imbalance", imbalance)
    goal = positive_number("target", target)
    square = (gap + math.hypot(gap, 2 * goal)) / 2
    return math.sqrt(square), goal / math.sqrt(square)


def least_norms(matrix: Tensor) -> Tensor:
    """The least |W_1|_F^2 + |W_2|_F^2 with W_2 W_1 = `matrix` (..., p, q): twice its
    nuclear norm, (...).
    """
    if matrix.ndim < 2:
        raise InvalidInput(f"matrix has shape {tuple(matrix.shape)}, expected (p, q).")
    return 2 * torch.linalg.svdvals(matrix).sum(-1)
