"""Where a two-layer fully connected linear network ends from a start of vanishing
scale, and how far from it otherwise.

For the start s W_1, s a (scale s) of x -> a.(W_1 x) gradient flow on the square loss
ends at

    X^+ y + s |X^+ y|^(1/2) (I - P) W_1^T p + O(s^2),   p = (a + W_1 g) / |a + W_1 g|,
    g = X^T y / |X^T y|,

with P the projection on the row space of X (derived in the book, without a bound on the
rest). If the flow fits, then at any scale s

    |beta - X^+ y| <= s |W_1 (I - P)| (|X^+ y|^(1/2) + s k),   k = |W_1| + |W_1 W_1^T -
    a a^T|^(1/2),

with spectral norms (proved in the book). The limit is that of Yun et al. (2021) and
Azulay et al. (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.oracles.equations import failures_in_words, single_targets
from ibcore.threads import threads
from ibcore.validation import InvalidInput, real_tensor

_ROUNDING = 1e-14  # relative size of what counts as zero


@dataclass(frozen=True)
class SmallStart:
    """The limit and the first order in the scale s, float64 on the CPU.

    limit: X^+ y (d,).      direction: p (m,), that of the last layer at the end.
    distance: |beta - X^+ y| / (s |X^+ y|).      ratio: sigma_2 / (s sigma_1) of the
    first layer.
    frozen, excess: |W_1 (I - P)| and k, spectral norms of the start.
    """

    limit: Tensor
    direction: Tensor
    distance: float
    ratio: float
    frozen: float
    excess: float

    def bound(self, scale: float) -> float:
        """What |beta - X^+ y| / |X^+ y| cannot exceed where a flow from this start
        times `scale` has fitted.
        """
        size = float(self.limit.norm())
        return scale * self.frozen * (size**0.5 + scale * self.excess) / size


@threads()
def small_start(X: object, y: object, first: object, last: object) -> SmallStart:
    """The prediction for data X (n, d), y (n,) and the start W_1 = `first` (m, d), a =
    `last` (m,) at scale 1.

    Equivariant: for a X, b y and c W_1, c a the limit is multiplied by b / a, the
    distance by c (a / b)^(1/2). Raises `InvalidInput` where X^+ y = 0, or where a + W_1
    g = 0: then nothing grows at first order.
    """
    inputs, targets = (torch.from_numpy(part) for part in single_targets(X, y))
    W, a = (
        real_tensor(name, part, ndim=size).detach().cpu().double()
        for name, part, size in (("first", first, 2), ("last", last, 1))
    )
    if W.shape != (len(a), inputs.shape[1]):
        raise InvalidInput(
            f"first has shape {tuple(W.shape)}, expected ({len(a)}, "
            f"{inputs.shape[1]}): one row an entry of last, one column for each of X."
        )
    with failures_in_words("the least norm solution"):
        inverse = torch.linalg.pinv(inputs)
    limit, pull = inverse @ targets, inputs.T @ targets
    grown = a + W @ (pull / pull.norm())
    if not (
        float(pull.norm()) > _ROUNDING * float(inputs.norm() * targets.norm())
        and float(grown.norm()) > _ROUNDING * float(a.norm() + W.norm())
    ):
        raise InvalidInput(
            "X^+ y or a + W_1 g is zero, so the start does not grow; draw another "
            "start."
        )
    p = grown / grown.norm()
    frozen = W - W @ inverse @ inputs
    across = torch.eye(len(p), dtype=p.dtype) - torch.outer(p, p)
    unbalanced = W @ W.T - torch.outer(a, a)
    second = torch.linalg.eigvalsh(across @ unbalanced @ across)[-1].clamp(min=0).sqrt()
    root, spectral = limit.norm().sqrt(), torch.linalg.matrix_norm
    return SmallStart(
        limit,
        p,
        float((frozen.T @ p).norm() / root),
        float(second / root),
        float(spectral(frozen, 2)),
        float(spectral(W, 2) + spectral(unbalanced, 2).sqrt()),
    )
