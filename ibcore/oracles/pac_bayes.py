"""Bounds on the error of a randomized classifier from its error on the training
examples and a divergence.

McAllester 1999, Maurer 2004 (recalled).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer, positive_number


def binary_divergence(q: Tensor, p: Tensor) -> Tensor:
    """kl(q || p) = q log(q/p) + (1 - q) log((1 - q)/(1 - p)), infinite where p is 0 or
    1 and q is not.
    """
    return (
        torch.xlogy(q, q)
        - torch.xlogy(q, p)
        + torch.xlogy(1 - q, 1 - q)
        - torch.xlogy(1 - q, 1 - p)
    )


def largest_error(q: Tensor, divergence: Tensor | float) -> Tensor:
    """The largest p with kl(q || p) at most `divergence`, by bisection.

    From above, so that the bound which it is used for stays one. NaN where
    an input is NaN. q: errors in [0, 1].
    """
    limit = torch.as_tensor(divergence, dtype=q.dtype, device=q.device).expand_as(q)
    low, high = q.clone(), torch.ones_like(q)
    for _ in range(60):
        middle = (low + high) / 2
        inside = binary_divergence(q, middle) <= limit
        low = torch.where(inside, middle, low)
        high = torch.where(inside, high, middle)
    known = ~(q.isnan() | limit.isnan())
    return torch.where(known, high, math.nan)


def gaussian_divergence(mean: Tensor, prior: Tensor, spread: float) -> Tensor:
    """KL(N(mean, s^2 I) || N(prior, s^2 I)) = |mean - prior|^2 / (2 s^2).

    mean, prior: (..., P).      spread: s.      Returns (...).
    """
    s = positive_number("spread", spread)
    return (mean - prior).square().sum(-1) / (2 * s**2)


def pac_bayes_bound(
    sampled: Tensor, draws: int, divergence: Tensor, examples: int, chance: float
) -> Tensor:
    """With probability 1 - `chance` the error of the randomized classifier is at most
    this.

    sampled: its mean error on the training examples in `draws` independent draws, each
    of a classifier and of examples to try it on. Half of the chance is spent on these
    draws (Chernoff), half on the training set:
    kl(error there || error) <= (KL + log(2 sqrt(n)/chance')) / n.
    """
    n, m = positive_integer("examples", examples), positive_integer("draws", draws)
    if not 0 < positive_number("chance", chance) < 1:
        raise InvalidInput(f"chance is {chance:g}, expected one between 0 and 1.")
    half = chance / 2
    seen = largest_error(sampled, math.log(1 / half) / m)
    return largest_error(seen, (divergence + math.log(2 * math.sqrt(n) / half)) / n)
