"""Uniform margin bounds in numbers: the error that they allow a network, with all
constants.
"""

from __future__ import annotations

import math

from ibcore.validation import InvalidInput, positive_integer, positive_number


def spectral_bound(leading: float, n: int, widest: int, chance: float = 0.05) -> float:
    """What Bartlett, Foster and Telgarsky (2017) add to the share of small margins.

    leading: |X|_F R_A / (gamma n), for norms and gamma fixed beforehand.
    Dudley's entropy integral of the covering numbers of their Theorem 3.3
    (recalled), for the ramp of the margin, which is 2/gamma-Lipschitz:
    8/n^1.5 + 72 log(n) sqrt(log(2 W^2)) leading + 3 sqrt(log(2/chance) / (2n)), W the
    largest width.
    """
    count = positive_integer("n", n)
    width = positive_integer("widest", widest)
    factor = 72 * math.log(count) * math.sqrt(math.log(2 * width**2))
    return 8 / count**1.5 + factor * leading + _deviation(count, chance)


def frobenius_bound(leading: float, n: int, depth: int, chance: float = 0.05) -> float:
    """What Golowich, Rakhlin and Shamir (2018) add to it, for one output.

    leading: |X|_F F_A / (gamma n) with F_A = sqrt(k) prod |A_j|_F.
    2 (sqrt(2 log 2) + 1/sqrt(k)) leading + 3 sqrt(log(2/chance) / (2n)).
    """
    k = positive_integer("depth", depth)
    factor = 2 * (math.sqrt(2 * math.log(2)) + 1 / math.sqrt(k))
    return factor * leading + _deviation(positive_integer("n", n), chance)


def _deviation(n: int, chance: float) -> float:
    if not 0 < positive_number("chance", chance) < 1:
        raise InvalidInput(f"chance is {chance:g}, expected one between 0 and 1.")
    return 3 * math.sqrt(math.log(2 / chance) / (2 * n))
