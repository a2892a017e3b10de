"""Bounds for networks: norms tell true labels from random ones, and a bound for
randomized networks is below 1.
"""

from __future__ import annotations

from ibcore.pages.classification.homogeneous_networks.margin_bounds.claims.network_margin_bounds import (
    network_margin_bounds,
)
from ibcore.pages.classification.homogeneous_networks.margin_bounds.claims.pac_bayes_nonvacuous import (
    pac_bayes_nonvacuous,
)

__all__ = ["network_margin_bounds", "pac_bayes_nonvacuous"]
