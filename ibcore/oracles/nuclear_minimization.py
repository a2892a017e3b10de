"""The matrix of least nuclear norm that fits linear observations, certified by a dual
solution.

    min |W|_*  subject to  <A_i, W> = y_i        with the dual     max y.nu  subject to
    |sum_i nu_i A_i|_2 <= 1,

and, for positive semidefinite W, where the nuclear norm is the trace,

    min tr W  subject to  <A_i, W> = y_i, W >= 0   with the dual     max y.nu  subject
    to  sum_i nu_i A_i <= I

(Fazel 2002; Recht, Fazel and Parrilo 2010). `nuclear_program` hands the program as it
stands to a conic solver. `minimum_nuclear_norm` and `nuclear_completion` follow the
central path of the dual by Newton's method: some forty linear systems of n unknowns, to
a relative gap of 1e-10 (at worst some 1e-9, where the dual solution is far from
unique). SCS stops near 1e-5 at its default settings.

Equivariant: for a A and b y the minimizer is W b / a and the dual nu / a; each
observation may be multiplied by a number, and W by rotations from both sides. The
programs are solved for A_i of size one and y of size one.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import cvxpy as cp
import numpy as np
import torch
from torch import Tensor

from ibcore.oracles.central_path import TINY, Array, line_search, newton_step
from ibcore.oracles.dual_barriers import (
    DensePlaces,
    EntryPlaces,
    Places,
    Semidefinite,
    Spectral,
)
from ibcore.oracles.equations import (
    Equations,
    failures_in_words,
    independent_rows,
    power_of_two,
    scaled_equations,
    within,
)
from ibcore.threads import threads
from ibcore.validation import InvalidInput, positive_number, real_tensor

_SHRINK = 0.05  # of the barrier's weight once the point is near the central path
_NEAR = 1.0  # Newton decrement that counts as near
_LIMIT = 200
_GAP, _ROUGH = (
    1e-7,
    1e-2,
)  # above which a solution counts as none: of Newton's method, of a conic solver


@dataclass(frozen=True)
class NuclearMinimum:
    """A matrix that fits the observations, with bounds on the least nuclear norm from
    both sides; float64, CPU.

    matrix: W (p, q).      dual: nu (n,), scaled to be feasible.      value: |W|_*, an
    upper bound; y.nu is the lower.
    gap: (value - y.nu) / value.      residual: |A(W) - y| / |y|.
    violation: how far W is from the cone, -(least eigenvalue)/(largest), for
    semidefinite problems; else 0.
    iterations: linear systems solved; 0 where a conic solver did the work.
    """

    matrix: Tensor
    dual: Tensor
    value: float
    gap: float
    residual: float
    violation: float
    iterations: int


@threads()
def minimum_nuclear_norm(
    matrices: object,
    targets: object,
    *,
    semidefinite: bool = False,
    tolerance: float = 1e-10,
) -> NuclearMinimum:
    """The least nuclear norm of W with <A_i, W> = y_i for `matrices` A (n, p, q) and
    `targets` y (n,).

    semidefinite: among symmetric W >= 0 only (A_i is replaced by its symmetric part);
    some positive definite W must fit. tolerance: relative gap at which to stop; the
    result says which gap was reached. Raises `InvalidInput` for shapes that do not
    match, linearly dependent matrices, targets that are all zero, a semidefinite
    problem that no positive definite matrix fits, and where the gap stays above 1e-7
    and `tolerance`.
    """
    A, system = _dense(matrices, targets, semidefinite=semidefinite)
    with failures_in_words("the least nuclear norm"):
        found = _solve(
            DensePlaces(A),
            system.targets,
            semidefinite=semidefinite,
            tolerance=tolerance,
        )
    return _in_units(found, system.lengths, system.size)


@threads()
def nuclear_completion(
    rows: object,
    columns: object,
    targets: object,
    shape: tuple[int, int],
    *,
    tolerance: float = 1e-10,
) -> NuclearMinimum:
    """The least nuclear norm of W (p, q) = `shape` with the entries W[rows_i,
    columns_i] = y_i; rows, columns and targets y are (n,) (Fazel 2002).

    tolerance: relative gap at which to stop; the result says which gap was reached.

    Raises `InvalidInput` for indices outside the shape or repeated, targets that are
    all zero, and where the gap stays above 1e-7 and `tolerance`.

    Of the matrices with rows (1, 2) and (2, x) the one with x = 1 is least:

    >>> from ibcore import nuclear_completion
    >>> best = nuclear_completion([0, 0, 1], [0, 1, 0], [1.0, 2.0, 2.0], (2, 2))
    >>> round(best.value, 8), best.gap < 1e-9  # its eigenvalues are 3 and -1
    (4.0, True)
    """
    y = _targets(targets)
    index = [torch.as_tensor(part).detach().cpu().numpy() for part in (rows, columns)]
    for name, part, size in zip(("rows", "columns"), index, shape, strict=True):
        if (
            part.shape != y.shape
            or part.dtype.kind not in "iu"
            or part.min() < 0
            or part.max() >= size
        ):
            raise InvalidInput(
                f"{name} must be {len(y)} integers from 0 to {size - 1}, one for each "
                "target."
            )
    if len(np.unique(index[0] * shape[1] + index[1])) < len(y):
        raise InvalidInput("an entry is observed twice. Keep each entry once.")
    unit = power_of_two(float(np.abs(y).max()))
    with failures_in_words("the least nuclear norm"):
        found = _solve(
            EntryPlaces(index[0], index[1], shape),
            y / unit,
            semidefinite=False,
            tolerance=tolerance,
        )
    return _in_units(found, np.ones(len(y)), unit)


@threads()
def nuclear_program(
    matrices: object,
    targets: object,
    *,
    semidefinite: bool = False,
    solver: str = "CLARABEL",
    **settings: Any,
) -> NuclearMinimum:
    """The same minimum from a conic solver of CVXPY, with the same certificate;
    `settings` are the solver's.

    The solver's W is moved to the nearest matrix that fits the observations, and its
    dual variables are scaled to be feasible, so `gap` is what the solver really
    reached: about 1e-8 for Clarabel and 1e-5 for SCS by default. Raises `InvalidInput`
    as `minimum_nuclear_norm` does, and where not even two digits are certified.
    """
    A, system = _dense(matrices, targets, semidefinite=semidefinite)
    y = system.targets
    W = cp.Variable(A.shape[1:], PSD=semidefinite)
    constraint = A.reshape(len(y), -1) @ cp.vec(W, order="C") == y
    problem = cp.Problem(
        cp.Minimize(cp.trace(W) if semidefinite else cp.normNuc(W)), [constraint]
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of an inaccurate solution; the certificate says how inaccurate
            problem.solve(solver=solver, **settings)
    except cp.SolverError as error:
        raise InvalidInput(
            f"{solver} did not solve the program ({error}). Take another solver."
        ) from error
    if W.value is None or constraint.dual_value is None:
        raise InvalidInput(
            f"{solver} found no solution; it ended with the status '{problem.status}'. "
            "Check that some matrix fits the observations, or take another solver."
        )
    with failures_in_words("the least nuclear norm"):
        found = _certified(
            DensePlaces(A),
            y,
            np.asarray(W.value),
            -np.asarray(constraint.dual_value),
            0,
            semidefinite=semidefinite,
        )
    _refuse_above(found, _ROUGH, f"{solver} was asked for too little, or failed")
    return _in_units(found, system.lengths, system.size)


def _in_units(found: NuclearMinimum, lengths: Array, size: float) -> NuclearMinimum:
    """The solution for the observations as they were given."""
    return replace(
        found,
        matrix=found.matrix * size,
        dual=found.dual / torch.from_numpy(lengths),
        value=found.value * size,
    )


def _refuse_above(found: NuclearMinimum, bar: float, reason: str) -> None:
    if not within(bar, found.gap, found.residual, found.violation):
        raise InvalidInput(
            f"the program was not solved to {bar:g} (gap {found.gap:.1g}, residual "
            f"{found.residual:.1g}, violation {found.violation:.1g}): {reason}. Drop "
            "observations that others nearly imply, or pass a larger tolerance."
        )


def _targets(targets: object) -> Array:
    y: Array = real_tensor("targets", targets, ndim=1).detach().cpu().double().numpy()
    if not y.any():
        raise InvalidInput(
            "targets are all zero: the minimum is W = 0. Pass observations of a matrix."
        )
    return y


def _dense(
    matrices: object, targets: object, *, semidefinite: bool
) -> tuple[Array, Equations]:
    """A (n, p, q) and y (n,) with every A_i of size one, and y, and by what they were
    divided.
    """
    A: Array = real_tensor("matrices", matrices, ndim=3).detach().cpu().double().numpy()
    y = _targets(targets)
    if len(A) != len(y):
        raise InvalidInput(
            f"matrices have shape {A.shape} and targets {y.shape}; expected one target "
            "a matrix."
        )
    if semidefinite:
        if A.shape[1] != A.shape[2]:
            raise InvalidInput(
                f"matrices have shape {A.shape}, expected squares for a semidefinite W."
            )
        A = (A + A.transpose(0, 2, 1)) / 2
    system = scaled_equations(A.reshape(len(A), -1), y)
    if not independent_rows(system.rows):
        raise InvalidInput(
            f"the {len(A)} matrices are linearly dependent. Drop those that repeat "
            "what others say."
        )
    return system.rows.reshape(A.shape), system


def _solve(
    places: Places, y: Array, *, semidefinite: bool, tolerance: float
) -> NuclearMinimum:
    """Newton's method on -y.nu / mu + barrier(nu) for falling mu, |y| = 1.

    A Newton step at nu names a matrix that fits y, feasible where the
    decrement is below 1, so that there are bounds from both sides after
    every step (the dual-scaling method of Benson, Ye and Zhang 2000). This
    is not the solution of one system, as in `ibcore.oracles.newton`: the
    target moves after nearly every step, and the gap ends the run, no residual.
    """
    stop = positive_number("tolerance", tolerance)
    size = float(np.linalg.norm(y))
    barrier = Semidefinite if semidefinite else Spectral
    dual, mu, target = np.zeros(len(y)), 1.0, y / size
    best: NuclearMinimum | None = None
    point: Spectral | Semidefinite = barrier(places, dual)
    for iteration in range(1, _LIMIT + 1):
        gradient, hessian = point.derivatives()
        gradient -= target / mu
        step = newton_step(hessian, gradient)
        if step is None:
            break
        decrement = max(0.0, -float(gradient @ step)) ** 0.5
        if not semidefinite or decrement < 1:
            found = _certified(
                places,
                y,
                size * point.primal(mu, step),
                dual,
                iteration,
                semidefinite=semidefinite,
            )
            if best is None or not best.gap <= found.gap:
                best = found
            if best.gap <= stop:
                break
        point, dual = line_search(
            places, barrier, point, dual, step, target / mu, decrement
        )
        mu *= _SHRINK if decrement < _NEAR else 1
    if best is None:
        raise InvalidInput(_unfitted(places, dual, target))
    reason = "this is what double precision resolves"
    _refuse_above(best, max(stop, _GAP), reason)
    return best


def _unfitted(places: Places, dual: Array, y: Array) -> str:
    """Why the semidefinite program has no solution: nu with sum_i nu_i A_i <= 0 and
    y.nu > 0 proves that none fits.
    """
    G = places.spread(dual / max(float(np.abs(dual).max()), TINY))
    if np.linalg.eigvalsh(G)[-1] <= 0 < float(dual @ y):
        return (
            "no semidefinite matrix fits the observations: a combination of the A_i is "
            "negative semidefinite where that of the targets is positive. Use fewer "
            "observations, or drop semidefinite=True."
        )
    return (
        "the semidefinite program has no certified solution: no positive definite "
        "matrix fits the observations, or double precision does not find it. Use fewer "
        "observations, or drop semidefinite=True."
    )


def _certified(
    places: Places,
    y: Array,
    matrix: Array,
    dual: Array,
    iterations: int,
    *,
    semidefinite: bool,
) -> NuclearMinimum:
    W, G, violation = places.fit(matrix, y), places.spread(dual), 0.0
    if semidefinite:
        W = (W + W.T) / 2
        values, value = np.linalg.eigvalsh(W), float(np.trace(W))
        violation, size = (
            max(0.0, float(-values[0] / abs(values).max())),
            float(np.linalg.eigvalsh(G)[-1]),
        )
    else:
        value, size = float(np.linalg.norm(W, "nuc")), float(np.linalg.norm(G, 2))
    feasible = dual / max(1.0, size)
    gap = abs(value - float(y @ feasible)) / max(abs(value), TINY)
    residual = float(np.linalg.norm(places.read(W) - y) / np.linalg.norm(y))
    return NuclearMinimum(
        torch.from_numpy(W),
        torch.from_numpy(feasible),
        value,
        gap,
        residual,
        violation,
        iterations,
    )
