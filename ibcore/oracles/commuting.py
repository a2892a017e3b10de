"""What gradient flow minimizes under a commuting parametrization w = G(theta):
potential, mirror map and both inverses.

Gradient flow of any loss of w moves theta along xi, xi' = -(gradient of the loss at w),
and w = grad H(xi) with H(0) = 0 at the start. The potential is Q = H*, so that Q(w) >=
0, with equality at the start alone:

    w = u^2 - v^2,          u = v = alpha         w_j = 2 alpha^2 sinh(4 xi_j) w = u^D -
    v^D, D >= 3,  u = v = alpha         w_j = alpha^D h_D(D (D - 2) alpha^(D - 2) xi_j)
    w = u+ v+ - u- v-,      u = u0, v = v0        w_j = (u0^2 + v0^2) sinh(2 xi_j) w_k =
    b_k.U U^T b_k,    U = alpha I           w_k = alpha^2 exp(4 xi_k)

The b_k are orthonormal and h_D is the link of `q_alpha`. Woodworth et al. (2020),
Azulay et al. (2021) and Gunasekar et al. (2017) found them; the theorem behind all is
that of Li, Wang, Lee and Arora (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ibcore.oracles.bregman_projection import (
    BregmanProjection,
    bregman_projection,
)
from ibcore.oracles.q_alpha import (
    QMinimizer,
    inverse_link,
    link,
    q_minimizer,
    q_value,
    start_scale,
)
from ibcore.potentials import Entropy, Hypentropy
from ibcore.validation import positive_integer, positive_number


@dataclass(frozen=True)
class Minimizer:
    """The interpolant w (m,) of least Q, and the largest of the relative errors of its
    certificate.
    """

    w: Tensor
    error: float


class MirrorPotential(Protocol):
    """Q, its gradient xi and the mirror map back to w."""

    def value(self, w: Tensor) -> Tensor:
        """Q of w (..., m), as (...)."""

    def dual(self, w: Tensor) -> Tensor:
        """xi = grad Q(w), (..., m)."""

    def primal(self, xi: Tensor) -> Tensor:
        """w = grad H(xi), (..., m)."""

    def minimizer(self, X: Tensor, y: Tensor) -> Minimizer:
        """The least Q subject to X w = y, without training."""


@dataclass(frozen=True)
class Symmetric:
    """w = scale h(speed xi) with the link h of `depth`: sinh at depth 2. Q is that of
    `q_alpha` over `speed`.
    """

    scale: float
    speed: float
    depth: int = 2

    def value(self, w: Tensor) -> Tensor:
        return q_value(w, self.scale, self.depth) / self.speed

    def dual(self, w: Tensor) -> Tensor:
        return inverse_link(w / self.scale, self.depth) / self.speed

    def primal(self, xi: Tensor) -> Tensor:
        return self.scale * link(self.speed * xi, self.depth)

    def minimizer(self, X: Tensor, y: Tensor) -> Minimizer:
        """At depth 2 certified by duality, above by the residual and the next step of
        Newton's method.
        """
        if self.depth == 2:
            start = torch.zeros(X.shape[1], dtype=torch.float64)
            return _certified(bregman_projection(X, y, start, Hypentropy(self.scale)))
        best: QMinimizer = q_minimizer(X, y, self.scale, self.depth)
        return Minimizer(best.primal, _worst(best.residual, best.correction))


@dataclass(frozen=True)
class Exponential:
    """w = scale exp(speed xi), positive.

    Q(w) = sum_k (w_k log(w_k / scale) - w_k + scale) / speed.
    """

    scale: float
    speed: float

    def value(self, w: Tensor) -> Tensor:
        return (w * (w / self.scale).log() - w + self.scale).sum(-1) / self.speed

    def dual(self, w: Tensor) -> Tensor:
        return (w / self.scale).log() / self.speed

    def primal(self, xi: Tensor) -> Tensor:
        return self.scale * (self.speed * xi).exp()

    def minimizer(self, X: Tensor, y: Tensor) -> Minimizer:
        """Certified by duality.

        Raises `InvalidInput` as `bregman_projection` does where no positive w fits.
        """
        start = torch.full((X.shape[1],), self.scale, dtype=torch.float64)
        return _certified(bregman_projection(X, y, start, Entropy()))


def _certified(best: BregmanProjection) -> Minimizer:
    return Minimizer(best.w, _worst(best.residual, best.outside, abs(best.gap)))


def _worst(*errors: float) -> float:
    """The largest, NaN if one is."""
    return float(np.max(errors))


def of_powers(alpha: float, depth: int) -> Symmetric:
    """w = u^D - v^D from u = v = alpha."""
    D = positive_integer("depth", depth, least=2)
    speed = 4.0 if D == 2 else D * (D - 2) * alpha ** (D - 2)
    return Symmetric(start_scale(alpha, D), speed, D)


def of_layers(first: float, second: float) -> Symmetric:
    """w = u+ v+ - u- v- from u+ = u- = `first` and v+ = v- = `second`."""
    u, v = positive_number("first", first), positive_number("second", second)
    return Symmetric(u**2 + v**2, 2.0)


def of_squares(alpha: float) -> Exponential:
    """The entries w_k = b_k.U U^T b_k of U U^T in an orthonormal basis, from U = alpha
    I.
    """
    return Exponential(positive_number("alpha", alpha) ** 2, 4.0)
