"""Two-layer ReLU networks f(x) = m^(-1/2) sum_j a_j relu(w_j.x + b_j)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ibcore.models.wide import ScaledNetwork
from ibcore.validation import InvalidInput, positive_integer, real_tensor


class TwoLayerReLU(ScaledNetwork):
    """A network of `width` m hidden neurons on `inputs`, (n, d) shared by the batch or
    (B, n, d).

    Parameters `theta` (B, m (d + 2)) hold the input weights w (m d), the biases b (m)
    and the output weights a (m), in this order. The factor m^(-1/2) is the
    parametrization in which the tangent kernel has a limit as the width grows (Jacot,
    Gabriel and Hongler 2018); other than in a `WideNetwork` the first layer has no
    factor, and the last no bias.
    """

    def __init__(self, inputs: object, width: int) -> None:
        super().__init__(inputs, (width,), "relu", biases="hidden")  # type: ignore[arg-type]

    @property
    def factors(self) -> list[tuple[float, float]]:
        return [(1.0, 1.0), (1 / math.sqrt(self.width), 1.0)]

    def hidden(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """w (B, m, d) and b (B, m) of `theta` (B, P)."""
        m = self.width
        w, b, _ = theta.split([m * self.features, m, m], -1)
        return w.unflatten(-1, (m, self.features)), b

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
        w, b = (part.flatten(1) for part in self.hidden(theta))
        a, _ = self.layers(theta)[-1]
        positions = torch.where(w == 0, math.inf, -b / torch.where(w == 0, 1.0, w))
        return positions, a[..., 0, :] * w.abs()


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
    drawn = torch.randn(
        len(scale), width * (1 + features), generator=generator, dtype=scale.dtype
    )
    b, w = (drawn.to(scale.device) * scale[:, None]).split(
        [width, width * features], -1
    )
    return torch.cat([w, b, torch.zeros_like(b)], -1)
