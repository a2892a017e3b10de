"""Laws of the completion whose free entry runs away (Razin and Cohen 2020), at time t
of the flow on the mean loss.

The divergence and bounds by the loss are theirs; the bound in this form and the laws in
t are derived on the page on norms that go to infinity.
"""

from __future__ import annotations

import math

from ibcore.validation import InvalidInput, positive_integer, positive_number


def exponent(depth: int) -> float:
    """Of W_11 in t: k / (2 k + 2) for depth k >= 2."""
    return positive_integer("depth", depth, least=2) / (2 * depth + 2)


def entry(depth: int, t: float) -> float:
    """W_11 ~ (4 (k + 1) t / 3)^(k / (2 k + 2)) for depth k.

    The flow on half the sum of the three squares, whose time is 2/3 of ours, has ((2 k
    + 2) t)^(k / (2 k + 2)).
    """
    return float((4 * (depth + 1) * positive_number("t", t) / 3) ** exponent(depth))


def loss(depth: int, t: float) -> float:
    """L ~ W_22^2 / 3 with W_22 ~ 1 / W_11."""
    return 1 / (3 * entry(depth, t) ** 2)


def ratio_exponent(depth: int) -> float:
    """Of sigma_2/sigma_1 in t for depth k >= 3: -k^2 / ((k - 2) (k + 1))."""
    positive_integer("depth", depth, least=3)
    return -(depth**2) / ((depth - 2) * (depth + 1))


def log_ratio_at_depth_two(t: float) -> float:
    """log(sigma_2/sigma_1) ~ -W_11^2 / 2 at depth 2, where it falls faster than any
    power of t.
    """
    return -(entry(2, t) ** 2) / 2


def least_entry(loss: float) -> float:
    """A bound below |W_11| for det W > 0 and mean loss L < 1/3, whether W is symmetric
    or not: p / sqrt(3 L).

    p is the least W_12 W_21 with (W_12 - 1)^2 + (W_21 - 1)^2 <= 3 L: (1 - sqrt(3 L /
    2))^2, at W_12 = W_21, up to L = 1/6, and (1 - 3 L) / 2, at W_12 + W_21 = 1, beyond.
    """
    if not 0 < loss < 1 / 3:
        raise InvalidInput(
            f"loss is {loss!r}, expected a number above 0 and below 1/3: a larger one "
            "says nothing."
        )
    square = 3 * loss
    least = (1 - math.sqrt(square / 2)) ** 2 if loss <= 1 / 6 else (1 - square) / 2
    return least / math.sqrt(square)
