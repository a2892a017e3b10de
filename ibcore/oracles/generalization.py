"""Margin-based generalization bounds."""

from __future__ import annotations

import math

from ibcore.validation import InvalidInput, positive_integer, positive_number


def hard_margin_bound(
    radius: float, margin: float, n: int, confidence: float = 0.95
) -> float:
    """2 R / (gamma sqrt(n)) + sqrt(2 ln(2 / delta) / n) on the error of the max-margin
    direction.

    Holds with probability `confidence` = 1 - delta over n independent points where the
    distribution satisfies |x| <= radius and separates its labels with margin gamma
    (Shalev-Shwartz and Ben-David 2014, Theorem 15.4). A value of 1 or more says
    nothing. Unchanged by a common factor of radius and margin.
    """
    positive_number("radius", radius)
    positive_number("margin", margin)
    positive_integer("n", n)
    if not 0 < confidence < 1:
        raise InvalidInput(
            f"confidence is {confidence!r}, expected a number between 0 and 1."
        )
    return 2 * radius / (margin * math.sqrt(n)) + math.sqrt(
        2 * math.log(2 / (1 - confidence)) / n
    )
