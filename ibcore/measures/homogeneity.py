"""Whether a model is homogeneous in its parameters, and of which degree."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def degree(outputs: Callable[[Tensor], Tensor], theta: Tensor) -> float:
    """The k with outputs(c theta) = c^k outputs(theta) at c = 2, 4 and 8, NaN where no
    k fits all outputs to 1e-9.

    outputs: maps parameters (B, P) to (B, n), none of them 0.      theta: (B, P).
    """
    logs = torch.stack([outputs(c * theta).abs().log2() for c in (1, 2, 4, 8)])
    powers = logs.diff(dim=0)
    fits = bool(powers.max() - powers.min() < 1e-9)
    return float(powers.mean()) if fits else float("nan")
