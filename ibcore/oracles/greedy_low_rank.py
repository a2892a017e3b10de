"""Greedy low-rank learning: a matrix of rank one, then two, then three, each found from
the one before.

Li, Luo and Lyu (2021): from W_0 = 0, repeat for r = 1, 2, ...: let u be the top
eigenvector of -grad f(W_(r-1)); stop where its eigenvalue is not positive; else follow
gradient flow on U in R^(d x r) for f(U U^T) from (U_(r-1), sqrt(s) u) with s -> 0 to
its limit, W_r = U U^T. Here f is the mean square loss of linear observations, the seed
is s = 1e-12, SciPy integrates the d r unknowns, and least squares takes the end of
every stage to a stationary point.

Equivariant: for a A and b y all W are multiplied by b / a. The stages run in units in
which the largest target and the first eigenvalue are 1.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares
from torch import Tensor

from ibcore.oracles.equations import failures_in_words
from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    positive_number,
    real_tensor,
)

Array = NDArray[np.float64]
_BETWEEN = 16  # points of the path for one step of the integrator
_HORIZON = 1e4
_EVALUATIONS = 200_000
_AT_REST = 1e-6  # gradient where a stage has ended
_ROUNDING = 1e-12  # of an eigenvalue, that of the first stage being 1


@dataclass(frozen=True)
class Greedy:
    """The path of greedy low-rank learning; float64, on the CPU.

    path: (K, d, d), the stages one after another, from 0.      corners: (R + 1, d, d),
    W_0 = 0, W_1, ..., W_R.
    eigenvalues: (R, d) of -grad f(W_(r-1)) before each stage, falling.      basis: (d,
    d), eigenvectors of -grad f(0) as columns in that order.      stationarity: (R,),
    |grad of f(U U^T)| at the corners.      loss: (R + 1,), f there.
    """

    path: Tensor
    corners: Tensor
    eigenvalues: Tensor
    basis: Tensor
    stationarity: Tensor
    loss: Tensor


@threads()
def greedy_low_rank(
    matrices: object, targets: object, *, rank: int, seed: float = 1e-12, order: int = 0
) -> Greedy:
    """Greedy low-rank learning for (1/n) sum_i (<A_i, W> - y_i)^2 with symmetric
    `matrices` A (n, d, d), y (n,).

    rank: the largest number of stages; fewer are done where no eigenvalue is positive
    or the loss is below 1e-20 of max y^2.   seed: s, over max y^2 / (the first
    eigenvalue), which is about the size of W_1.
    order: which eigenvector the first stage takes, 0 for the top one; any other is the
    algorithm with its rule broken. Raises `InvalidInput` for matrices that are not
    symmetric, shapes that do not match, an order that is none, or a stage that does not
    come to rest.
    """
    f = _Loss(matrices, targets)
    positive_integer("rank", rank)
    positive_number("seed", seed)
    if positive_integer("order", order, least=0) >= f.size:
        raise InvalidInput(f"order is {order}, expected one below {f.size}.")
    with failures_in_words("greedy low-rank learning"):
        return _stages(f, rank, seed, order)


def _stages(f: _Loss, rank: int, seed: float, order: int) -> Greedy:
    factor, corners, paths = (
        np.zeros((f.size, 0)),
        [np.zeros((f.size, f.size))],
        [np.zeros((1, f.size, f.size))],
    )
    spectra, stationarity, basis = [], [], np.eye(f.size)
    for stage in range(rank):
        values, vectors = np.linalg.eigh(-f.gradient(corners[-1]))
        values, vectors = values[::-1], vectors[:, ::-1]
        basis = vectors if stage == 0 else basis
        if values[0] <= _ROUNDING or f.value(corners[-1]) < 1e-20:
            break
        new = vectors[:, order if stage == 0 else 0]
        factor, path = f.grown(np.column_stack([factor, np.sqrt(seed) * new]))
        spectra.append(values)
        stationarity.append(
            float(np.linalg.norm(2 * f.gradient(factor @ factor.T) @ factor))
        )
        corners.append(factor @ factor.T)
        paths += [path, corners[-1][None]]
    losses = [f.value(corner) for corner in corners]
    size, rate = f.target / f.unit, f.target * f.unit
    return Greedy(
        *(
            torch.from_numpy(np.array(part) * factor)
            for part, factor in (
                (np.concatenate(paths), size),
                (corners, size),
                (np.reshape(spectra, (-1, f.size)), rate),
                (basis, 1.0),
                (stationarity, rate * size**0.5),
                (losses, f.target**2),
            )
        )
    )


class _Loss:
    """f(W), its gradient, and gradient flow of f(U U^T), for A / unit and y / target."""

    def __init__(self, matrices: object, targets: object) -> None:
        self.A: Array = (
            real_tensor("matrices", matrices, ndim=3).detach().cpu().double().numpy()
        )
        self.y: Array = (
            real_tensor("targets", targets, ndim=1).detach().cpu().double().numpy()
        )
        largest = np.abs(self.A).max(axis=(1, 2), keepdims=True)
        if (
            len(self.A) != len(self.y)
            or self.A.shape[1] != self.A.shape[2]
            or not (np.abs(self.A - self.A.transpose(0, 2, 1)) <= 1e-8 * largest).all()
        ):
            raise InvalidInput(
                f"matrices have shape {self.A.shape} and targets {self.y.shape}; "
                "expected one symmetric matrix a target. Replace A_i by (A_i + A_i^T) "
                "/ 2."
            )
        self.size, self.rows = self.A.shape[1], self.A.reshape(len(self.A), -1)
        self.target = float(np.abs(self.y).max()) or 1.0
        self.y = self.y / self.target
        with failures_in_words("the first eigenvalue"):
            first = np.linalg.eigvalsh(-self.gradient(np.zeros_like(self.A[0])))[-1]
        self.unit = float(first if first > 0 else np.abs(self.A).max()) or 1.0
        self.A, self.rows = self.A / self.unit, self.rows / self.unit

    def residual(self, W: Array) -> Array:
        return self.rows @ W.ravel() - self.y

    def value(self, W: Array) -> float:
        return float(np.mean(self.residual(W) ** 2))

    def gradient(self, W: Array) -> Array:
        return (2 / len(self.y) * self.residual(W) @ self.rows).reshape(
            self.size, self.size
        )

    def grown(self, factor: Array) -> tuple[Array, Array]:
        """The limit of gradient flow from `factor` (d, r), and U U^T (K, d, d) along
        the way.
        """
        shape, calls = factor.shape, itertools.count()

        def velocity(_t: float, flat: Array) -> Array:
            if next(calls) > _EVALUATIONS:
                raise FloatingPointError(
                    f"stage {shape[1]} does not come to rest; ask for fewer stages"
                )
            U = flat.reshape(shape)
            moved: Array = -2 * self.gradient(U @ U.T) @ U
            return moved.ravel()

        def at_rest(t: float, flat: Array) -> float:
            return float(np.linalg.norm(velocity(t, flat))) - 1e-6 if left[0] else 1.0

        def moving(t: float, flat: Array) -> float:
            left[0] = left[0] or float(np.linalg.norm(velocity(t, flat))) > 1e-3
            return 1.0

        left = [False]
        at_rest.terminal = True  # type: ignore[attr-defined]
        run = solve_ivp(
            velocity,
            (0, _HORIZON),
            factor.ravel(),
            method="DOP853",
            rtol=1e-8,
            atol=1e-12,
            events=[moving, at_rest],
            dense_output=True,
        )
        shares = np.arange(_BETWEEN) / _BETWEEN
        times = (run.t[:-1, None] + np.diff(run.t)[:, None] * shares).ravel()
        path = run.sol(times).T.reshape(-1, *shape)
        end = least_squares(
            lambda u: self.residual(u.reshape(shape) @ u.reshape(shape).T),
            run.y[:, -1],
            jac=lambda u: 2 * (self.A @ u.reshape(shape)).reshape(len(self.A), -1),
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
        ).x.reshape(shape)
        slope = 2 * self.gradient(end @ end.T) @ end
        if not np.linalg.norm(slope) <= _AT_REST:
            raise FloatingPointError(
                f"stage {shape[1]} ends with a gradient of "
                f"{np.linalg.norm(slope):.1g}; ask for fewer stages"
            )
        return end, np.einsum("kir,kjr->kij", path, path)
