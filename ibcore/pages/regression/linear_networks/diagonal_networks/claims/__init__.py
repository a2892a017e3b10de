"""The claims of the page, one module each."""

from ibcore.pages.regression.linear_networks.diagonal_networks.claims.diag_depth import (
    diag_depth,
)
from ibcore.pages.regression.linear_networks.diagonal_networks.claims.diag_init_shape import (
    diag_init_shape,
)
from ibcore.pages.regression.linear_networks.diagonal_networks.claims.diag_l1_l2_transition import (
    diag_l1_l2_transition,
)
from ibcore.pages.regression.linear_networks.diagonal_networks.claims.diag_q_alpha import (
    diag_q_alpha,
)

__all__ = ["diag_depth", "diag_init_shape", "diag_l1_l2_transition", "diag_q_alpha"]
