"""Which interpolant a two-layer convolutional network finds: between the l1 and the l2 norm of the spectrum.

The network beta = u * v (circular convolution) has the spectrum u^ v^, frequency by frequency. Where all inputs are
even, x_j = x_(-j), their spectra are real, and gradient flow from any start minimizes

    sum_k q_k(Re beta^_k),   q_k(r) = r asinh(r / c_k) - sqrt(r^2 + c_k^2) - r asinh(r0_k / c_k),

over all d frequencies,
with c_k^2 = (|u^_k|^2 - |v^_k|^2)^2 / 4 + (Im u^_k v^_k)^2 and r0_k = Re u^_k v^_k taken at the start. The function for
one frequency is that of diagonal networks with unshared weights (Azulay et al. 2021); its use for convolutions with an
arbitrary start is derived in the book.
"""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import null_space
from torch import Tensor

from ibcore.validation import InvalidInput, real_tensor, regression_data

Array = NDArray[np.float64]
_TOLERANCES = (1e-10, 1e-9, 1e-12)
_GAP = 1e-7
_USED = 1e-5
_NEWTON_STEPS = 200


@dataclass(frozen=True)
class FourierInterpolant:
    """The solution of min |F beta|_1 s.t. X beta = y, F the unitary discrete Fourier transform, on the CPU.

    primal: beta (d,).      dual: nu (n,), with |F X^T nu|_inf <= 1.      value: |F beta|_1.
    gap: (value - nu.y) / value, a bound on the relative error.      residual: |X beta - y| / |y|.
    slack: the largest value, over all solutions of the dual program, of 1 - max |F X^T nu| over the frequencies that
    beta does not use (1 if it uses all). The excess of the network's norm falls like alpha^(2 slack) on even inputs.
    used: how many of the d frequencies beta uses.      least: size of the smallest of them over that of the largest.
    """

    primal: Tensor
    dual: Tensor
    value: float
    gap: float
    residual: float
    slack: float
    used: int
    least: float


@dataclass(frozen=True)
class EvenPotential:
    """The functions q_k of a start: c (d,) > 0 and r0 (d,) at the d frequencies; fixed (d,) is Im u^ v^, conserved."""

    c: Tensor
    r0: Tensor
    fixed: Tensor

    def slope(self, r: Tensor) -> Tensor:
        """q_k'(r_k) for r (..., d)."""
        return torch.asinh(r / self.c) - torch.asinh(self.r0 / self.c)


@dataclass(frozen=True)
class EvenInterpolant:
    """The minimizer of the potential: beta (d,), and the certificate.

    residual: |X beta - y| / |y|.      stationarity: distance of the slopes of the potential from the row space of the
    spectra of the inputs, relative to their norm.
    """

    primal: Tensor
    residual: float
    stationarity: float


def fourier_interpolant(X: object, y: object) -> FourierInterpolant:
    """Solve the second-order cone program with Clarabel; X (n, d) of full row rank and y (n,).

    Raises `InvalidInput` for malformed data, for y = 0, and where the solver finds no certified solution.
    """
    inputs, targets = regression_data(X, y)
    rows, labels = (part.detach().cpu().double().numpy() for part in (inputs, targets))
    if labels.ndim != 1 or not labels.any():
        raise InvalidInput(
            "y is zero or has several columns; expected one target a row, not all zero."
        )
    transform = np.fft.fft(np.eye(rows.shape[1]), norm="ortho")
    scale = float(np.abs(labels).max())
    beta = cp.Variable(rows.shape[1])
    constraint = rows @ beta == labels / scale
    spectrum = cp.vstack([transform.real @ beta, transform.imag @ beta])
    problem = cp.Problem(
        cp.Minimize(cp.sum(cp.norm(spectrum, 2, axis=0))), [constraint]
    )
    for tolerance in _TOLERANCES:
        options = {f"tol_{name}": tolerance for name in ("gap_abs", "gap_rel", "feas")}
        with warnings.catch_warnings(), contextlib.suppress(cp.SolverError):
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            problem.solve(solver=cp.CLARABEL, **options)
            if beta.value is not None and constraint.dual_value is not None:
                found = _certified(
                    rows,
                    labels,
                    scale * np.asarray(beta.value),
                    -np.asarray(constraint.dual_value),
                )
                if max(abs(found.gap), found.residual) <= _GAP:
                    return found
    raise InvalidInput(
        f"the cone program did not solve (status {problem.status}): X has no full row rank, or y is not "
        f"attained. Remove repeated rows."
    )


def _certified(
    rows: np.ndarray, labels: np.ndarray, beta: np.ndarray, dual: np.ndarray
) -> FourierInterpolant:
    """Move beta onto the interpolants and scale the dual solution until it is feasible; compare the values."""
    beta = beta + np.linalg.lstsq(rows, labels - rows @ beta, rcond=None)[0]
    pull = np.abs(np.fft.fft(rows.T @ dual, norm="ortho"))
    dual, pull = dual / pull.max(), pull / pull.max()
    size = np.abs(np.fft.fft(beta, norm="ortho"))
    unused = size <= _USED * size.max()
    value = float(size.sum())
    return FourierInterpolant(
        torch.from_numpy(beta),
        torch.from_numpy(dual),
        value,
        (value - float(dual @ labels)) / value,
        float(np.linalg.norm(rows @ beta - labels) / np.linalg.norm(labels)),
        _slack(rows, beta, unused),
        int((~unused).sum()),
        float(size[~unused].min() / size.max()),
    )


def _slack(rows: np.ndarray, beta: np.ndarray, unused: np.ndarray) -> float:
    """1 - min max |F X^T nu| over unused frequencies, subject to F X^T nu being the phase of F beta on the used."""
    if not unused.any():
        return 1.0
    pulls, spectrum = np.fft.fft(rows, norm="ortho"), np.fft.fft(beta, norm="ortho")
    phases = spectrum[~unused] / np.abs(spectrum[~unused])
    used = np.concatenate([pulls[:, ~unused].real, pulls[:, ~unused].imag], 1).T
    fixed = np.linalg.lstsq(
        used, np.concatenate([phases.real, phases.imag]), rcond=None
    )[0]
    free = null_space(used, rcond=1e-10)
    if free.shape[1] == 0:
        return 1 - float(np.abs(fixed @ pulls[:, unused]).max())
    move = cp.Variable(free.shape[1])
    left = [
        fixed @ part + (free.T @ part).T @ move
        for part in (pulls[:, unused].real, pulls[:, unused].imag)
    ]
    worst = cp.norm(cp.vstack(left), 2, axis=0)
    return 1 - float(cp.Problem(cp.Minimize(cp.max(worst))).solve(solver=cp.CLARABEL))


def even_potential(u: object, v: object) -> EvenPotential:
    """The functions q_k of the layers u, v (d,) at the start.

    Raises `InvalidInput` where some c_k is zero: that frequency could not change its sign, and where u^_k = v^_k = 0
    it never moves.
    """
    first, second = (
        torch.fft.fft(real_tensor(name, part, ndim=1).detach().cpu().double())
        for name, part in (("u", u), ("v", v))
    )
    if first.shape != second.shape:
        raise InvalidInput(
            f"u has {len(first)} entries and v {len(second)}; expected the same number."
        )
    product = first * second
    c = torch.hypot((first.abs().square() - second.abs().square()) / 2, product.imag)
    if not bool((c > 0).all()):
        raise InvalidInput(
            f"frequency {int(c.argmin())} starts balanced, |u^| = |v^| with a real product, and cannot "
            f"change its sign; start from layers of different sizes."
        )
    return EvenPotential(c, product.real, product.imag)


def even_interpolant(X: object, y: object, potential: EvenPotential) -> EvenInterpolant:
    """Minimize sum_k q_k(Re beta^_k) s.t. X beta = y for even inputs X (n, d), by Newton's method on the dual.

    The minimizer has Re beta^_k = c_k sinh(asinh(r0_k / c_k) + (A^T nu)_k) with A = X^ / d, and keeps Im beta^_k.
    Raises `InvalidInput` for inputs that are not even, linearly dependent rows, or labels it cannot reach.
    """
    inputs, targets = regression_data(X, y)
    rows, labels = inputs.detach().cpu().double(), targets.detach().cpu().double()
    spectra = torch.fft.fft(rows)
    if rows.shape[1] != len(potential.c):
        raise InvalidInput(
            f"X has {rows.shape[1]} columns, the potential {len(potential.c)} frequencies."
        )
    if float(spectra.imag.abs().max()) > 1e-10 * float(spectra.abs().max()):
        raise InvalidInput(
            "X has rows that are not even, x_j = x_(-j mod d). For other inputs no potential is known: "
            "take the even part, (x_j + x_(-j)) / 2."
        )
    A, c = (spectra.real / rows.shape[1]).numpy(), potential.c.numpy()
    offset = np.arcsinh(potential.r0.numpy() / c)
    r = torch.from_numpy(c * np.sinh(offset + _dual(A, labels.numpy(), c, offset) @ A))
    primal = torch.fft.ifft(torch.complex(r, potential.fixed)).real
    slopes = potential.slope(r)
    row_space = torch.linalg.lstsq(torch.from_numpy(A).T, slopes[:, None]).solution[
        :, 0
    ] @ torch.from_numpy(A)
    return EvenInterpolant(
        primal,
        float((rows @ primal - labels).norm() / labels.norm()),
        float((slopes - row_space).norm() / slopes.norm()),
    )


def _dual(A: Array, y: Array, c: Array, offset: Array) -> Array:
    """Newton's method for A c sinh(offset + A^T nu) = y.

    Its steps change no argument by more than 2.
    """
    nu, size = np.zeros(len(y)), np.abs(y).max()
    best, missing = nu, np.inf
    for _ in range(_NEWTON_STEPS):
        pull = offset + nu @ A
        rest = y - A @ (c * np.sinh(pull))
        if np.abs(rest).max() < missing:
            best, missing = nu, float(np.abs(rest).max())
        elif missing <= 1e-12 * size:
            return best
        R = np.linalg.qr((A * np.sqrt(c * np.cosh(pull))).T).R
        step = np.linalg.solve(R, np.linalg.solve(R.T, rest))
        nu = nu + step / max(1.0, np.abs(step @ A).max() / 2)
    raise InvalidInput(
        f"Newton's method leaves {missing / size:.0e} of y: X has no "
        f"full row rank, or the start is too small for doubles."
    )


def radial_stationarity(X: object, beta: object, c: float) -> float:
    """What beta (d,) misses to minimize sum_k q(|beta^_k|), q' = asinh(./c), among predictors with its outputs.

    The gradient at frequency k is asinh(|beta^_k| / c) in the phase of beta^_k; returned is its distance from the row
    space of the spectra of X (n, d), relative to its norm. For even data and layers u = alpha e_0, v = 0 it is zero for
    c = alpha^2 / 2; where spectra are complex this would be the natural generalization, and it is false.
    """
    spectrum = torch.fft.fft(real_tensor("beta", beta, ndim=1).detach().cpu().double())
    rows = torch.view_as_real(
        torch.fft.fft(real_tensor("X", X, ndim=2).detach().cpu().double())
    ).flatten(1)
    gradient = torch.view_as_real(
        torch.sgn(spectrum) * torch.asinh(spectrum.abs() / c)
    ).flatten()
    fitted = rows.T @ torch.linalg.lstsq(rows.T, gradient[:, None]).solution[:, 0]
    return float((gradient - fitted).norm() / gradient.norm())
