"""Predictors on fixed inputs, as pure functions of a batch of parameters.

A model maps parameters `theta` (B, P) to the outputs on its n inputs: `outputs(theta)`
has shape (B, n) and `jacobian(theta)` shape (B, n, P). The leading batch dimension runs
over seeds, settings or problems; every model here treats its members independently.
"""

from ibcore.models.linear import Linear

__all__ = ["Linear"]
