"""Gradient methods with finite steps follow gradient flow on a modified loss: of which
order, and what the term is.
"""

from __future__ import annotations

from ibcore.pages.further.modified_losses.claims.igr_ntk_identity import (
    igr_ntk_identity,
)
from ibcore.pages.further.modified_losses.claims.modified_loss_gd import (
    modified_loss_gd,
)
from ibcore.pages.further.modified_losses.claims.modified_loss_sgd import (
    modified_loss_sgd,
)

__all__ = ["igr_ntk_identity", "modified_loss_gd", "modified_loss_sgd"]
