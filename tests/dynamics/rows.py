"""Small separable data for the tests of flows on losses with a tail."""

from __future__ import annotations

import math

import torch

from ibcore.problems.separable import planted_margin

LOG_10 = math.log(10)
ROW = torch.tensor([[1.5, -2.0]], dtype=torch.float64)  # |x|^2 = 6.25


def zeros(*shape, dtype=torch.float64):
    """A start at the origin."""
    return torch.zeros(*shape, dtype=dtype)


def separable(seed, n=20, d=5):
    """Signed rows y_i x_i (n, d) with a margin."""
    return planted_margin(n, d, 0.1, torch.Generator().manual_seed(seed)).signed
