"""What several claims of the page ask, and the bars that its figures show."""

from __future__ import annotations

from torch import Tensor

from ibcore.evidence import Check

SHARE = 0.9  # of networks, where no theorem says how many
RESIDUAL, CLARKE = 5e-3, 2e-2  # KKT residuals, without kinks and with them


def fits(name: str, fitted: Tensor) -> Check:
    """Of which networks have a loss below 1/n, (B,)."""
    return Check.share(
        f"{name}: the loss comes below 1/n",
        fitted,
        least=SHARE,
        tag="observed",
        math=f"{name}: the loss comes below $1/n$",
        reason="what the theorem assumes; the others are left out below",
    )
