"""How fast a fully connected linear network turns to the max-margin direction from a
balanced start.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.validation import positive_integer


def balanced_sine_bound(
    norms: Tensor, sine: Tensor, least: Tensor, *, n: int, depth: int
) -> Tensor:
    """A bound on the sine of the angle to w_hat along gradient flow on the mean
    exponential loss, (K, B).

    norms: |w| at K times, the first of which has log(1/L) > log n, (K, B).      sine:
    of the angle at that time, (B,).
    least: log(1/L) - log n at that time, (B,).      n, depth: number of points, and k
    of layers. With r = |w| over its first value, sin^2 <= r^(-2/k) (sine^2 + (2/k)
    log(n)/least int_1^r u^(2/k - 2) du), proved on the page on fully connected networks
    for starts with W_(j+1)^T W_(j+1) = W_j W_j^T. A common factor of the data leaves
    it.
    """
    positive_integer("n", n)
    positive_integer("depth", depth)
    grown, power = torch.log(norms / norms[0]), 2 / depth - 1
    area = grown if depth == 2 else torch.expm1(power * grown) / power
    square = sine.square() + 2 / depth * math.log(n) / least * area
    return (torch.exp(-2 / depth * grown) * square).sqrt()
