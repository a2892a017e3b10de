"""Points of the plane for two-layer networks without bias, and starts whose neurons see
what they should.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.problems.separable import Classification
from ibcore.validation import positive_integer, positive_number

HALF_WIDTH = math.atan(
    1 / 4
)  # of the sector of directions that see both points of `shallow_pair`, and of none
SECTORS = {
    "both": (math.pi / 2, HALF_WIDTH),
    "none": (-math.pi / 2, HALF_WIDTH),
    "right": (0.0, math.pi / 2 - HALF_WIDTH),
    "left": (math.pi, math.pi / 2 - HALF_WIDTH),
}


def shallow_pair() -> Classification:
    """The points (1, 1/4) and (-1, 1/4), both of label +1: nearly opposite, yet on one
    side of a line.
    """
    X = torch.tensor([[1.0, 0.25], [-1.0, 0.25]], dtype=torch.float64)
    return Classification(X, torch.ones(2, dtype=torch.float64))


def neurons_that_see(
    sector: str, count: int, size: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Output weights (count,) and input weights (count, 2) of Gaussian neurons, given
    which points they see.

    `sector` is both, none, right or left, the points of `shallow_pair` with w.x > 0.
    All entries are normal of standard deviation `size`; conditioning a
    rotation-invariant w on a sector leaves its length as it is.
    """
    middle, half = SECTORS[sector]
    positive_integer("count", count)
    radius = positive_number("size", size) * torch.randn(
        count, 2, generator=generator, dtype=torch.float64
    ).norm(dim=1)
    angle = middle + half * (
        2 * torch.rand(count, generator=generator, dtype=torch.float64) - 1
    )
    a = size * torch.randn(count, generator=generator, dtype=torch.float64)
    return a, radius[:, None] * torch.stack([angle.cos(), angle.sin()], -1)


def four_clusters(
    each: int, generator: torch.Generator, *, half_width: float = math.pi / 6
) -> Classification:
    """`each` points of the unit circle around each of the directions 0, 90, 180, 270
    degrees, labels +1, -1, +1, -1.

    Points are uniform within `half_width` radians of their center. No linear predictor
    separates the labels.
    """
    centers = torch.arange(4).repeat_interleave(positive_integer("each", each))
    spread = positive_number("half_width", half_width) * (
        2 * torch.rand(4 * each, generator=generator).double() - 1
    )
    angles = centers * math.pi / 2 + spread
    return Classification(
        torch.stack([angles.cos(), angles.sin()], -1), 1 - 2.0 * (centers % 2).double()
    )
