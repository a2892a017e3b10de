"""The claims of the page on logistic regression."""

from ibcore.pages.classification.logistic_regression.claims.logistic_log_rates import (
    logistic_log_rates,
)
from ibcore.pages.classification.logistic_regression.claims.logistic_max_margin import (
    logistic_max_margin,
)
from ibcore.pages.classification.logistic_regression.claims.margin_generalization import (
    margin_generalization,
)
from ibcore.pages.classification.logistic_regression.claims.nonseparable_gd import (
    nonseparable_gd,
)

__all__ = [
    "logistic_log_rates",
    "logistic_max_margin",
    "margin_generalization",
    "nonseparable_gd",
]
