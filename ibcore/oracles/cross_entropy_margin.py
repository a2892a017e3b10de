"""How small the margin of steepest descent on the cross entropy can be, from a state of
the run and the lengths of its later steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cross_entropy_margin_bound(
    gamma: Tensor,
    radius: Tensor,
    lengths: Tensor,
    n: int,
    log_loss: Tensor,
    norm: Tensor,
) -> Tensor:
    """A number that the least margin over the norm of the weights cannot be below after
    steps of these lengths.

    gamma: (...), the largest margin in the norm in which the steps are measured.
    radius: (...), the largest dual norm of a pair of an example and a class.
    lengths: (K, ...) of the steps.      n: how many examples.
    log_loss, norm: (...), log of the mean cross entropy, and the norm of the weights,
    before the first of these steps.

    With steps s the loss obeys log L' <= log L - s gamma (1 - e^(-nL)) / (nL) + radius^2
    s^2 / 2, whose right-hand side rises with log L, so that its iterates bound the loss;
    and the least margin is at least -log(e^(nL) - 1) (proved on the page on the geometry
    of optimizers). 0 comes back where the bound says nothing.
    """
    bound = log_loss
    for length in lengths:
        mass = n * bound.exp()
        slope = -torch.expm1(-mass) / mass
        bound = bound - length * gamma * slope + (radius * length).square() / 2
    mass = n * bound.exp()
    margin = -torch.log(torch.expm1(mass.clamp(max=math.log(2))))
    return margin / (norm + lengths.sum(0))
