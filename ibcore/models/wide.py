"""Fully connected networks in the parametrization in which wide ones have a limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.models.activations import ACTIVATIONS
from ibcore.models.network import Network
from ibcore.validation import positive_integer, real_number


@dataclass(frozen=True)
class WideNetwork(Network):
    """A `Network` with A_l = W_l / sqrt(columns) and b_l = `bias` beta_l, whose
    parameters are all W and beta.

    At a standard normal start its outputs are of order one, whatever the widths, and
    its tangent kernel has a limit (Jacot, Gabriel and Hongler 2018). With `biases`
    false there are no beta.
    """

    activation: str = "relu"
    bias: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "bias", real_number("bias", self.bias))

    def layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        return [
            (
                matrix / math.sqrt(matrix.shape[-1]),
                None if shift is None else self.bias * shift,
            )
            for matrix, shift in super().layers(theta)
        ]

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        outputs, pull = super().vjp(theta)
        sizes, factors = [], []
        for rows, columns in self.shapes:
            sizes.append(rows * columns)
            factors.append(1 / math.sqrt(columns))
            if self.biases:
                sizes.append(rows)
                factors.append(self.bias)

        def scaled(weights: Tensor) -> Tensor:
            parts = pull(weights).split(sizes, -1)
            pairs = zip(parts, factors, strict=True)
            return torch.cat([part * factor for part, factor in pairs], -1)

        return outputs, scaled

    def start(self, batch: int, generator: torch.Generator) -> Tensor:
        """Standard normal parameters (B, P), drawn on the CPU."""
        positive_integer("batch", batch)
        draw = torch.randn(
            batch, self.dimension, generator=generator, dtype=torch.float64
        )
        return draw.to(self.inputs)

    def tangent_kernel(self, theta: Tensor) -> Tensor:
        """K(x_i, x_j) = df(x_i)/dtheta . df(x_j)/dtheta of networks with one output,
        (B, n, n), layer by layer.

        The derivative by W_l is the outer product of what the layer receives, over
        sqrt(columns), and of the derivative of f by what it gives: inner products of
        the two are multiplied, and no Jacobian is formed.
        """
        layers = self.layers(theta)
        states, inner = self._states(layers)
        back = torch.ones_like(inner[-1])
        K = theta.new_zeros(())
        for number in reversed(range(len(layers))):
            received = states[number]
            product = received @ received.mT / received.shape[-1]
            if self.biases:
                product = product + self.bias**2
            K = K + product * (back @ back.mT)
            if number:
                slope = ACTIVATIONS[self.activation].slope_at(
                    inner[number - 1], received
                )
                back = (back @ layers[number][0]) * slope
        return K
