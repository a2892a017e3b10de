"""The same digits under true labels, under true labels once more, and under labels
drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.problems.digits import CLASSES, digits_split
from ibcore.validation import positive_integer

LABELINGS = ("true", "true again", "random")


@dataclass(frozen=True)
class Labelings:
    """Digits `X` (B, 3, n, 64) of mean norm 1 and `y` (B, 3, n), int64, under each of
    `LABELINGS`.
    """

    X: Tensor
    y: Tensor


def labelings(
    draws: int,
    n: int,
    generator: torch.Generator,
    *,
    dtype: torch.dtype = torch.float32,
) -> Labelings:
    """`draws` samples of `n` digits; random labels are uniform over the ten classes and
    ignore the digits.
    """
    parts = [
        digits_split(n, 1, generator, dtype=dtype)
        for _ in range(positive_integer("draws", draws))
    ]
    X = torch.stack([part.X_train / part.X_train.norm(dim=1).mean() for part in parts])
    true = torch.stack([part.y_true for part in parts])
    drawn = torch.randint(CLASSES, true.shape, generator=generator)
    return Labelings(
        X[:, None].expand(-1, len(LABELINGS), -1, -1),
        torch.stack([true, true, drawn], 1),
    )
