"""The claims of the page on the geometry of optimizers, one module each."""

from ibcore.pages.since.optimizer_geometry.claims.adam_linf_margin import (
    adam_linf_margin,
)
from ibcore.pages.since.optimizer_geometry.claims.decoupled_decay_constraint import (
    decoupled_decay_constraint,
)
from ibcore.pages.since.optimizer_geometry.claims.mirror_flow_horizon import (
    mirror_flow_horizon,
)
from ibcore.pages.since.optimizer_geometry.claims.muon_spectral_margin import (
    muon_spectral_margin,
)

__all__ = [
    "adam_linf_margin",
    "decoupled_decay_constraint",
    "mirror_flow_horizon",
    "muon_spectral_margin",
]
