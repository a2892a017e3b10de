"""Bars that the claims on modified losses share."""

from __future__ import annotations

from torch import Tensor

from ibcore.evidence import Check

SLACK = 0.05  # of a slope that is read at a finite step


NEXT = (
    "the next term of the expansion moves the slope by a constant times the step, as "
    "halving all steps confirms: by at most {most} on {many} networks"
)


def followed(difference: Tensor, distance: Tensor) -> Check:
    """Whether the integrator is far more exact than what is measured with it."""
    return Check.each(
        "flow: difference of two tolerances over the smallest distance",
        difference / distance,
        at_most=0.01,
        tag="derived",
        reason="an error of 1 % in a distance moves its slope by 0.014; the tighter "
        "flow is used, whose error is far smaller still",
        precision=True,
    )


def not_better(order: str, slopes: Tensor, bar: float) -> Check:
    """That slopes (B,) show no higher order than derived."""
    return Check.each(
        f"order of the distance at most {bar:g} (derived: {order})",
        slopes,
        at_most=bar,
        tag="derived",
        reason="half an order below the order of the claim",
    )
