"""Homogeneous networks: KKT points, the smoothed margin, rates, alignment, and what is
open without homogeneity.
"""

from ibcore.pages.classification.homogeneous_networks.kkt_points.claims.gradient_alignment import (
    gradient_alignment,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims.homogeneous_kkt import (
    homogeneous_kkt,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims.homogeneous_rates import (
    homogeneous_rates,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims.nonhomogeneous_open import (
    nonhomogeneous_open,
)
from ibcore.pages.classification.homogeneous_networks.kkt_points.claims.normalized_margin_monotone import (
    normalized_margin_monotone,
)

__all__ = [
    "gradient_alignment",
    "homogeneous_kkt",
    "homogeneous_rates",
    "nonhomogeneous_open",
    "normalized_margin_monotone",
]
