"""Data of a batch of members, shared by them or each member's own."""

from __future__ import annotations

import torch
from torch import Tensor


def rows_of(data: Tensor, rows: Tensor, *, shared: bool) -> Tensor:
    """Entries `rows`, (b,) or (B, b), of data with one entry an example, (n, ...) if
    `shared` or (B, n, ...).
    """
    if shared:
        return data[rows]
    if rows.ndim == 1:
        return data[:, rows]
    return data[torch.arange(len(data), device=data.device)[:, None], rows]
