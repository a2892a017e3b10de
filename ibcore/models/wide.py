"""Fully connected networks in the parametrization in which wide ones have a limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ibcore.models.activations import Activation
from ibcore.models.base import Model
from ibcore.models.network import Layer, Network
from ibcore.validation import positive_integer, real_number


@dataclass(frozen=True)
class ScaledNetwork(Network):
    """A `Network` with A_l and b_l equal to its parameters times fixed `factors`."""

    @property
    def factors(self) -> list[tuple[float, float]]:
        """Of A_l and b_l, for every layer."""
        raise NotImplementedError

    @cached_property
    def scales(self) -> Tensor:
        """The factor of every parameter, (P,), in double precision."""
        factors = [
            factor
            for pair, biased in zip(self.factors, self._biased, strict=False)
            for factor in pair[: 1 + biased]
        ]
        sizes = torch.tensor(self._sizes)
        scales = torch.tensor(factors, dtype=torch.float64).repeat_interleave(sizes)
        return scales.to(self.inputs.device)

    def layers(self, theta: Tensor) -> list[Layer]:
        """A_l and b_l, which are the parameters times their factors."""
        return super().layers(theta * self.scales.to(theta))

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        outputs, pull = super().vjp(theta)
        return outputs, lambda weights: pull(weights) * self.scales.to(theta)

    def jacobian(self, theta: Tensor) -> Tensor:
        return super().jacobian(theta) * self.scales.to(theta)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        return Model.hessian(self, theta, weights)


@dataclass(frozen=True)
class WideNetwork(ScaledNetwork):
    """A `Network` with A_l = W_l / sqrt(columns) and b_l = `bias` beta_l, whose
    parameters are all W and beta.

    At a standard normal start its outputs are of order one, whatever the widths, and
    its tangent kernel has a limit (Jacot, Gabriel and Hongler 2018). With `biases`
    false there are no beta.
    """

    activation: str | Activation = "relu"
    bias: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "bias", real_number("bias", self.bias))

    @property
    def factors(self) -> list[tuple[float, float]]:
        return [(1 / math.sqrt(columns), self.bias) for _, columns in self.shapes]

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
            if layers[number][1] is not None:
                product = product + self.bias**2
            if number < len(self.shapes):
                K = K + product * (back @ back.mT)
            if number:
                slope = self.phi.slope_at(inner[number - 1], received)
                back = (back @ layers[number][0]) * slope
        return K
