"""Two-layer ReLU networks f(x) = m^(-1/2) sum_j a_j relu(w_j.x + b_j)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.models.base import OnInputs
from ibcore.validation import InvalidInput, positive_integer, real_tensor


@dataclass(frozen=True)
class TwoLayerReLU(OnInputs):
    """A network of `width` m hidden neurons on `inputs`, (n, d) shared by the batch or
    (B, n, d).

    Parameters `theta` (B, m (2 + d)) hold the output weights a (m), the biases b (m)
    and the input weights w (m d), in this order. The factor m^(-1/2) is the
    parametrization in which the tangent kernel has a limit as the width grows (Jacot,
    Gabriel and Hongler 2018).
    """

    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer("width", self.width)

    @property
    def features(self) -> int:
        return self.inputs.shape[-1]

    @property
    def dimension(self) -> int:
        return self.width * (2 + self.features)

    def on(self, inputs: Tensor) -> TwoLayerReLU:
        """The same network on other inputs, (n, d) or (B, n, d)."""
        return replace(self, inputs=inputs)

    def layers(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Output weights (B, m), biases (B, m) and input weights (B, m, d)."""
        a, b, w = theta.split([self.width, self.width, self.width * self.features], -1)
        return a, b, w.unflatten(-1, (self.width, self.features))

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        hidden = self._preactivations(theta).relu()
        a, _, _ = self.layers(theta)
        return (hidden @ a[..., None])[..., 0] / math.sqrt(self.width)

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P), with relu'(0) = 0."""
        z = self._preactivations(theta)
        a, _, _ = self.layers(theta)
        gated = (z > 0) * a[..., None, :]
        inputs = self.inputs.expand(len(theta), *self.inputs.shape[-2:])
        by_input_weight = (gated[..., None] * inputs[..., None, :]).flatten(-2)
        return torch.cat([z.relu(), gated, by_input_weight], -1) / math.sqrt(self.width)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights (B, n), with relu'(0) =
        0.
        """
        return self.vjp(theta)[1](weights)

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Outputs (B, n) and the map from weights r, (B, n), to
        sum_i r_i df(x_i)/dtheta, (B, P).

        With Z = X w^T + b the latter is, for a, b and w in turn,
        relu(Z)^T r, sum_i gate_i and gate^T X, where
        gate = (r a^T) 1[Z > 0]; all over sqrt(width).
        """
        a, b, w = self.layers(theta)
        X, root = self.inputs, math.sqrt(self.width)
        batch = X.expand(len(theta), *X.shape[-2:])
        hidden = torch.baddbmm(b[..., None, :], batch, w.mT).relu_()

        def pull(weights: Tensor) -> Tensor:
            r = weights[..., None] / root
            gate = (r * a[..., None, :]).mul_(hidden > 0)
            by_a = (hidden.mT @ r)[..., 0]
            by_w = (gate.mT @ X).flatten(-2)
            return torch.cat([by_a, gate.sum(-2), by_w], -1)

        return (hidden @ a[..., None])[..., 0] / root, pull

    def kinks(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """For scalar inputs: where f bends, -b_j/w_j, and by how much its slope jumps
        there, m^(-1/2) a_j |w_j|.

        Both (B, m); a neuron with w_j = 0 bends nowhere and gets position infinity and
        jump 0.
        """
        if self.features != 1:
            raise InvalidInput(
                "kinks are points for scalar inputs only; these inputs have "
                f"{self.features} features."
            )
        a, b, w = self.layers(theta)
        w = w[..., 0]
        positions = torch.where(w == 0, math.inf, -b / torch.where(w == 0, 1.0, w))
        return positions, a * w.abs() / math.sqrt(self.width)

    def _preactivations(self, theta: Tensor) -> Tensor:
        _, b, w = self.layers(theta)
        return self.inputs @ w.mT + b[..., None, :]


def zero_output_start(
    width: int, features: int, scale: Tensor, generator: torch.Generator
) -> Tensor:
    """Parameters (B, P) with a = 0 and w, b normal of standard deviation `scale` (B,),
    drawn with a CPU generator.

    The network starts as the zero function whatever the scale, and no pair of neurons
    starts as two large opposite bends.
    """
    scale = real_tensor("scale", scale, ndim=1)
    positive_integer("width", width)
    positive_integer("features", features)
    first = torch.randn(
        len(scale), width * (1 + features), generator=generator, dtype=scale.dtype
    )
    first = first.to(scale.device) * scale[:, None]
    return torch.cat([first.new_zeros(len(scale), width), first], -1)
