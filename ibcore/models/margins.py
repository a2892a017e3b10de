"""The margins of any model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ibcore.batch import rows_of
from ibcore.models.base import Model, with_fields
from ibcore.validation import binary_labels


@dataclass(frozen=True)
class Margins(Model):
    """The margins m_i = y_i f(x_i) of a `predictor` f, a model with outputs (B, n), for
    `labels` y of shape (n,) or (B, n) with entries -1 and +1.

    Raises `InvalidInput` for other labels.

    >>> import torch
    >>> from ibcore import Diagonal, Margins
    >>> model, theta = Diagonal([[2.0], [5.0]]), torch.tensor([[2.0, 1.0]]).double()
    >>> Margins(model, [1, -1]).outputs(theta)  # beta = 4 - 1
    tensor([[  6., -15.]], dtype=torch.float64)
    """

    predictor: Model
    labels: Tensor

    def __post_init__(self) -> None:
        labels, like = binary_labels("labels", self.labels), self.like
        object.__setattr__(self, "labels", labels if like is None else labels.to(like))

    @property
    def like(self) -> Tensor | None:
        """A tensor whose dtype and device the parameters take, where the predictor
        names one.
        """
        return getattr(self.predictor, "like", None)

    @property
    def dimension(self) -> int | None:
        """The number of parameters, where the predictor tells it."""
        return getattr(self.predictor, "dimension", None)

    @property
    def linear(self) -> bool:
        return self.predictor.linear

    def select(self, members: Tensor) -> Margins:
        """The margins of these members (A,) of the batch."""
        shared = self.labels.ndim == 1
        labels = self.labels if shared else self.labels[members]
        return with_fields(
            self, predictor=self.predictor.select(members), labels=labels
        )

    def minibatch(self, rows: Tensor) -> Margins:
        """The margins of these examples, (b,) for all members or (B, b)."""
        labels = rows_of(self.labels, rows, shared=self.labels.ndim == 1)
        return with_fields(
            self, predictor=self.predictor.minibatch(rows), labels=labels
        )

    @property
    def examples(self) -> int:
        """The number of examples n."""
        return self.labels.shape[-1]

    def outputs(self, theta: Tensor) -> Tensor:
        """The margins, (B, n)."""
        return self.labels * self.predictor.outputs(theta)

    def jacobian(self, theta: Tensor) -> Tensor:
        """Their Jacobian, (B, n, P)."""
        return self.labels[..., None] * self.predictor.jacobian(theta)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i grad m_i, (B, P), for weights (B, n)."""
        return self.predictor.pullback(theta, self.labels * weights)

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The margins and the map of weights to their pullback."""
        outputs, pulled = self.predictor.vjp(theta)
        return self.labels * outputs, lambda weights: pulled(self.labels * weights)
