"""Test risk of linear predictors on standard normal inputs, label noise averaged out
exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor


def risk_given_inputs(
    fit: Tensor, inputs: Tensor, beta: Tensor, label_variance: float
) -> Tensor:
    """E (y - x.w)^2 of the linear rule w = M y, given the training inputs.

    The mean is over a fresh pair (x, y) and over the training labels.

    fit: M, (..., p, n), the weights that the rule returns for the n unit
    label vectors.
    inputs: Z, (..., n, p), the training inputs.
    beta: (p,) true coefficients of these inputs.
    label_variance: v, the variance of a label given its p inputs: label
    noise and unused features.

    With y = Z beta + e, E e e^T = v I, and x ~ N(0, I_p), the risk given Z
    is |beta - M Z beta|^2 + v (1 + |M|_F^2). Returns (...).
    """
    bias = beta - (fit @ (inputs @ beta)[..., None])[..., 0]
    gain = fit.square().sum((-2, -1))
    return bias.square().sum(-1) + label_variance * (1 + gain)


def squared_risk(weights: Tensor, beta: Tensor, label_variance: float) -> Tensor:
    """E (y - x.w)^2 over a fresh pair with x ~ N(0, I_p): |beta - w|^2 + v, for
    `weights` (..., p).
    """
    return (beta - weights).square().sum(-1) + label_variance


def split_bias(misses: Tensor) -> Tensor:
    """|E w - beta|^2 without a bias of its own, (...), from draws of w - beta (..., N,
    D).

    The mean over one half of the draws times the mean over the other: two independent
    factors of the same mean. A square of one mean would add the variance over N.
    """
    half = misses.shape[-2] // 2
    first, second = misses[..., :half, :].mean(-2), misses[..., half:, :].mean(-2)
    return (first * second).sum(-1)


def classification_error(scores: Tensor, classes: Tensor) -> Tensor:
    """Share of inputs whose largest score (..., k, K) is not at their class (..., k);
    ties go to the first.
    """
    return (scores.argmax(-1) != classes).to(scores.dtype).mean(-1)


def one_hot_mean_square(scores: Tensor, classes: Tensor) -> Tensor:
    """(1/k) sum_i |f(x_i) - e_{c_i}|^2 of scores (..., k, K) for classes (..., k)."""
    targets = torch.nn.functional.one_hot(classes, scores.shape[-1]).to(scores)
    return (scores - targets).square().sum(-1).mean(-1)
