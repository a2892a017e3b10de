"""What the methods of this folder ask of a model and of a loss."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


class Model(Protocol):
    """Outputs (B, n) of a batch of parameters (B, P) and their Jacobian (B, n, P).

    `linear` says that the Jacobian does not depend on the parameters.
    """

    @property
    def linear(self) -> bool: ...

    def outputs(self, theta: Tensor) -> Tensor: ...

    def jacobian(self, theta: Tensor) -> Tensor: ...


@runtime_checkable
class PullsBack(Protocol):
    """A model with a cheaper way to J^T weights, (B, P), for weights (B, n), than through its Jacobian J."""

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor: ...


class TailLoss(Protocol):
    """A decreasing loss of the margin by its logarithms: log l, log(-l') and d/dm log(-l')."""

    def log_value(self, margins: Tensor) -> Tensor: ...

    def log_slope(self, margins: Tensor) -> Tensor: ...

    def log_slope_rate(self, margins: Tensor) -> Tensor: ...


def pullback(model: Model, theta: Tensor, weights: Tensor) -> Tensor:
    """sum_i weights_i grad f_i(theta), (B, P), for weights (B, n)."""
    if isinstance(model, PullsBack):
        return model.pullback(theta, weights)
    return (weights[:, None, :] @ model.jacobian(theta))[:, 0]
