"""Random draws of the claims on wide networks, and slopes over their widths."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.measures import slope

FEW = 16  # neurons of a first layer that is not wide


def slopes(widths: Sequence[int], values: Tensor) -> Tensor:
    """Exponents in the width of values (W, ...), each member's own, (...)."""
    x = torch.tensor(widths, dtype=torch.float64).log()
    return slope(x, values.log().movedim(0, -1))


def generators_for(setting: Setting, count: int, purpose: str) -> list[torch.Generator]:
    """`count` independent generators for `purpose`."""
    seeds = setting.seeds(count, purpose)
    return [torch.Generator().manual_seed(seed) for seed in seeds]
