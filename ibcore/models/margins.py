"""The margins of any model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from ibcore.validation import binary_labels


class Predictor(Protocol):
    """Outputs (B, n) and their Jacobian (B, n, P) at parameters (B, P)."""

    @property
    def linear(self) -> bool: ...

    def outputs(self, theta: Tensor) -> Tensor: ...

    def jacobian(self, theta: Tensor) -> Tensor: ...


@runtime_checkable
class PullsBack(Protocol):
    """A predictor that computes J^T weights, (B, P), without its Jacobian J."""

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Margins:
    """m_i = y_i f(x_i) of a `predictor` f, for `labels` y of shape (n,) or (B, n) with entries -1 and +1."""

    predictor: Predictor
    labels: Tensor

    def __post_init__(self) -> None:
        labels, like = binary_labels("labels", self.labels), self.like
        object.__setattr__(self, "labels", labels if like is None else labels.to(like))

    @property
    def like(self) -> Tensor | None:
        """A tensor whose dtype and device the parameters take, where the predictor names one."""
        return getattr(self.predictor, "like", None)

    @property
    def dimension(self) -> int | None:
        """The number of parameters, where the predictor tells it."""
        return getattr(self.predictor, "dimension", None)

    @property
    def linear(self) -> bool:
        return self.predictor.linear

    def outputs(self, theta: Tensor) -> Tensor:
        """The margins, (B, n)."""
        return self.labels * self.predictor.outputs(theta)

    def jacobian(self, theta: Tensor) -> Tensor:
        """Their Jacobian, (B, n, P)."""
        return self.labels[..., None] * self.predictor.jacobian(theta)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i grad m_i, (B, P), for weights (B, n)."""
        weights = self.labels * weights
        if isinstance(self.predictor, PullsBack):
            return self.predictor.pullback(theta, weights)
        return (weights[:, None, :] @ self.predictor.jacobian(theta))[:, 0]
