"""The claims of the page on simple predictors, one module each."""

from ibcore.pages.classification.homogeneous_networks.simple_predictors.claims.leaky_linear_teacher import (
    leaky_linear_teacher,
)
from ibcore.pages.classification.homogeneous_networks.simple_predictors.claims.leaky_symmetric_max_margin import (
    leaky_symmetric_max_margin,
)

__all__ = ["leaky_linear_teacher", "leaky_symmetric_max_margin"]
