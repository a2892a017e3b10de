"""Margins of a classifier of several classes."""

from __future__ import annotations

import torch
from torch import Tensor


def multiclass_margins(logits: Tensor, y: Tensor) -> Tensor:
    """Logit of the label minus the largest other logit, (..., n), for logits (..., n,
    classes) and labels (..., n).
    """
    own = logits.gather(-1, y[..., None])
    rest = logits.scatter(-1, y[..., None], -torch.inf).amax(-1)
    return own[..., 0] - rest
