"""Training at the edge of stability, and models of it that can be solved."""

from __future__ import annotations

from ibcore.pages.dynamical_stability.edge_of_stability.claims.edge_of_stability import (
    edge_of_stability,
)
from ibcore.pages.dynamical_stability.edge_of_stability.claims.ngd_sqrt_loss_eos import (
    ngd_sqrt_loss_eos,
)

__all__ = ["edge_of_stability", "ngd_sqrt_loss_eos"]
