"""The two-layer ReLU network with 2n + d weights that fits any labels of n points
exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.threads import threads
from ibcore.validation import InvalidInput, real_tensor, regression_data

_FITTED = 1e-3


@dataclass(frozen=True)
class MemorizingNetwork:
    """f(x) = sum_j a_j relu(w.x - t_j) with the d weights w, the n thresholds t and the
    n weights a.

    smallest_gap: the least distance of two projected points; the weights a grow like
    its reciprocal and with them the rounding error of the fit.
    """

    direction: Tensor
    thresholds: Tensor
    weights: Tensor
    smallest_gap: float

    @property
    def parameters(self) -> int:
        """2n + d."""
        return self.thresholds.numel() + self.weights.numel() + self.direction.numel()

    def __call__(self, X: Tensor) -> Tensor:
        """Outputs at X (k, d): (k,)."""
        return ((X @ self.direction)[:, None] - self.thresholds).relu() @ self.weights


@threads()
def memorizing_network(
    X: object,
    y: object,
    direction: Tensor,
) -> MemorizingNetwork:
    """The network that takes the values `y` (n,) on the rows of `X` (n, d).

    Zhang, Bengio, Hardt, Recht and Vinyals (2017, Theorem 1): project the
    points on `direction` (d,), put one threshold below each projected point
    and above the one before it. Point i then switches on exactly the first
    i neurons, the n x n system for the weights behind them is triangular
    with a positive diagonal, and forward substitution solves it for every
    y. Any threshold between two points would do; at a tenth of the gap the
    slope of one interval falls to a ninth of it in the next, where one in
    the middle would carry every steep slope on to the end. The first
    threshold lies one mean gap below the first point.

    Equivariant: a factor of X multiplies the thresholds and divides the
    weights behind the neurons, a factor of y multiplies these.
    Raises `InvalidInput` if two points have the same projection, or
    projections so near to each other that rounding misses a label by a
    thousandth of the largest.
    """
    inputs, targets, along = _checked(X, y, direction)
    projections, order = (inputs @ along).sort()
    gaps = projections.diff()
    if not bool((gaps > 0).all()):
        raise InvalidInput(
            "two points have the same projection on the direction, "
            "expected distinct ones. Remove repeated rows of X or draw "
            "another direction."
        )
    below = gaps.mean() if len(gaps) else projections[0].abs()
    first = projections[:1] - below.where(below > 0, torch.ones_like(below))
    thresholds = torch.cat([first, projections[:-1] + gaps / 10])
    activations = (projections[:, None] - thresholds).relu()
    weights = torch.linalg.solve_triangular(
        activations, targets[order, None], upper=False
    )[:, 0]
    smallest = float(gaps.min()) if len(gaps) else float("inf")
    network = MemorizingNetwork(along, thresholds, weights, smallest)
    _refuse_missed(network, inputs, targets)
    return network


def _checked(X: object, y: object, direction: object) -> tuple[Tensor, Tensor, Tensor]:
    inputs, targets = regression_data(X, y)
    along = real_tensor("direction", direction, ndim=1).to(inputs)
    if targets.ndim != 1 or len(along) != inputs.shape[1]:
        raise InvalidInput(
            f"X has shape {tuple(inputs.shape)}, y {tuple(targets.shape)} and "
            f"direction {tuple(along.shape)}; expected (n, d), (n,) and (d,)."
        )
    return inputs, targets, along


def _refuse_missed(network: MemorizingNetwork, X: Tensor, y: Tensor) -> None:
    missed = (network(X) - y).abs().max()
    if not bool(missed <= _FITTED * y.abs().max()):
        raise InvalidInput(
            f"two projections are only {network.smallest_gap:.1g} apart, and rounding "
            f"misses a label by {float(missed):.1g}. Draw another direction."
        )
