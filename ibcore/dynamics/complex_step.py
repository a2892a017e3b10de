"""Jacobians of analytic vector fields without differences (Squire and Trapp 1998)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def complex_jacobian(
    vector_field: Callable[[NDArray[np.complex128]], NDArray[np.complex128]],
) -> Callable[[Array], Array]:
    """x (P,) -> dF/dx (P, P), column j as Im F(x + i h e_j) / h with h = 1e-30, exact
    to rounding.

    `vector_field` must be analytic, without absolute values and conjugates, and accept
    complex arrays with leading dimensions, (..., P): all columns come from one call.
    """

    def jacobian(x: Array) -> Array:
        return np.asarray(vector_field(x + 1e-30j * np.eye(len(x))).imag.T / 1e-30)

    return jacobian
