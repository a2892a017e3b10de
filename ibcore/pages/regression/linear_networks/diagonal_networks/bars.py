"""Bars that several claims of the page share."""

from __future__ import annotations

from torch import Tensor

from ibcore.evidence import Check, Control

EXACT = 1e-9  # relative l2 distance between a trained network and the minimizer of Q


def at_minimizer(name: str, distances: Tensor, formulas: str = "") -> Check:
    """That networks ended at their prediction; NaN for those that did not fit the data
    to a loss of 1e-26.
    """
    return Check.each(
        name,
        distances,
        at_most=EXACT,
        tag="proved",
        math=formulas,
        reason="the solver conserves the scale to $10^{-11}$ a step, and its drift "
        "moves the limit as another scale would; below $2 \\cdot 10^{-10}$ on 150 "
        "networks",
        precision=True,
    )


def missed_by(
    broken: str,
    name: str,
    distances: Tensor,
    bar: float,
    *,
    reason: str,
    math: str = "",
    broken_math: str = "",
) -> Control:
    """A control: every network is farther than `bar` from what is predicted; NaN
    refutes nothing.
    """
    failure = Check.each(
        name, distances, at_least=bar, tag="observed", reason=reason, math=math
    )
    return Control(broken, failure, broken_math)
