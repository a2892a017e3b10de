"""States of a batch of members: tuples, also nested, of tensors with one row a member,
and of what they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def where(chosen: Tensor, new: Any, old: Any) -> Any:
    """Members `chosen` (B,) of `new` and the others of `old`, through tuples; what is
    no tensor is taken from `new`.
    """
    if isinstance(new, tuple):
        return tuple(where(chosen, a, b) for a, b in zip(new, old, strict=True))
    if isinstance(new, Tensor):
        return torch.where(chosen.view(-1, *[1] * (new.ndim - 1)), new, old)
    return new


def rows(state: Any) -> Any:
    """The numbers of the rows of every tensor, through tuples."""
    if isinstance(state, tuple):
        return tuple(rows(part) for part in state)
    if isinstance(state, Tensor):
        return torch.arange(len(state), device=state.device)
    return state


def joined(parts: Sequence[Any], places: Sequence[Any]) -> Any:
    """The state of which `parts` are the rows `places`, through tuples; what is no
    tensor is taken from the last.
    """
    if isinstance(parts[-1], tuple):
        pairs = zip(zip(*parts, strict=True), zip(*places, strict=True), strict=True)
        return tuple(joined(part, place) for part, place in pairs)
    if isinstance(parts[-1], Tensor):
        return torch.cat(list(parts))[torch.cat(list(places)).argsort()]
    return parts[-1]


def select(state: Any, members: Tensor) -> Any:
    """The rows `members` (A,) of every tensor, through tuples."""
    if isinstance(state, tuple):
        return tuple(select(part, members) for part in state)
    return state[members] if isinstance(state, Tensor) else state
