"""States of a batch of members: tuples, also nested, of tensors with one row a member, and of what they share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def where(chosen: Tensor, new: Any, old: Any) -> Any:
    """Members `chosen` (B,) of `new` and the others of `old`, through tuples; what is no tensor is taken from `new`."""
    if isinstance(new, tuple):
        return tuple(where(chosen, a, b) for a, b in zip(new, old, strict=True))
    if isinstance(new, Tensor):
        return torch.where(chosen.view(-1, *[1] * (new.ndim - 1)), new, old)
    return new


def select(state: Any, members: Tensor) -> Any:
    """The rows `members` (A,) of every tensor, through tuples."""
    if isinstance(state, tuple):
        return tuple(select(part, members) for part in state)
    return state[members] if isinstance(state, Tensor) else state
