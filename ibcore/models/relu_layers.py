"""Fully connected ReLU networks of any depth without biases, for a batch of independent networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer


@dataclass(frozen=True)
class ReLULayers:
    """Logits A_k relu(A_{k-1} ... relu(A_1 x)) with A_l of shape (sizes[l], sizes[l - 1]).

    Weights are tuples of k tensors (B, sizes[l], sizes[l - 1]), one network a member of the batch.
    """

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.sizes) < 3:
            raise InvalidInput(
                f"sizes are {self.sizes}, expected at least input, one hidden layer and classes."
            )
        for size in self.sizes:
            positive_integer("size", size)

    @property
    def depth(self) -> int:
        """k, the number of weight matrices."""
        return len(self.sizes) - 1

    def initial(
        self,
        batch: int,
        generator: torch.Generator,
        *,
        dtype: torch.dtype = torch.float64,
    ) -> list[Tensor]:
        """Normal weights of variance 2 / (size below), drawn with a CPU generator."""
        return [
            torch.randn(batch, out, below, generator=generator, dtype=dtype)
            * math.sqrt(2 / below)
            for below, out in zip(self.sizes, self.sizes[1:], strict=False)
        ]

    def logits(self, weights: list[Tensor], X: Tensor) -> Tensor:
        """(B, n, classes) at inputs X (B, n, d)."""
        return self._forward(weights, X)[-1]

    def loss_and_gradient(
        self, weights: list[Tensor], X: Tensor, y: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Mean cross entropy (B,) of the labels y (B, n), int64, and its gradients, shaped as the weights."""
        states = self._forward(weights, X)
        log_p = torch.log_softmax(states[-1], -1)
        loss = -log_p.gather(-1, y[..., None])[..., 0].mean(-1)
        back = log_p.exp()
        back.scatter_add_(-1, y[..., None], back.new_full((*y.shape, 1), -1.0))
        back /= y.shape[-1]
        gradients: list[Tensor] = []
        for layer in reversed(range(self.depth)):
            gradients.append(back.mT @ states[layer])
            if layer:
                back = (back @ weights[layer]) * (states[layer] > 0)
        return loss, gradients[::-1]

    def _forward(self, weights: list[Tensor], X: Tensor) -> list[Tensor]:
        states = [X]
        for layer, matrix in enumerate(weights):
            out = states[-1] @ matrix.mT
            states.append(out.relu() if layer + 1 < self.depth else out)
        return states


def multiclass_margins(logits: Tensor, y: Tensor) -> Tensor:
    """Logit of the label minus the largest other logit, (..., n), for logits (..., n, classes) and labels (..., n)."""
    own = logits.gather(-1, y[..., None])
    rest = logits.scatter(-1, y[..., None], -torch.inf).amax(-1)
    return own[..., 0] - rest
