"""Distances in units of what is expected."""

from __future__ import annotations

from torch import Tensor


def relative_distance(found: Tensor, expected: Tensor) -> Tensor:
    """Euclidean distance of `found` (..., d) from `expected` (..., d), over the norm of
    that; NaN if either is.
    """
    return (found - expected).norm(dim=-1) / expected.norm(dim=-1)
