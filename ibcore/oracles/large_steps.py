"""What is proved of gradient descent with any constant step on the logistic loss, for
inputs of norm at most 1 and a margin gamma.

Source: the theorems are Wu, Braverman and Lee's (2023) and Wu, Bartlett, Telgarsky and
Yu's (2024; abstracts read, theorems recalled); the bounds here have proofs and
constants of their own on the page.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def average_bound(gamma: Tensor, step_size: Tensor, steps: Tensor) -> Tensor:
    """A bound on the mean of L(w_0), ..., L(w_(k - 1)) from w_0 = 0: with M = gamma^2
    eta k it is (1 + (log M + eta / 2)^2 / 2) / M; infinite for M < 1, where it does not
    hold. Shapes broadcast.
    """
    whole = gamma.square() * step_size * steps
    size = 1 + (torch.log(whole.clamp_min(1)) + step_size / 2).square() / 2
    return torch.where(whole >= 1, size / whole, math.inf)


def stable_factor(level: float) -> float:
    """C with gamma^2 eta (k - s) L(w_k) <= C for all k > s, where max(eta, n) L(w_s) is
    at most `level`, a number in (0, 1].

    It is 1 / ((1 - c / 2) ((1 - e^-c) / c)^2) and tends to 1 as c tends to 0.
    """
    share = -math.expm1(-level) / level
    return 1 / ((1 - level / 2) * share**2)
