"""Which perturbations flip networks on nearly orthogonal inputs, and networks that few
perturbations flip.

Networks are f(x) = sum_j a_j relu(w_j.x + b_j); inputs X (B, n, r) have length sqrt(d)
and may stand in coordinates of their span, labels y (B, n) are -1 or +1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.validation import InvalidInput


def largest_products(X: Tensor) -> Tensor:
    """max |x_i.x_k| over i != k, (B,), for X (B, n, r)."""
    products = X @ X.mT
    own = torch.eye(X.shape[-2], dtype=torch.bool, device=X.device)
    return products.masked_fill(own, 0.0).abs().amax((-2, -1))


def others(y: Tensor) -> Tensor:
    """How many points have the other label, (B, n)."""
    return ((y[:, :, None] * y[:, None, :]) < 0).sum(-1).to(y)


def orthogonal_bound(y: Tensor) -> Tensor:
    """n / (n' + 1), (B, n), with n' points of the other label: see the page on
    adversarial robustness.

    In units of sqrt(d/n) the norm along sum_k y_k x_k that flips x_i lies between 1 and
    this number, at every KKT point of the max-margin problem of networks without biases
    on exactly orthogonal inputs; both ends are attained.
    """
    return y.shape[-1] / (others(y) + 1)


def near_bound(
    X: Tensor, y: Tensor, d: int, *, biases: bool = True
) -> tuple[Tensor, Tensor]:
    """rho = n p / d (B,) and a norm in units of sqrt(d/n) that flips each point, (B,
    n); infinite for rho >= 1/3.

    p is the largest |x_i.x_k|, plus 1 with biases. Proved on the page: at every KKT
    point x_i is flipped along sum_k y_k x_k at ((n/n') D/d + 2 rho) sqrt(1 + rho) / (1
    - rho), with n' points of the other label and D = d, or d + 1 with biases.
    """
    n = X.shape[-2]
    rho = n * (largest_products(X) + float(biases)) / d
    wide = rho[:, None]
    bound = (n / others(y) * (1 + float(biases) / d) + 2 * wide) * (1 + wide).sqrt()
    return rho, torch.where(wide < 1 / 3, bound / (1 - wide), torch.inf)


def block_network(X: Tensor, y: Tensor, d: int, block: int) -> tuple[Tensor, Tensor]:
    """a (B, m) and w (B, m, r) of a KKT point on orthogonal X: a neuron for every
    `block` points of a class.

    Both classes have the same size, a multiple of `block`. All margins are 1.
    """
    n = X.shape[-2]
    if n % (2 * block) or bool((y.sum(-1) != 0).any()):
        raise InvalidInput(
            f"block is {block}, expected a divisor of the size of two classes that are "
            f"equally large, {n / 2:g}."
        )
    order = y.argsort(dim=-1, descending=True, stable=True)
    signed = X.gather(1, order[..., None].expand_as(X))
    w = signed.unflatten(1, (-1, block)).sum(2)
    sign = y.gather(1, order)[:, ::block]
    a = (block / d) ** 0.25 * sign
    return a, w * a.abs()[..., None] / (block * d) ** 0.5


def block_norm(n: int, block: int) -> float:
    """What flips every point of `block_network` on n points, in units of sqrt(d/n)."""
    return n / (n / 2 + block)


def robust_network(
    X: Tensor, y: Tensor, d: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """a, b (B, n), w (B, n, r) with a neuron for every point and all margins 1, and its
    exact radius (B,).

    Neuron i is relu(x_i.x/d - (1 + p/d)/2), p the largest |x_i.x_k|. Within r = sqrt(d)
    (1 - p/d)/2 of x_i it is positive and all others are zero, so that y_i f > 0; at
    distance r along -x_i it is zero too.
    """
    p = largest_products(X)
    height = (1 - p / d) / 2
    size = (1 / height)[:, None]
    b = (-size * (1 + p / d)[:, None] / 2).expand_as(y)
    return y, b, size[..., None] * X / d, d**0.5 * height


def random_share(norms: Tensor, length: float, d: int) -> Tensor:
    """The share of points that random directions of `length` flip, to leading order,
    (B,).

    norms: what flips the points along the universal direction, (B, n). The component of
    a random direction along it is nearly normal with deviation s = length / sqrt(d):
    the mean over points of Phi(-norm / s).
    """
    return torch.special.ndtr(-norms * d**0.5 / length).mean(-1)
