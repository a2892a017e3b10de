"""How far steepest descent on separable data can be from its limit after so many steps."""

from __future__ import annotations

import math

from torch import Tensor


def descent_loss_bound(gamma: Tensor, time: Tensor) -> Tensor:
    """Above the mean logistic loss of the flow from w = 0 at a time of at least
    1/gamma^2, and of gradient descent.

    gamma: margin of inputs in the unit ball.
    time: the time of the flow, or of steps eta <= 4.
    A convex function of curvature 1/eta at most has L(w) <= L(u) + |u|^2 / (2 t) for
    every u; here u has all margins at log(gamma^2 t).
    """
    scaled = gamma.square() * time
    return (1 + scaled.log().square() / 2) / scaled


def scaled_margin_bound(gamma: Tensor, sums: Tensor, n: int) -> Tensor:
    """How far the l2 margin can be below the largest after gradient descent with steps
    eta / L from w = 0.

    gamma: the largest margin of n inputs in the unit ball.
    sums: of the step sizes eta, which are at most 1 and do not increase.
    (1 + log n) / (gamma sum eta) for the exponential loss (Ji and Telgarsky 2021;
    proved on the page on optimizers).
    """
    return (1 + math.log(n)) / (gamma * sums)


def steepest_margin_bound(lengths: Tensor, radii: Tensor, n: int) -> Tensor:
    """How far the margin in its own norm can be below the largest after steepest
    descent from w = 0.

    lengths: (K, ...) of the steps, in the norm of the method.
    radii: (...), the largest dual norm of an input.
    (log n + radius^2 sum s^2 / 2) / sum s for the exponential loss of n separable
    examples, where this is below the largest margin; everywhere the least y_i x_i.w is
    at least sum s times the difference of the two (proved on the page on optimizers).
    """
    spent = math.log(n) + radii.square() * lengths.square().sum(0) / 2
    return spent / lengths.sum(0)
