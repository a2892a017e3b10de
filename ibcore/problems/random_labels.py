"""Points on the sphere with labels by coin flip: nothing but a network large enough
fits them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.validation import positive_integer


def random_labels(n: int, d: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs X (n, d), uniform on the unit sphere, and labels y (n,), -1 or +1 with
    equal odds.
    """
    positive_integer("n", n)
    positive_integer("d", d)
    X = torch.randn(n, d, generator=generator, dtype=torch.float64)
    y = torch.randint(2, (n,), generator=generator).double() * 2 - 1
    return X / torch.linalg.vector_norm(X, dim=1, keepdim=True), y
