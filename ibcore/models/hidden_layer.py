"""Two-layer networks of which only the hidden layer is trained."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ibcore.models.activations import Activation
from ibcore.models.base import OnInputs
from ibcore.models.homogeneous import degree_of
from ibcore.validation import real_tensor


@dataclass(frozen=True)
class HiddenLayer(OnInputs):
    """f(x) = sum_j v_j phi(w_j.x) with fixed output weights v (m,), on `inputs` (n, d)
    or (B, n, d).

    Parameters `theta` (B, m d) hold the input weights w. Homogeneous of the degree of
    phi.
    """

    output_weights: Tensor
    activation: Activation

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = real_tensor("output_weights", self.output_weights, ndim=1)
        object.__setattr__(self, "output_weights", weights.to(self.inputs))

    @property
    def width(self) -> int:
        return len(self.output_weights)

    @property
    def dimension(self) -> int:
        return self.width * self.inputs.shape[-1]

    @property
    def degree(self) -> int:
        """k with f(x; c theta) = c^k f(x; theta)."""
        return degree_of(self.activation)

    def neurons(self, theta: Tensor) -> Tensor:
        """Input weights (..., m, d) of `theta` (..., m d)."""
        return theta.unflatten(-1, (self.width, self.inputs.shape[-1]))

    def preactivations(self, theta: Tensor) -> Tensor:
        """w_j.x_i, (B, n, m)."""
        return self.inputs @ self.neurons(theta).mT

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return self.activation.value(self.preactivations(theta)) @ self.output_weights

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P)."""
        gated = self.activation.slope(self.preactivations(theta)) * self.output_weights
        inputs = self.inputs.expand(len(theta), *self.inputs.shape[-2:])
        return (gated[..., None] * inputs[..., None, :]).flatten(-2)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights (B, n)."""
        slopes = self.activation.slope(self.preactivations(theta))
        back = weights[..., None] * slopes * self.output_weights
        return (back.mT @ self.inputs).flatten(-2)
