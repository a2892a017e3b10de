"""One ReLU neuron x -> max(0, w.x) with the square loss: its gradient field in closed
form.

At the kink the derivative of ReLU is 1 by convention. From w = 0 any value in (0, 1]
gives the same path where all inputs of positive label have a positive product with the
first push sum_i y_i x_i, since the force of the others is continuous at their kinks;
with 0 the origin would be stationary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ibcore.validation import regression_data

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ReLUNeuron:
    """The neuron on inputs (n, d) with targets (n,), as functions of one weight vector
    w (d,) in NumPy.
    """

    inputs: Array
    targets: Array

    @classmethod
    def on(cls, inputs: object, targets: object) -> ReLUNeuron:
        """The neuron on data of any array type; raises `InvalidInput` for shapes that
        do not match.
        """
        X, y = regression_data(inputs, targets)
        return cls(
            X.detach().cpu().double().numpy(), y.detach().cpu().double().numpy().ravel()
        )

    def descent(self, w: Array) -> Array:
        """-grad L(w) for the mean loss L(w) = (1/n) sum_i (max(0, w.x_i) - y_i)^2."""
        z = self.inputs @ w
        rest = np.where(z >= 0, z - self.targets, 0.0)
        return (-2 / len(z)) * (rest @ self.inputs)

    def curvature(self, w: Array) -> Array:
        """The Jacobian (d, d) of `descent`, constant where no input changes sides."""
        active = self.inputs[self.inputs @ w >= 0]
        return (-2 / len(self.targets)) * (active.T @ active)

    def misfit(self, w: Array) -> float:
        """max_i |max(0, w.x_i) - y_i| / (|x_i| s), s = |w| or 1 where w is 0: it has
        the scale of an angle.
        """
        rest = np.abs(np.maximum(self.inputs @ w, 0) - self.targets) / np.linalg.norm(
            self.inputs, axis=1
        )
        return float(rest.max() / (np.linalg.norm(w) or 1.0))

    def unrest(self, w: Array) -> float:
        """The `misfit` of the inputs with w.x >= 0 alone, the only ones that move w."""
        z = self.inputs @ w
        rest = np.where(z >= 0, np.abs(z - self.targets), 0.0) / np.linalg.norm(
            self.inputs, axis=1
        )
        return float(rest.max() / (np.linalg.norm(w) or 1.0))


def safe_step(inputs: Tensor) -> Tensor:
    """n / (2 lambda_max(X^T X)), (B,), for inputs (B, n, d).

    It is half the step size up to which descent on the mean loss moves away from no
    weights that fit all points.
    """
    return inputs.shape[-2] / (2 * torch.linalg.matrix_norm(inputs, 2).square())
