"""How many Gaussian equations single out a sparse vector by its l1 norm: the
statistical dimension of a cone.
"""

from __future__ import annotations

import math

from scipy.optimize import minimize_scalar
from scipy.special import erfc

from ibcore.validation import InvalidInput, positive_integer


def sparse_dimension(nonzeros: int, size: int) -> float:
    """min over tau of k (1 + tau^2) + (d - k) E (|g| - tau)_+^2, g standard normal, for
    k `nonzeros` of d = `size`.

    At a vector with k nonzero entries it is the statistical dimension of the descent
    cone of the l1 norm, up to 2 sqrt(d/k). Basis pursuit from n Gaussian equations
    finds the vector with a probability that rises from near 0 to near 1 where n passes
    it, over a width of the order of sqrt(d) (Amelunxen, Lotz, McCoy and Tropp 2014,
    recalled).      Raises `InvalidInput` for more nonzeros than entries.
    """
    k, d = positive_integer("nonzeros", nonzeros), positive_integer("size", size)
    if k > d:
        raise InvalidInput(f"nonzeros is {nonzeros}, expected at most the size {size}.")
    found = minimize_scalar(
        lambda tau: k * (1 + tau**2) + (d - k) * _beyond(tau),
        bounds=(0, 2 + math.sqrt(2 * math.log(d))),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return float(found.fun)


def _beyond(tau: float) -> float:
    """E (|g| - tau)_+^2 = (1 + tau^2) P(|g| > tau) - sqrt(2 / pi) tau exp(-tau^2 / 2)."""
    tail = float(erfc(tau / math.sqrt(2)))
    density = math.sqrt(2 / math.pi) * math.exp(-(tau**2) / 2)
    return (1 + tau**2) * tail - tau * density
