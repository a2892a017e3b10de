"""Diagonal linear networks: sparse limits, and the scale of the start against the
accuracy.
"""

from __future__ import annotations

from ibcore.pages.classification.linear_networks.diagonal.claims.diag_classification_quasinorm import (
    diag_classification_quasinorm,
)
from ibcore.pages.classification.linear_networks.diagonal.claims.diag_init_scale_vs_accuracy import (
    diag_init_scale_vs_accuracy,
)

__all__ = ["diag_classification_quasinorm", "diag_init_scale_vs_accuracy"]
