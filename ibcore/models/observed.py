"""A parametrized vector that is seen through linear observations: outputs X G(theta)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from ibcore.models.base import Model
from ibcore.validation import InvalidInput, data_tensor


@dataclass(frozen=True)
class Observed(Model):
    """f_i(theta) = x_i.G(theta), where G (m,) are the outputs of `coordinates` and x_i
    the rows of `inputs` (n, m).

    The map G is the parametrization; a linear network is one on the unit vectors as
    inputs. `inputs` are shared by the batch. Raises `InvalidInput` for inputs whose
    width is not `width`, the number m of coordinates.
    """

    coordinates: Model
    inputs: Tensor
    width: int

    def __post_init__(self) -> None:
        inputs = data_tensor("inputs", self.inputs, ndims=(2,), shape="(n, m)")
        if inputs.shape[1] != self.width:
            raise InvalidInput(
                f"inputs have shape {tuple(inputs.shape)}, expected (n, {self.width}): "
                "one column a coordinate."
            )
        object.__setattr__(self, "inputs", inputs)

    @property
    def like(self) -> Tensor:
        """A tensor whose dtype and device the parameters take."""
        return self.inputs

    def predictor(self, theta: Tensor) -> Tensor:
        """w = G(theta), (B, m), for theta (B, P)."""
        return self.coordinates.outputs(theta)

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return self.predictor(theta) @ self.inputs.mT

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df_i/dtheta, (B, P), for weights (B, n)."""
        return self.coordinates.pullback(theta, weights @ self.inputs)

    def jacobian(self, theta: Tensor) -> Tensor:
        """df_i/dtheta, (B, n, P)."""
        return self.inputs @ self.coordinates.jacobian(theta)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f_i/dtheta^2, (B, P, P), for weights (B, n)."""
        return self.coordinates.hessian(theta, weights @ self.inputs)

    def select(self, members: Tensor) -> Self:
        """The model of these members (A,) of the batch."""
        return replace(self, coordinates=self.coordinates.select(members))

    def minibatch(self, rows: Tensor) -> Self:
        """The model on these of its inputs, (b,)."""
        return replace(self, inputs=self.inputs[rows])
