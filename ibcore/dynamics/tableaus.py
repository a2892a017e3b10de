"""Integrators as data: coefficients and orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import DOP853


@dataclass(frozen=True)
class ExplicitTableau:
    """An explicit Runge-Kutta pair: stages `a` (lower triangular), weights `b`, error
    weights `e5`, `e3`.
    """

    a: np.ndarray
    b: np.ndarray
    e5: np.ndarray
    e3: np.ndarray
    order: int


@dataclass(frozen=True)
class RosenbrockTableau:
    """A linearly implicit pair for y' = f(y) in the transformed variables of Hairer and
    Wanner.

    Stage j solves (1/(h gamma) - J) u_j = f(y + sum_i a_ji u_i) + sum_i c_ji u_i / h,
    the step is y + sum_j b_j u_j and its error estimate the last stage u_s.
    """

    gamma: float
    a: np.ndarray
    c: np.ndarray
    b: np.ndarray
    order: int


def _lower(rows: list[list[float]]) -> np.ndarray:
    size = len(rows) + 1
    matrix = np.zeros((size, size))
    for i, row in enumerate(rows, start=1):
        matrix[i, : len(row)] = row
    return matrix


# Dormand and Prince 8(5,3) as SciPy ships it (Hairer, Norsett and Wanner 1993, section
# II.5).
DORMAND_PRINCE_8 = ExplicitTableau(
    DOP853.A[:12, :12], DOP853.B, DOP853.E5, DOP853.E3, 8
)

# RODAS 4(3): L-stable, stiffly accurate (Hairer and Wanner 1996, section IV.7 and code
# RODAS).
_RODAS_LAST = [
    1.221224509226641,
    6.019134481288629,
    12.53708332932087,
    -0.6878860361058950,
]
RODAS_4 = RosenbrockTableau(
    gamma=0.25,
    a=_lower(
        [
            [1.544000000000000],
            [0.9466785280815826, 0.2557011698983284],
            [3.314825187068521, 2.896124015972201, 0.9986419139977817],
            _RODAS_LAST,
            [*_RODAS_LAST, 1.0],
        ]
    ),
    c=_lower(
        [
            [-5.668800000000000],
            [-2.430093356833875, -0.2063599157091915],
            [-0.1073529058151375, -9.594562251023355, -20.47028614809616],
            [
                7.496443313967647,
                -10.24680431464352,
                -33.99990352819905,
                11.70890893206160,
            ],
            [
                8.083246795921522,
                -7.981132988064893,
                -31.52159432874371,
                16.31930543123136,
                -6.058818238834054,
            ],
        ]
    ),
    b=np.array([*_RODAS_LAST, 1.0, 1.0]),
    order=4,
)
