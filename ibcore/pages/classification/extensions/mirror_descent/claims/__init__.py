"""Mirror descent on separable data: its potential chooses the norm whose margin it
maximizes.
"""

from __future__ import annotations

from ibcore.pages.classification.extensions.mirror_descent.claims.mirror_descent_linear_network import (
    mirror_descent_linear_network,
)
from ibcore.pages.classification.extensions.mirror_descent.claims.mirror_descent_margin import (
    mirror_descent_margin,
)

__all__ = ["mirror_descent_linear_network", "mirror_descent_margin"]
