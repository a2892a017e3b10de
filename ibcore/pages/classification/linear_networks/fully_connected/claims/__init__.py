"""The claims on fully connected linear networks, one module each."""

from __future__ import annotations

from ibcore.pages.classification.linear_networks.fully_connected.claims.deep_linear_alignment import (
    deep_linear_alignment,
)
from ibcore.pages.classification.linear_networks.fully_connected.claims.deep_linear_max_margin import (
    deep_linear_max_margin,
)

__all__ = ["deep_linear_alignment", "deep_linear_max_margin"]
