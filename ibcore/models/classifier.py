"""A two-layer ReLU classifier trained by cross entropy, for a batch of independent networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import positive_integer


@dataclass(frozen=True)
class ReLUClassifier:
    """Logits W_2 relu(W_1 x + b_1) + b_2 for `classes` classes.

    Parameters `theta` (B, P) hold W_1 (width x features), b_1, W_2 (classes x width) and b_2, in this
    order. Inputs are (B, n, features), one set for each network.
    """

    features: int
    width: int
    classes: int

    def __post_init__(self) -> None:
        positive_integer("features", self.features)
        positive_integer("width", self.width)
        positive_integer("classes", self.classes, least=2)

    @property
    def dimension(self) -> int:
        """The number of parameters P."""
        return sum(self._sizes)

    def initial(
        self,
        batch: int,
        generator: torch.Generator,
        *,
        dtype: torch.dtype = torch.float64,
    ) -> Tensor:
        """Normal weights of variance 2/features and 1/width, zero biases: (B, P), drawn with a CPU generator."""
        w1, b1, w2, b2 = self._sizes
        draw = torch.randn(batch, w1 + w2, generator=generator, dtype=dtype)
        first = draw[:, :w1] * math.sqrt(2 / self.features)
        second = draw[:, w1:] / math.sqrt(self.width)
        return torch.cat(
            [first, first.new_zeros(batch, b1), second, first.new_zeros(batch, b2)], -1
        )

    def logits(self, theta: Tensor, X: Tensor) -> Tensor:
        """(B, n, classes)."""
        W1, b1, W2, b2 = self._layers(theta)
        hidden = (X @ W1.mT + b1[:, None]).relu()
        return hidden @ W2.mT + b2[:, None]

    def accuracy(self, theta: Tensor, X: Tensor, y: Tensor) -> Tensor:
        """Share of the labels `y` (B, n) that have the largest logit, (B,)."""
        return (self.logits(theta, X).argmax(-1) == y).to(theta.dtype).mean(-1)

    def gradient(self, theta: Tensor, X: Tensor, y: Tensor) -> Tensor:
        """Gradient (B, P) of the mean cross entropy of the labels `y` (B, n), int64 classes."""
        W1, b1, W2, b2 = self._layers(theta)
        hidden = (X @ W1.mT + b1[:, None]).relu()
        slopes = torch.softmax(hidden @ W2.mT + b2[:, None], -1)
        slopes.scatter_add_(-1, y[..., None], slopes.new_full((*y.shape, 1), -1.0))
        slopes /= y.shape[-1]
        back = (slopes @ W2) * (hidden > 0)
        parts = (back.mT @ X, back.sum(-2), slopes.mT @ hidden, slopes.sum(-2))
        return torch.cat([part.flatten(1) for part in parts], -1)

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        return (
            self.width * self.features,
            self.width,
            self.classes * self.width,
            self.classes,
        )

    def _layers(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        W1, b1, W2, b2 = theta.split(self._sizes, -1)
        return (
            W1.unflatten(-1, (self.width, self.features)),
            b1,
            W2.unflatten(-1, (self.classes, self.width)),
            b2,
        )
