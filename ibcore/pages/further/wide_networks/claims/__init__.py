"""Wide networks: a Gaussian process at initialization, and a linear model in training."""

from __future__ import annotations

from ibcore.pages.further.wide_networks.claims.nngp_at_init import nngp_at_init
from ibcore.pages.further.wide_networks.claims.ntk_at_init import ntk_at_init
from ibcore.pages.further.wide_networks.claims.wide_net_linearized import (
    wide_net_linearized,
)

__all__ = ["nngp_at_init", "ntk_at_init", "wide_net_linearized"]
