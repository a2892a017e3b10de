"""Which interpolant a two-layer convolutional network finds: between the l1 and the l2
norm of the spectrum.

The network beta = u * v (circular convolution) has the spectrum u^ v^, frequency by
frequency. Where all inputs are even, x_j = x_(-j), their spectra are real, and gradient
flow from any start with c_k > 0 minimizes

    sum_k q_k(Re beta^_k),   q_k(r) = r asinh(r / c_k) - sqrt(r^2 + c_k^2) - r
    asinh(r0_k / c_k),

over all d frequencies, with c_k^2 = (|u^_k|^2 - |v^_k|^2)^2 / 4 + (Im u^_k v^_k)^2 and
r0_k = Re u^_k v^_k taken at the start: on such inputs the network is the diagonal one
with unshared weights, u+ v+ - u- v-, of Azulay et al. (2021), here from a general start
(proved in the book).

Equivariant: for a X and b y, and layers that are multiplied by (b / a)^(1/2), beta is
multiplied by b / a; each equation may be multiplied by a number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import null_space
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.equations import (
    equations,
    failures_in_words,
    independent,
    refuse_dependent_rows,
    scaled_equations,
    within,
)
from ibcore.oracles.separable_dual import FLOOR, Sinh, dual_root
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_number, real_tensor

Array = NDArray[np.float64]
_TOLERANCES = (1e-10, 1e-9, 1e-12)
_GAP = 1e-7
_USED = 1e-5
_SOLVED = 1e-8
_EPS = float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class FourierInterpolant:
    """The solution of min |F beta|_1 s.t. X beta = y, F the unitary discrete Fourier
    transform, on the CPU.

    primal: beta (d,).      dual: nu (n,), with |F X^T nu|_inf <= 1.      value: |F
    beta|_1.
    gap: (value - nu.y) / value, a bound on the relative error.      residual: |X beta -
    y| / |y|.
    slack: the largest value, over all solutions of the dual program, of 1 - max |F X^T
    nu| over the frequencies that beta does not use (1 if it uses all). The excess of
    the network's norm falls like alpha^(2 slack) on even inputs.
    used: how many of the d frequencies beta uses.      least: size of the smallest of
    them over that of the largest.
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
    """The functions q_k of a start: c (d,) > 0 and r0 (d,) at the d frequencies; fixed
    (d,) is Im u^ v^, conserved.
    """

    c: Tensor
    r0: Tensor
    fixed: Tensor

    def slope(self, r: Tensor) -> Tensor:
        """q_k'(r_k) for r (..., d)."""
        return torch.asinh(r / self.c) - torch.asinh(self.r0 / self.c)


@dataclass(frozen=True)
class EvenInterpolant:
    """The minimizer of the potential: beta (d,), and the certificate.

    residual: |X beta - y| over the larger of |y| and |X|_F |beta|.
    stationarity: distance of the slopes of the potential from the row space of the
    spectra of the inputs, relative to their norm.
    """

    primal: Tensor
    residual: float
    stationarity: float


@threads()
def fourier_interpolant(X: object, y: object) -> FourierInterpolant:
    """Solve the second-order cone program with Clarabel; X (n, d) and y (n,).

    Raises `InvalidInput` for malformed data, for y = 0, for equations that contradict
    one another, and where the solver finds no solution certified to 1e-7.
    """
    system = equations(X, y)
    if not system.targets.any():
        raise InvalidInput("y is zero: beta = 0, whose relative gap has no meaning.")
    kept = independent(system)
    with failures_in_words("the least norm of the spectrum"):
        found = _cone_program(kept.rows, kept.targets)
    return replace(
        found,
        primal=found.primal * system.size,
        dual=torch.from_numpy(system.given(kept.back @ found.dual.numpy())),
        value=found.value * system.size,
    )


def _cone_program(rows: Array, labels: Array) -> FourierInterpolant:
    transform = np.fft.fft(np.eye(rows.shape[1]), norm="ortho")
    scale = float(np.abs(labels).max())
    beta = cp.Variable(rows.shape[1])
    constraint = rows @ beta == labels / scale
    spectrum = cp.vstack([transform.real @ beta, transform.imag @ beta])
    problem = cp.Problem(
        cp.Minimize(cp.sum(cp.norm(spectrum, 2, axis=0))), [constraint]
    )
    for tolerance in _TOLERANCES:
        programs.clarabel(problem, tolerance)
        if beta.value is not None and constraint.dual_value is not None:
            found = _certified(
                rows,
                labels,
                scale * np.asarray(beta.value),
                -np.asarray(constraint.dual_value),
            )
            if within(_GAP, abs(found.gap), found.residual):
                return found
    raise InvalidInput(
        f"the cone program was not solved to a gap and a residual of {_GAP:g} (status "
        f"{problem.status}). Remove rows that others nearly determine."
    )


def _certified(
    rows: np.ndarray, labels: np.ndarray, beta: np.ndarray, dual: np.ndarray
) -> FourierInterpolant:
    """Move beta onto the interpolants and scale the dual solution until it is feasible;
    compare the values.
    """
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
    """1 - min max |F X^T nu| over unused frequencies, subject to F X^T nu being the
    phase of F beta on the used.
    """
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
    problem = cp.Problem(
        cp.Minimize(cp.max(cp.norm(cp.vstack(left), 2, axis=0))),
    )
    if not programs.clarabel(problem):
        raise InvalidInput(
            f"the program for the slack ended with the status '{problem.status}'. "
            "Remove rows that others nearly determine."
        )
    return 1 - float(np.asarray(problem.value))


def even_potential(u: object, v: object) -> EvenPotential:
    """The functions q_k of the layers u, v (d,) at the start.

    Raises `InvalidInput` where some c_k is zero to rounding: that frequency could not
    change its sign, and where u^_k = v^_k = 0 it never moves.
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
    largest = max(float(first.abs().max()), float(second.abs().max()))
    if not bool((c > 4 * _EPS * largest**2).all()):
        raise InvalidInput(
            f"frequency {int(c.argmin())} starts balanced, |u^| = |v^| with a real "
            "product, and cannot change its sign; start from layers of different "
            "sizes."
        )
    return EvenPotential(c, product.real, product.imag)


@threads()
def even_interpolant(X: object, y: object, potential: EvenPotential) -> EvenInterpolant:
    """Minimize sum_k q_k(Re beta^_k) s.t. X beta = y for even inputs X (n, d), by
    Newton's method on the dual.

    The minimizer has Re beta^_k = c_k sinh(asinh(r0_k / c_k) + (A^T nu)_k) with A = X^
    / d, and keeps Im beta^_k. Raises `InvalidInput` for inputs that are not even,
    linearly dependent rows, or labels it cannot reach.
    """
    system = equations(X, y)
    rows, labels = torch.from_numpy(system.rows), torch.from_numpy(system.targets)
    spectra = torch.fft.fft(rows)
    if rows.shape[1] != len(potential.c):
        raise InvalidInput(
            f"X has {rows.shape[1]} columns, the potential {len(potential.c)} "
            "frequencies."
        )
    if float(spectra.imag.abs().max()) > 1e-10 * float(spectra.abs().max()):
        raise InvalidInput(
            "X has rows that are not even, x_j = x_(-j mod d). For other inputs no "
            "potential is known: take the even part, (x_j + x_(-j)) / 2."
        )
    refuse_dependent_rows(system.rows)
    A, c = (spectra.real / rows.shape[1]).numpy(), potential.c.numpy() / system.size
    offset = np.arcsinh(potential.r0.numpy() / potential.c.numpy())
    with (
        failures_in_words("the minimizer of the potential"),
        np.errstate(over="ignore", invalid="ignore"),  # in steps that are refused
    ):
        dual = _dual(A, labels.numpy(), c, offset)
    r = torch.from_numpy(c * np.sinh(offset + dual @ A)) * system.size
    primal = torch.fft.ifft(torch.complex(r, potential.fixed)).real
    slopes = potential.slope(r)
    row_space = torch.linalg.lstsq(torch.from_numpy(A).T, slopes[:, None]).solution[
        :, 0
    ] @ torch.from_numpy(A)
    fitted = primal / system.size
    size = max(float(labels.norm()), float(rows.norm() * fitted.norm()), _TINY)
    found = EvenInterpolant(
        primal,
        float((rows @ fitted - labels).norm()) / size,
        float((slopes - row_space).norm()) / max(float(slopes.norm()), _TINY),
    )
    if not within(_SOLVED, found.residual, found.stationarity):
        raise InvalidInput(
            f"Newton's method ended with a residual of {found.residual:.1g} and a "
            f"stationarity of {found.stationarity:.1g}. Take a start of larger layers."
        )
    return found


def _dual(A: Array, y: Array, c: Array, offset: Array) -> Array:
    """Newton's method for A c sinh(offset + A^T nu) = y."""
    first = np.linalg.norm(A @ (c * np.sinh(offset)))
    size = max(float(np.linalg.norm(y)), float(first))
    start = np.zeros(len(y))
    found = dual_root(A, y, Sinh(), start, scale=c, offset=offset, size=size)
    if found.residual <= FLOOR:
        return found.point
    raise InvalidInput(
        f"Newton's method leaves {found.residual:.0e} of y: the start is too small for "
        "doubles, or rows of X are nearly dependent."
    )


def radial_stationarity(X: object, beta: object, c: float) -> float:
    """What beta (d,) misses to minimize sum_k q(|beta^_k|), q' = asinh(./c), among
    predictors with its outputs.

    The gradient at frequency k is asinh(|beta^_k| / c) in the phase of beta^_k;
    returned is its distance from the row space of the spectra of X (n, d), relative to
    its norm. For even data and layers u = alpha e_0, v = 0 it is zero for c = alpha^2 /
    2; where spectra are complex this would be the natural generalization, and it is
    false.
    """
    w = real_tensor("beta", beta, ndim=1).detach().cpu().double()
    inputs = real_tensor("X", X, ndim=2).detach().cpu().double()
    if inputs.shape[1] != len(w) or not w.any():
        raise InvalidInput(
            f"X has shape {tuple(inputs.shape)} and beta {tuple(w.shape)}; expected "
            "one entry of beta a column of X, not all zero."
        )
    spectrum = torch.fft.fft(w)
    even = scaled_equations(inputs.numpy(), np.zeros(len(inputs))).rows
    rows = torch.view_as_real(torch.fft.fft(torch.from_numpy(even))).flatten(1)
    gradient = torch.view_as_real(
        torch.sgn(spectrum) * torch.asinh(spectrum.abs() / positive_number("c", c))
    ).flatten()
    fitted = rows.T @ torch.linalg.lstsq(rows.T, gradient[:, None]).solution[:, 0]
    return float((gradient - fitted).norm() / gradient.norm())
