"""What the hidden neurons of a network do on given points."""

from __future__ import annotations

import torch
from torch import Tensor


def disagreement(preactivations: Tensor, positive: Tensor) -> Tensor:
    """Share of pairs (point, neuron) against the majority of the neurons with the same
    output sign.

    preactivations: w_j.x_i, (..., n, m).      positive: (m,) booleans, the sign of the
    output weights. 0 where the neurons of each sign are active on the same points:
    neural agreement (Sarussi et al. 2021). Returns (...).
    """
    active = (preactivations > 0).to(preactivations)
    against = torch.zeros_like(active[..., 0])
    for group in (positive, ~positive):
        share = active[..., group].mean(-1)
        against += torch.minimum(share, 1 - share) * group.to(active).mean()
    return against.mean(-1)


def masses(a: Tensor, w: Tensor) -> Tensor:
    """|a_j| |w_j| of neurons with output weights `a` (..., m) and input weights `w`
    (..., m, d), (..., m).
    """
    return a.abs() * torch.linalg.vector_norm(w, dim=-1)


def linear_share(inputs: Tensor, outputs: Tensor) -> Tensor:
    """R^2 of the best linear function without intercept: `outputs` (..., k) at `inputs`
    (k, d), (...).

    The part of the mean square of f that a linear function explains.
    """
    coefficients = torch.linalg.lstsq(
        inputs, outputs.mT if outputs.ndim > 1 else outputs[:, None]
    ).solution
    rest = outputs - (inputs @ coefficients).mT.reshape(outputs.shape)
    return 1 - rest.square().sum(-1) / outputs.square().sum(-1)


def oddness_defect(outputs: Tensor, mirrored: Tensor) -> Tensor:
    """Share of points x with f(x) and f(-x) on the same side, from f at x and at -x,
    (..., k) each: (...).

    0 for a linear decision boundary through the origin; a random function has 1/2.
    """
    return ((outputs > 0) == (mirrored > 0)).to(outputs).mean(-1)
