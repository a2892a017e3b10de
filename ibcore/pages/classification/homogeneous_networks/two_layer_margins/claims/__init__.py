"""Margins of two-layer ReLU networks: a KKT point that is no optimum, and wide networks
that reach the optimum.
"""

from ibcore.pages.classification.homogeneous_networks.two_layer_margins.claims.kkt_not_optimal import (
    kkt_not_optimal,
)
from ibcore.pages.classification.homogeneous_networks.two_layer_margins.claims.wide_2nn_f1_margin import (
    wide_2nn_f1_margin,
)

__all__ = ["kkt_not_optimal", "wide_2nn_f1_margin"]
