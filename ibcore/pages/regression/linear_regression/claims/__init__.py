"""Which interpolant linear regression reaches, what it is worth, how fast."""

from ibcore.pages.regression.linear_regression.claims.gd_convex_rate import (
    gd_convex_rate,
)
from ibcore.pages.regression.linear_regression.claims.linreg_min_distance import (
    linreg_min_distance,
)
from ibcore.pages.regression.linear_regression.claims.mirror_descent_bregman import (
    mirror_descent_bregman,
)
from ibcore.pages.regression.linear_regression.claims.norm_generalization import (
    norm_generalization,
)
from ibcore.pages.regression.linear_regression.claims.sgd_convex_rate import (
    sgd_convex_rate,
)

__all__ = [
    "gd_convex_rate",
    "linreg_min_distance",
    "mirror_descent_bregman",
    "norm_generalization",
    "sgd_convex_rate",
]
