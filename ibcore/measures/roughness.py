"""Roughness of piecewise linear functions."""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.threads import threads


@threads()
def roughness(positions: Tensor, jumps: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """int |f''| over the open interval (left, right), the total variation of the slope:
    (...).

    positions, jumps (..., m): where the slope of f jumps and by how much; several jumps
    at exactly the same position count as their sum. left, right (...). Exact: no grid
    is involved, so bends that nearly cancel are counted in full.
    """
    order = positions.argsort(-1)
    positions, jumps = positions.gather(-1, order), jumps.gather(-1, order)
    inside = (positions > left[..., None]) & (positions < right[..., None])
    jumps = torch.where(inside, jumps, 0.0)
    new = torch.nn.functional.pad(
        positions[..., 1:] != positions[..., :-1], (1, 0), value=False
    )
    group = new.cumsum(-1)
    return torch.zeros_like(jumps).scatter_add(-1, group, jumps).abs().sum(-1)
