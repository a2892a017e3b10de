"""The 1797 handwritten digits of 8 x 8 pixels that scikit-learn ships, split,
standardized and mislabeled at will.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer

CLASSES = 10


@dataclass(frozen=True)
class DigitsSplit:
    """A training and a test set of digits.

    X_train (n, 64), X_test (k, 64): pixels, centered and scaled as `digits_split` says.
    y_train (n,): the labels to train on, int64 classes 0..9, some of them redrawn.
    y_true (n,): the labels of the training digits before any was redrawn.
    redrawn (n,): True where a label was drawn at random; it may have come out right by
    chance. y_test (k,): true labels.
    """

    X_train: Tensor
    y_train: Tensor
    X_test: Tensor
    y_test: Tensor
    y_true: Tensor
    redrawn: Tensor


def digits_split(
    train: int,
    test: int,
    generator: torch.Generator,
    corruption: float = 0.0,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> DigitsSplit:
    """`train` and `test` different digits in random order, drawn with a CPU
    `generator`.

    Every pixel is centered by its mean over the training digits, and all are divided by
    one number, the root of the mean training variance, so that the mean pixel has
    variance 1 and a pixel that is almost always blank is not blown up. Each training
    label is, with probability `corruption` and independently, redrawn uniformly from
    the ten classes (Zhang, Bengio, Hardt, Recht and Vinyals 2017, partially corrupted
    labels); test labels are never touched. The digits and their order do not depend on
    `corruption`.

    Raises `InvalidInput` if the sizes exceed the 1797 digits or `corruption` is no
    probability.
    """
    images, labels = _digits()
    train, test = (
        positive_integer("train", train, least=2),
        positive_integer("test", test),
    )
    if train + test > len(images):
        raise InvalidInput(
            f"train + test is {train + test}, expected at most {len(images)}, the "
            "digits there are. Ask for fewer."
        )
    if not 0.0 <= corruption <= 1.0:
        raise InvalidInput(
            f"corruption is {corruption!r}, expected a probability between 0 and 1."
        )
    order = torch.randperm(len(images), generator=generator)
    inputs, classes = images[order].to(dtype), labels[order]
    inputs = _standardize(inputs, train)
    redrawn = torch.rand(train, generator=generator, dtype=torch.float64) < corruption
    y_train = torch.where(
        redrawn, torch.randint(CLASSES, (train,), generator=generator), classes[:train]
    )
    parts = (
        inputs[:train],
        y_train,
        inputs[-test:],
        classes[-test:],
        classes[:train],
        redrawn,
    )
    return DigitsSplit(*(part.to(device) for part in parts))


def digit_pair(
    first: int, second: int, each: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Pixels 0..16 of `each` digits of two classes, X (2 each, 64), and y (2 each,): +1
    for the first, else -1.

    The digits are drawn with a CPU `generator`. Raises `InvalidInput` for more digits
    than a class has, and for a class that is not 0..9.
    """
    images, labels = _digits()
    rows = []
    for name, digit in (("first", first), ("second", second)):
        if positive_integer(name, digit, least=0) >= CLASSES:
            raise InvalidInput(f"{name} is {digit}, expected a digit from 0 to 9.")
        members = torch.nonzero(labels == digit)[:, 0]
        if positive_integer("each", each) > len(members):
            raise InvalidInput(
                f"each is {each}, expected at most {len(members)}, the images of "
                f"{digit} that there are."
            )
        rows.append(members[torch.randperm(len(members), generator=generator)[:each]])
    y = torch.ones(each, dtype=torch.float64)
    return images[torch.cat(rows)].double(), torch.cat([y, -y])


def _standardize(inputs: Tensor, train: int) -> Tensor:
    centered = inputs - inputs[:train].mean(0)
    return centered / centered[:train].square().mean().sqrt()


@cache
def _digits() -> tuple[Tensor, Tensor]:
    """Pixels 0..16, (1797, 64), and classes, (1797,); read only."""
    pixels, classes = load_digits(return_X_y=True)
    return torch.from_numpy(pixels), torch.from_numpy(classes).long()
