"""Which minima a step size can stay in: the threshold 2 / eta, what is just above it,
and the part of the batch.
"""

from __future__ import annotations

from ibcore.pages.dynamical_stability.stable_minima.claims.sgd_linear_stability import (
    sgd_linear_stability,
)
from ibcore.pages.dynamical_stability.stable_minima.claims.stability_two_over_eta import (
    stability_two_over_eta,
)
from ibcore.pages.dynamical_stability.stable_minima.claims.two_step_period_2 import (
    two_step_period_2,
)

__all__ = ["sgd_linear_stability", "stability_two_over_eta", "two_step_period_2"]
