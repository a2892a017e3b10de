"""What the central path of nuclear norm minimization is made of: observations of a
matrix, and barriers of the dual.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Array = NDArray[np.float64]
_TINY = float(np.finfo(np.float64).tiny)


class Places(Protocol):
    """The linear map A and what the barrier needs of it."""

    def read(self, matrix: Array) -> Array: ...

    def spread(self, weights: Array) -> Array: ...

    def fit(self, matrix: Array, y: Array) -> Array:
        """The nearest matrix with A(W) = y."""
        ...

    def pairs(self, left: Array, right: Array) -> Array:
        """<left A_i right, A_j> for all i and j, (n, n)."""
        ...

    def crossed(self, middle: Array) -> Array:
        """<M A_i^T M, A_j> for all i and j, (n, n)."""
        ...


class DensePlaces:
    """Observations <A_i, W> for `matrices` A (n, p, q)."""

    def __init__(self, matrices: Array) -> None:
        self.A, self.rows = matrices, matrices.reshape(len(matrices), -1)
        self.gram = cho_factor(self.rows @ self.rows.T)

    def read(self, matrix: Array) -> Array:
        return self.rows @ matrix.ravel()

    def spread(self, weights: Array) -> Array:
        return (weights @ self.rows).reshape(self.A.shape[1:])

    def fit(self, matrix: Array, y: Array) -> Array:
        return matrix + self.spread(cho_solve(self.gram, y - self.read(matrix)))

    def pairs(self, left: Array, right: Array) -> Array:
        return (left @ self.A @ right).reshape(self.rows.shape) @ self.rows.T

    def crossed(self, middle: Array) -> Array:
        return (middle @ self.A.transpose(0, 2, 1) @ middle).reshape(
            self.rows.shape
        ) @ self.rows.T


class EntryPlaces:
    """Observations W[rows_i, columns_i] of a matrix of `shape`."""

    def __init__(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        shape: tuple[int, int],
    ) -> None:
        self.rows, self.columns, self.shape = rows, columns, shape

    def read(self, matrix: Array) -> Array:
        return matrix[self.rows, self.columns]

    def spread(self, weights: Array) -> Array:
        return self.fit(np.zeros(self.shape), weights)

    def fit(self, matrix: Array, y: Array) -> Array:
        fitted = matrix.copy()
        fitted[self.rows, self.columns] = y
        return fitted

    def pairs(self, left: Array, right: Array) -> Array:
        return (
            left[np.ix_(self.rows, self.rows)]
            * right[np.ix_(self.columns, self.columns)]
        )

    def crossed(self, middle: Array) -> Array:
        block = middle[np.ix_(self.rows, self.columns)]
        return block * block.T


class Spectral:
    """-log det(I - G^T G) for G = sum_i nu_i A_i of norm below 1: value, derivatives,
    and the matrix they name.
    """

    def __init__(self, places: Places, dual: Array) -> None:
        self.places, G = places, places.spread(dual)
        self.left, s, self.right = np.linalg.svd(G, full_matrices=False)
        self.inside = bool(s[0] < 1)
        self.s, room = s, np.maximum((1 - s) * (1 + s), _TINY)
        self.weights, self.value = 1 / room, float(-np.log(room).sum())

    def derivatives(self) -> tuple[Array, Array]:
        P = np.eye(len(self.left)) + (self.left * (self.weights - 1)) @ self.left.T
        R = (
            np.eye(self.right.shape[1])
            + (self.right.T * (self.weights - 1)) @ self.right
        )
        Q = (self.left * (self.s * self.weights)) @ self.right
        self.P, self.R, self.Q = P, R, Q
        return 2 * self.places.read(Q), 2 * (
            self.places.pairs(P, R) + self.places.crossed(Q)
        )

    def primal(self, weight: float, step: Array) -> Array:
        D = self.places.spread(step)
        return 2 * weight * (self.Q + self.P @ D @ self.R + self.Q @ D.T @ self.Q)


class Semidefinite:
    """-log det(I - G) for symmetric G = sum_i nu_i A_i below the identity."""

    def __init__(self, places: Places, dual: Array) -> None:
        self.places = places
        values, self.basis = np.linalg.eigh(places.spread(dual))
        self.inside = bool(values[-1] < 1)
        room = np.maximum(1 - values, _TINY)
        self.weights, self.value = 1 / room, float(-np.log(room).sum())

    def derivatives(self) -> tuple[Array, Array]:
        self.inverse = (self.basis * self.weights) @ self.basis.T
        return self.places.read(self.inverse), self.places.pairs(
            self.inverse, self.inverse
        )

    def primal(self, weight: float, step: Array) -> Array:
        return weight * (
            self.inverse + self.inverse @ self.places.spread(step) @ self.inverse
        )
