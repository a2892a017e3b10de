"""The gradient field of two convolved filters in regression, in NumPy: for one small
problem ten times as fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ibcore.validation import InvalidInput, regression_data

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FilterPair:
    """x -> x.(u * v), circular convolution, on inputs X (n, d) and targets y (n,), with
    the mean square loss.

    Its parameters are an array (2 d,) of u and then v. The network is `Convolutional`
    of depth 2 and full width.
    """

    X: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        X, y = regression_data(self.X, self.y)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)
        if y.ndim != 1:
            raise InvalidInput(
                f"X has shape {tuple(self.X.shape)} and y {tuple(self.y.shape)}, "
                "expected (n, d) and (n,)."
            )

    @cached_property
    def _data(self) -> tuple[Array, Array, NDArray[np.intp], NDArray[np.intp]]:
        places = np.arange(self.X.shape[1])
        sums, differences = (
            (places[:, None] + sign * places) % len(places) for sign in (1, -1)
        )
        X, y = (part.detach().cpu().double().numpy() for part in (self.X, self.y))
        return X, y, sums, differences

    def coefficients(self, theta: Array) -> Array:
        """beta = u * v, (d,)."""
        u, v = theta.reshape(2, -1)
        return u[self._data[3]] @ v

    def field(self, theta: Array) -> Array:
        """Minus the gradient of the mean square loss, (2 d,)."""
        u, v = theta.reshape(2, -1)
        pairs = self._pairs(theta)
        return np.concatenate([pairs @ v, pairs @ u])

    def curvature(self, theta: Array) -> Array:
        """The Jacobian of `field`, (2 d, 2 d)."""
        X, y, sums, _ = self._data
        u, v = theta.reshape(2, -1)
        rows = np.concatenate([X[:, sums] @ v, X[:, sums] @ u], 1)
        pairs = self._pairs(theta)
        zero = np.zeros_like(pairs)
        return np.block([[zero, pairs], [pairs, zero]]) - 2 / len(y) * rows.T @ rows

    def loss(self, theta: Array) -> float:
        """Mean square loss."""
        X, y, _, _ = self._data
        return float(np.mean((X @ self.coefficients(theta) - y) ** 2))

    def _pairs(self, theta: Array) -> Array:
        """-dL/dbeta at the places a + b (mod d), (d, d)."""
        X, y, sums, _ = self._data
        push: Array = 2 / len(y) * ((y - X @ self.coefficients(theta)) @ X)
        return push[sums]
