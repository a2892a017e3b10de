"""How flat a minimum of a linear network can be on whitened inputs, and how sharp a
chain of scalars is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.validation import positive_integer


def flattest_sharpness(target: Tensor, depth: int) -> Tensor:
    """The least sharpness of zero-loss networks, (B,), targets (B, k, d).

    The loss is the mean over whitened inputs of
    |W_N ... W_1 x - T x|^2, without a factor 1/2, and
    no layer is narrower than the rank of T. Then it is
    2 N sigma_max(T)^(2 - 2/N). Source: Mulayoff and
    Michaeli 2020 (recalled); proved on the page.
    """
    positive_integer("depth", depth)
    largest = torch.linalg.matrix_norm(target, ord=2)
    return 2 * depth * largest ** (2 - 2 / depth)


def aligned_bound(layers: list[Tensor], target: Tensor) -> Tensor:
    """What the proof finds below the sharpness of one minimum, (B,), of `layers` (B,
    rows, columns), the input's first.

    It is 2 sum_l |a_l|^2 |b_l|^2 with a_l = (W_N ... W_(l+1))^T u and b_l = W_(l-1) ...
    W_1 v, where u and v are the leading singular vectors of the target (B, k, d). It
    lies between the flattest sharpness and that of the minimum.
    """
    left, _, right = torch.linalg.svd(target, full_matrices=False)
    above, below = left[..., :1], right[..., :1, :].mT
    reach = [below]
    for layer in layers[:-1]:
        reach.append(layer @ reach[-1])
    total = torch.zeros_like(target[:, 0, 0])
    for layer, vector in zip(reversed(layers), reversed(reach), strict=True):
        total = total + (above.square().sum(-2) * vector.square().sum(-2))[:, 0]
        above = layer.mT @ above
    return 2 * total


def chain_sharpness(weights: Tensor) -> Tensor:
    """2 sum_i (a / w_i)^2 with a = w_1 ...

    w_N, (B,): of a chain of scalars (B, N) at a minimum, E x^2 = 1.
    """
    product = weights.prod(-1, keepdim=True)
    return 2 * (product / weights).square().sum(-1)
