"""Flat minima: what rescaling does to sharpness, how flat a linear network can be, and
what small batches find.
"""

from __future__ import annotations

from ibcore.pages.dynamical_stability.flat_minima.claims.batch_size_sharpness import (
    batch_size_sharpness,
)
from ibcore.pages.dynamical_stability.flat_minima.claims.flat_minima_linear_nets import (
    flat_minima_linear_nets,
)
from ibcore.pages.dynamical_stability.flat_minima.claims.reparam_sharpness import (
    reparam_sharpness,
)

__all__ = ["batch_size_sharpness", "flat_minima_linear_nets", "reparam_sharpness"]
