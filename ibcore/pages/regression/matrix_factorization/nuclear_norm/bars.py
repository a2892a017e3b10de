"""Checks that several claims of the page on the nuclear norm make."""

from __future__ import annotations

from torch import Tensor

from ibcore.evidence import Check


def certified(certificates: Tensor) -> Check:
    """Gaps, violations and residuals (B, 3) of programs of least nuclear norm."""
    return Check.each(
        "gap, violation or residual of the least nuclear norm, relative",
        certificates.amax(-1),
        at_most=1e-9,
        tag="derived",
        reason="duality; the solver stops at 1e-10",
        precision=True,
    )


def arrived(complete: Tensor, power: int, reason: str) -> Check:
    """Whether flows fit the data, for a `reason` that the page proves or cites; they
    stop at the loss 10^`power`.
    """
    return Check.each(
        f"runs that end above the loss 1e{power}",
        (~complete).double(),
        at_most=0.0,
        tag="proved",
        math=f"runs that end above the loss $10^{{{power}}}$",
        reason=reason,
    )
