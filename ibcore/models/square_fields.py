"""Gradient flow of the mean square loss of two models in NumPy: for one small problem
several times as fast as through tensors.

A model that has such a field returns it as `square_field(targets)`, and `stiff_flow`
then takes it in place of the pullback, Jacobian and Hessian of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ibcore.validation import regression_data

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SquareField:
    """The loss L and minus its gradient, on inputs (n, d) with targets (n,), as
    functions of parameters (P,).
    """

    inputs: Array
    targets: Array

    @classmethod
    def on(cls, inputs: object, targets: object) -> Self:
        """The field on data of any array type; raises `InvalidInput` for shapes that do
        not match.
        """
        X, y = regression_data(inputs, targets, single=True)
        return cls(*(part.detach().cpu().double().numpy() for part in (X, y)))

    def outputs(self, theta: Array) -> Array:
        """f at every input, (n,)."""
        raise NotImplementedError

    def loss(self, theta: Array) -> float:
        """L = (1/n) sum_i (f(x_i) - y_i)^2."""
        return float(np.mean((self.outputs(theta) - self.targets) ** 2))

    def descent(self, theta: Array) -> Array:
        """-grad L, (P,)."""
        raise NotImplementedError

    def curvature(self, theta: Array) -> Array:
        """The Jacobian (P, P) of `descent`."""
        raise NotImplementedError


class OneReLU(SquareField):
    """x -> max(0, w.x), of parameters w (d,).

    At the kink the derivative of ReLU is 1 by convention. From w = 0 any value in
    (0, 1] gives the same path where all inputs of positive label have a positive
    product with the first push sum_i y_i x_i, since the force of the others is
    continuous at their kinks; with 0 the origin would be stationary.
    """

    def outputs(self, theta: Array) -> Array:
        return np.maximum(self.inputs @ theta, 0)

    def descent(self, theta: Array) -> Array:
        z = self.inputs @ theta
        rest = np.where(z >= 0, z - self.targets, 0.0)
        return (-2 / len(z)) * (rest @ self.inputs)

    def curvature(self, theta: Array) -> Array:
        """Constant where no input changes sides."""
        active = self.inputs[self.inputs @ theta >= 0]
        return (-2 / len(self.targets)) * (active.T @ active)

    def misfit(self, w: Array) -> float:
        """max_i |max(0, w.x_i) - y_i| / (|x_i| s), s = |w| or 1 where w is 0: it has
        the scale of an angle.
        """
        return self._largest(np.abs(self.outputs(w) - self.targets), w)

    def unrest(self, w: Array) -> float:
        """The `misfit` of the inputs with w.x >= 0 alone, the only ones that move w."""
        z = self.inputs @ w
        return self._largest(np.where(z >= 0, np.abs(z - self.targets), 0.0), w)

    def _largest(self, rest: Array, w: Array) -> float:
        rest = rest / np.linalg.norm(self.inputs, axis=1)
        return float(rest.max() / (np.linalg.norm(w) or 1.0))


class TwoFilters(SquareField):
    """x -> x.(u * v), circular convolution, of parameters u and then v, (2 d,).

    It is `Convolutional` of depth 2 and full width.
    """

    @cached_property
    def _places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """a + b and a - b, mod d, (d, d)."""
        a = np.arange(self.inputs.shape[1])
        return (a[:, None] + a) % len(a), (a[:, None] - a) % len(a)

    def coefficients(self, theta: Array) -> Array:
        """beta = u * v, (d,)."""
        u, v = theta.reshape(2, -1)
        return u[self._places[1]] @ v

    def outputs(self, theta: Array) -> Array:
        return self.inputs @ self.coefficients(theta)

    def descent(self, theta: Array) -> Array:
        u, v = theta.reshape(2, -1)
        pairs = self._pairs(theta)
        return np.concatenate([pairs @ v, pairs @ u])

    def curvature(self, theta: Array) -> Array:
        u, v = theta.reshape(2, -1)
        shifted, pairs = self.inputs[:, self._places[0]], self._pairs(theta)
        rows = np.concatenate([shifted @ v, shifted @ u], 1)
        zero = np.zeros_like(pairs)
        bent = np.block([[zero, pairs], [pairs, zero]])
        return bent - 2 / len(self.targets) * rows.T @ rows

    def _pairs(self, theta: Array) -> Array:
        """-dL/dbeta at the places a + b (mod d), (d, d)."""
        rest = self.targets - self.outputs(theta)
        push: Array = 2 / len(rest) * (rest @ self.inputs)
        return push[self._places[0]]
