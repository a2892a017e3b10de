"""Where methods that cannot come to rest drift along the valley x = 0 of L(x, y) = (1 +
y^2) x^2.

The largest curvature on the valley is lambda(y) = 2 (1 + y^2). With steps of size eta
and the time tau = eta^2 k after k of them, normalized gradient descent drifts by y' =
-(log lambda)' / 4 and gradient descent on the root of L by y' = -lambda' / 8. A first
integral of the drift is F(y) + tau / 2, with F(y) = log y + y^2 / 2 or F(y) = log y.

Source: Arora, Li and Panigrahi 2022 (recalled), for this valley derived, with a bound
on the error, on the page.
"""

from __future__ import annotations

import torch
from scipy.special import lambertw
from torch import Tensor


def normalized_drift(start: Tensor, tau: Tensor) -> Tensor:
    """y(tau) of y' = -y / (2 (1 + y^2)), y(0) = start > 0: y^2 = W(s e^(s - tau)), s =
    start^2; shapes broadcast.
    """
    squared = start.square()
    return torch.sqrt(_lambert(squared * torch.exp(squared - tau)))


def root_drift(start: Tensor, tau: Tensor) -> Tensor:
    """y(tau) of y' = -y / 2, y(0) = start: start e^(-tau / 2); shapes broadcast."""
    return start * torch.exp(-tau / 2)


def normalized_integral(y: Tensor) -> Tensor:
    """F(y) = log y + y^2 / 2, which falls by tau / 2 along `normalized_drift`."""
    return y.log() + y.square() / 2


def root_integral(y: Tensor) -> Tensor:
    """F(y) = log y, which falls by tau / 2 along `root_drift`."""
    return y.log()


def largest_curvature(x: Tensor, y: Tensor) -> Tensor:
    """The larger eigenvalue of the Hessian of (1 + y^2) x^2."""
    first, second, mixed = 2 * (1 + y.square()), 2 * x.square(), 4 * x * y
    return (first + second) / 2 + torch.hypot((first - second) / 2, mixed)


def _lambert(value: Tensor) -> Tensor:
    """The principal branch of Lambert's W at numbers from 0 on."""
    solved = lambertw(value.cpu().numpy()).real
    return torch.as_tensor(solved, dtype=value.dtype, device=value.device)
