"""Two-layer networks f(x) = sum_j a_j phi(w_j.x) without biases, homogeneous in their
parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.models.activations import Activation
from ibcore.models.base import OnInputs
from ibcore.validation import InvalidInput, positive_integer


@dataclass(frozen=True)
class TwoLayer(OnInputs):
    """`width` m neurons on `inputs`, (n, d) shared by the batch or (B, n, d),
    homogeneous of degree 1 + that of phi.

    Parameters `theta` (B, m (1 + d)) hold the output weights a (m) and then the input
    weights w (m d). A bias is a constant input.
    """

    width: int
    activation: Activation

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer("width", self.width)
        degree_of(self.activation)

    @property
    def features(self) -> int:
        return self.inputs.shape[-1]

    @property
    def dimension(self) -> int:
        return self.width * (1 + self.features)

    @property
    def degree(self) -> int:
        """k with f(x; c theta) = c^k f(x; theta)."""
        return 1 + degree_of(self.activation)

    def layers(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Output weights (..., m) and input weights (..., m, d) of `theta` (..., P)."""
        a, w = theta.split([self.width, self.width * self.features], -1)
        return a, w.unflatten(-1, (self.width, self.features))

    def preactivations(self, theta: Tensor) -> Tensor:
        """w_j.x_i, (B, n, m)."""
        return self.inputs @ self.layers(theta)[1].mT

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        a, _ = self.layers(theta)
        return (self.activation.value(self.preactivations(theta)) @ a[..., None])[
            ..., 0
        ]

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P)."""
        a, z = self.layers(theta)[0], self.preactivations(theta)
        gated = self.activation.slope(z) * a[..., None, :]
        inputs = self.inputs.expand(len(theta), *self.inputs.shape[-2:])
        return torch.cat(
            [
                self.activation.value(z),
                (gated[..., None] * inputs[..., None, :]).flatten(-2),
            ],
            -1,
        )

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights (B, n)."""
        a, z = self.layers(theta)[0], self.preactivations(theta)
        by_a = (weights[..., None, :] @ self.activation.value(z))[..., 0, :]
        back = weights[..., None] * self.activation.slope(z) * a[..., None, :]
        return joined(by_a, back.mT @ self.inputs)


def joined(a: Tensor, w: Tensor) -> Tensor:
    """Parameters (..., P) of a `TwoLayer` network from output weights (..., m) and
    input weights (..., m, d).
    """
    return torch.cat([a, w.flatten(-2)], -1)


def degree_of(activation: Activation) -> int:
    """k with phi(c z) = c^k phi(z) for c > 0; raises `InvalidInput` for an activation
    that is not homogeneous.
    """
    if activation.degree is None:
        raise InvalidInput(
            f"{activation.name} is not homogeneous; take LeakyReLU or SquaredReLU, or "
            "a `Network`."
        )
    return activation.degree
