"""What `evidence.attempt` found of members, as tensors: NaN for those that broke down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ibcore.evidence import Breakdown


def rows(found: Sequence[Any], size: int) -> Tensor:
    """One vector a member, (B, size), float64."""
    lost = torch.full((size,), math.nan, dtype=torch.float64)
    return torch.stack([one if isinstance(one, Tensor) else lost for one in found])


def column(found: Sequence[float | Tensor | Breakdown]) -> Tensor:
    """One number a member, (B,), float64."""
    return torch.tensor([float(one) for one in found], dtype=torch.float64)
