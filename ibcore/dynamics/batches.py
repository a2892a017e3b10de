"""Mini-batches: which examples the gradient of a step sees, the same whoever else is
still training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer

Rows = Callable[[int, int], Iterator[Tensor]]
"""Numbers of members B and examples n -> the rows of one step after the other, (b,) for all members or (B, b)."""


def with_replacement(
    size: int, generator: torch.Generator, *, each: bool = False
) -> Rows:
    """`size` examples drawn uniformly with replacement at every step, for `each` member
    its own.
    """
    positive_integer("size", size)

    def rows(members: int, examples: int) -> Iterator[Tensor]:
        shape = (members, size) if each else (size,)
        while True:
            yield torch.randint(examples, shape, generator=generator)

    return rows


def epochs(size: int, generator: torch.Generator, *, each: bool = True) -> Rows:
    """Batches of `size` through a random order of the examples, drawn afresh each
    epoch, for `each` member its own.

    Examples beyond the last full batch are left out of that epoch.
    """
    positive_integer("size", size)

    def rows(members: int, examples: int) -> Iterator[Tensor]:
        _fitting(size, examples)
        shape = (members, examples) if each else (examples,)
        while True:
            order = torch.rand(shape, generator=generator).argsort(-1)
            for first in range(0, examples - size + 1, size):
                yield order[..., first : first + size]

    return rows


def without_replacement(
    size: int, generator: torch.Generator, *, each: bool = True
) -> Rows:
    """`size` different examples at every step, drawn anew whatever earlier steps saw,
    for `each` member its own.
    """
    positive_integer("size", size)

    def rows(members: int, examples: int) -> Iterator[Tensor]:
        _fitting(size, examples)
        shape = (members, examples) if each else (examples,)
        while True:
            yield torch.rand(shape, generator=generator).argsort(-1)[..., :size]

    return rows


def prescribed(rows: Tensor) -> Rows:
    """The rows of every step, given beforehand: (steps, b) for all members or (steps,
    B, b).
    """
    if rows.ndim not in (2, 3):
        raise InvalidInput(
            f"rows have shape {tuple(rows.shape)}, expected (steps, b) or (steps, B, "
            "b)."
        )

    def in_turn(members: int, _examples: int) -> Iterator[Tensor]:
        if rows.ndim == 3 and rows.shape[1] != members:
            raise InvalidInput(
                f"rows are given for {rows.shape[1]} members, and there are {members}."
            )
        yield from rows
        raise InvalidInput(
            f"batches were prescribed for {len(rows)} steps, and training went on."
        )

    return in_turn


def _fitting(size: int, examples: int) -> None:
    if size > examples:
        raise InvalidInput(
            f"a batch has {size} examples, and there are {examples}. Make it smaller."
        )
