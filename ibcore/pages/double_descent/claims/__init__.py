"""Double descent: the test risk of growing linear models, random features and small
trained networks.
"""

from __future__ import annotations

from ibcore.pages.double_descent.claims.benign_overfitting import benign_overfitting
from ibcore.pages.double_descent.claims.double_descent_linear import (
    double_descent_linear,
)
from ibcore.pages.double_descent.claims.double_descent_rff import double_descent_rff

__all__ = ["benign_overfitting", "double_descent_linear", "double_descent_rff"]
