"""Even against odd handwritten digits on their leading principal components: a real
problem for small networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.problems.digits import digits_split
from ibcore.validation import InvalidInput, positive_integer


@dataclass(frozen=True)
class ParitySplit:
    """X_train (B, n, d), y_train (B, n), X_test (B, k, d), y_test (B, k); labels +1 for
    even, -1 for odd digits.
    """

    X_train: Tensor
    y_train: Tensor
    X_test: Tensor
    y_test: Tensor


def parity_splits(
    splits: int,
    train: int,
    test: int,
    components: int,
    generator: torch.Generator,
    corruption: float = 0.0,
    *,
    device: torch.device | str = "cpu",
) -> ParitySplit:
    """`splits` independent splits of the digits, projected onto the leading
    `components` of the training pixels.

    The projections are divided by one number so that their mean square over the
    training set is 1. Each training digit is, with probability `corruption`, redrawn
    uniformly from the ten classes before its parity is taken, so half of the redrawn
    labels are wrong; test labels are true. Raises `InvalidInput` for sizes that the
    1797 digits or the training set cannot give.
    """
    if positive_integer("components", components) > min(train, 64):
        raise InvalidInput(
            f"components is {components}, expected at most min(train, 64) = "
            f"{min(train, 64)}."
        )
    parts = [
        _parity(train, test, components, generator, corruption)
        for _ in range(positive_integer("splits", splits))
    ]
    return ParitySplit(
        *(torch.stack(column).to(device) for column in zip(*parts, strict=True))
    )


def _parity(
    train: int,
    test: int,
    components: int,
    generator: torch.Generator,
    corruption: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    digits = digits_split(train, test, generator, corruption)
    axes = torch.linalg.svd(digits.X_train, full_matrices=False).Vh[:components]
    seen, fresh = digits.X_train @ axes.T, digits.X_test @ axes.T
    unit = seen.square().mean().sqrt()
    return (
        seen / unit,
        _sign(digits.y_train, seen),
        fresh / unit,
        _sign(digits.y_test, seen),
    )


def _sign(classes: Tensor, like: Tensor) -> Tensor:
    return (1 - 2 * (classes % 2)).to(like)
