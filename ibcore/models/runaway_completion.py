"""The completion of Razin and Cohen (2020): W of size 2 x 2 with W_12 = W_21 = 1 and
W_22 = 0 observed.

W = W_k ... W_1 is trained by gradient flow on L = (1/3) [(W_12 - 1)^2 + (W_21 - 1)^2 +
W_22^2]. The functions here are vector fields for one problem at a time in NumPy,
analytic and so fit for complex arguments, which the model in tensors,
`DeepFactorization`, does not take: in the raw weights, and in three coordinates of W
for symmetric balanced starts, in which log t can go to 70 and more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibcore.validation import InvalidInput, positive_integer, real_tensor

Array = NDArray[Any]
ROWS, COLUMNS, TARGETS = (0, 1, 1), (1, 0, 1), (1.0, 1.0, 0.0)
_TARGETS = np.array(TARGETS)


def loss(product: Array) -> Array:
    """L of W (..., 2, 2)."""
    observed = product[..., ROWS, COLUMNS] - _TARGETS
    return np.asarray((observed**2).mean(-1))


def balanced_layers(matrix: object, depth: int) -> Array:
    """Layers (k, 2, 2) with product W = `matrix`, symmetric and invertible, and
    W_(j+1)^T W_(j+1) = W_j W_j^T.

    With W = R diag(s) R^T all layers are R diag(|s|^(1/k)) R^T but the last, which has
    the signs of s. Raises `InvalidInput` for a matrix that is not symmetric, or
    singular.
    """
    values, basis = _spectrum(matrix)
    roots = np.abs(values) ** (1 / positive_integer("depth", depth))
    layers = [basis * roots @ basis.T for _ in range(depth)]
    layers[-1] = basis * (np.sign(values) * roots) @ basis.T
    return np.stack(layers)


def balanced_rotations(matrix: object, depth: int) -> Array:
    """Balanced layers (k, 2, 2) with product W = `matrix`, symmetric or not, of
    positive determinant.

    With W = U diag(s) V^T and rotations U and V the first layer is diag(s)^(1/k) V^T,
    the last U diag(s)^(1/k) and those between them are diag(s)^(1/k). Raises
    `InvalidInput` for a determinant that is not positive.
    """
    w = real_tensor("matrix", matrix, ndim=2).double().numpy()
    if w.shape != (2, 2) or not np.linalg.det(w) > 0:
        raise InvalidInput(
            f"matrix has shape {w.shape} or no positive determinant, expected a 2 x 2 "
            "matrix with det W > 0."
        )
    u, values, vt = np.linalg.svd(w)
    turn = np.array([1.0, np.sign(np.linalg.det(u))])
    u, vt = u * turn, turn[:, None] * vt
    root = np.diag(values ** (1 / positive_integer("depth", depth)))
    layers = np.stack([root] * depth)
    layers[0] = layers[0] @ vt
    layers[-1] = u @ layers[-1]
    return layers


def product(layers: Array) -> Array:
    """W = W_k ... W_1 of layers (..., k, 2, 2)."""
    result = layers[..., 0, :, :]
    for j in range(1, layers.shape[-3]):
        result = layers[..., j, :, :] @ result
    return result


@dataclass(frozen=True)
class RawWeights:
    """Gradient flow in the layers: a state is (4 k,), W_1 to W_k row by row."""

    depth: int

    def field(self, state: Array) -> Array:
        """-grad L of states (..., 4 k): -(W_k ... W_(j+1))^T G (W_(j-1) ... W_1)^T for
        each layer, G = dL/dW.
        """
        layers = state.reshape(*state.shape[:-1], self.depth, 2, 2)
        each = [layers[..., j, :, :] for j in range(self.depth)]
        below, above = (
            list(accumulate(each, lambda low, layer: layer @ low)),
            list(accumulate(each[::-1], lambda high, layer: high @ layer))[::-1],
        )
        pull = -_gradient(below[-1])
        push = np.empty_like(layers)
        for j in range(self.depth):
            part = pull if j == self.depth - 1 else above[j + 1].swapaxes(-1, -2) @ pull
            push[..., j, :, :] = (
                part if j == 0 else part @ below[j - 1].swapaxes(-1, -2)
            )
        return push.reshape(state.shape)

    def signs(self, state: Array) -> float:
        """The least of sign det W_j: 1 as long as every layer keeps the orientation +1."""
        layers = state.reshape(self.depth, 2, 2)
        return float(
            np.sign(
                layers[:, 0, 0] * layers[:, 1, 1] - layers[:, 0, 1] * layers[:, 1, 0]
            ).min()
        )


@dataclass(frozen=True)
class Reduced:
    """The same flow in the state (log W_11, W_11^2 (W_12 - 1), log det W, log(1 + t)),
    with d log(1 + t) = 1.

    For a balanced start with W symmetric positive definite, W stays so and obeys
    dW/dt = -sum_j W^(2 (k-j)/k) G W^(2 (j-1)/k) (Arora, Cohen and Hazan 2018). The
    second coordinate tends to -1.
    """

    depth: int

    def start(self, matrix: object) -> Array:
        """The state (4,) of W = `matrix` at time 0; raises `InvalidInput` unless it is
        symmetric, positive definite, with two eigenvalues that differ.
        """
        values, _ = _spectrum(matrix)
        if values[0] <= 0 or values[1] - values[0] <= 1e-6 * values[1]:
            raise InvalidInput(
                f"the start has eigenvalues {values[0]:.3g} and {values[1]:.3g}, "
                "expected two different positive numbers. Use the raw weights for "
                "other starts."
            )
        w = np.asarray(matrix, dtype=float)
        return np.array(
            [np.log(w[0, 0]), w[0, 0] ** 2 * (w[0, 1] - 1), np.log(values).sum(), 0.0]
        )

    def entries(self, state: Array) -> tuple[Array, Array, Array]:
        """W_11, W_12 - 1 and W_22 of states (..., 4)."""
        w11 = np.exp(state[..., 0])
        miss = state[..., 1] / w11**2
        return w11, miss, ((1 + miss) ** 2 + np.exp(state[..., 2])) / w11

    def loss(self, state: Array) -> Array:
        """L of states (..., 4)."""
        _, miss, w22 = self.entries(state)
        return np.asarray((2 * miss**2 + w22**2) / 3)

    def log_ratio(self, state: Array) -> Array:
        """log(sigma_2 / sigma_1) of states (..., 4)."""
        return np.asarray(state[..., 2] - 2 * self._log_largest(*self.entries(state)))

    def field(self, state: Array) -> Array:
        """d state / d log(1 + t), (..., 4), computed in the eigenvectors (cos, sin) and
        (-sin, cos) of W.
        """
        k, power = self.depth, 2 / self.depth
        w11, miss, w22 = self.entries(state)
        log_1 = self._log_largest(w11, miss, w22)
        log_2 = state[..., 2] - log_1
        c, s = w11 - np.exp(log_2), 1 + miss
        length = np.sqrt(c * c + s * s)
        c, s = c / length, s / length
        g_1, g_12, g_2 = (
            2 / 3 * g
            for g in (
                2 * c * s * miss + s * s * w22,
                (c * c - s * s) * miss + c * s * w22,
                -2 * c * s * miss + c * c * w22,
            )
        )
        along, across = (
            -k * np.exp((2 - power) * log_1) * g_1,
            -k * np.exp((2 - power) * log_2) * g_2,
        )
        mixed = -g_12 * sum(
            np.exp(power * ((k - j) * log_1 + (j - 1) * log_2)) for j in range(1, k + 1)
        )
        growth = (c * c * along - 2 * c * s * mixed + s * s * across) / w11
        turn = c * s * (along - across) + (c * c - s * s) * mixed
        shrink = -k * (
            np.exp((1 - power) * log_1) * g_1 + np.exp((1 - power) * log_2) * g_2
        )
        t = np.exp(state[..., 3])
        return np.stack(
            [
                t * growth,
                t * (turn * w11**2 + 2 * state[..., 1] * growth),
                t * shrink,
                1 + 0 * t,
            ],
            -1,
        )

    def _log_largest(self, w11: Array, miss: Array, w22: Array) -> Array:
        """log sigma_1 of W."""
        return np.asarray(
            np.log((w11 + w22) / 2 + np.sqrt(((w11 - w22) / 2) ** 2 + (1 + miss) ** 2))
        )


def _gradient(w: Array) -> Array:
    """dL/dW of W (..., 2, 2)."""
    gradient = np.zeros_like(w)
    gradient[..., ROWS, COLUMNS] = 2 / 3 * (w[..., ROWS, COLUMNS] - _TARGETS)
    return gradient


def _spectrum(matrix: object) -> tuple[Array, Array]:
    """Rising eigenvalues and eigenvectors of a symmetric invertible matrix (2, 2)."""
    w = real_tensor("matrix", matrix, ndim=2).double().numpy()
    if w.shape != (2, 2) or not np.allclose(w, w.T):
        raise InvalidInput(
            f"matrix has shape {w.shape} or is not symmetric, expected a symmetric 2 x "
            "2 matrix."
        )
    values, basis = np.linalg.eigh(w)
    if np.abs(values).min() < 1e-12:
        raise InvalidInput(
            "matrix is singular; its determinant would stay zero. Add a multiple of "
            "the identity."
        )
    return values, basis
