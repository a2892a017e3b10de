"""Events that end the members of a descent: what `until` of
`ibcore.dynamics.explicit.descend` may be.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ibcore.dynamics.objective import Point
from ibcore.validation import positive_number


def short_gradient(length: float) -> Callable[[Point], Tensor]:
    """The gradient is at most so long: a point of A members -> truth values (A,)."""
    bound = math.log(positive_number("length", length))

    def event(point: Point) -> Tensor:
        slope, log_unit = point.slope
        return torch.linalg.vector_norm(slope, dim=-1).log() + log_unit <= bound

    return event
