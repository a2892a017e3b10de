"""What a bound on the sharpness says of the function: bends of a spline, slopes in the
input, a sparse predictor.
"""

from __future__ import annotations

from ibcore.pages.dynamical_stability.function_space.claims.diag_large_step_l1 import (
    diag_large_step_l1,
)
from ibcore.pages.dynamical_stability.function_space.claims.sgd_sobolev import (
    sgd_sobolev,
)
from ibcore.pages.dynamical_stability.function_space.claims.univariate_second_derivative import (
    univariate_second_derivative,
)

__all__ = ["diag_large_step_l1", "sgd_sobolev", "univariate_second_derivative"]
