"""The claims on other optimizers, one module each."""

from __future__ import annotations

from ibcore.pages.classification.extensions.optimizers.claims.adaptive_methods import (
    adaptive_methods,
)
from ibcore.pages.classification.extensions.optimizers.claims.gd_sgd_same_limit import (
    gd_sgd_same_limit,
)
from ibcore.pages.classification.extensions.optimizers.claims.normalized_gd_rate import (
    normalized_gd_rate,
)
from ibcore.pages.classification.extensions.optimizers.claims.steepest_descent_norm_margin import (
    steepest_descent_norm_margin,
)

__all__ = [
    "adaptive_methods",
    "gd_sgd_same_limit",
    "normalized_gd_rate",
    "steepest_descent_norm_margin",
]
