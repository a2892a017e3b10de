"""Observed rates."""

from __future__ import annotations

from torch import Tensor


def slope(x: Tensor, y: Tensor) -> Tensor:
    """Least-squares slope of `y` against `x` along the last dimension; pass logarithms
    for a power.
    """
    x, y = x - x.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    return (x * y).sum(-1) / (x * x).sum(-1)
