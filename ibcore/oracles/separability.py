"""Which part of a data set can be separated, and where gradient descent goes on the
rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import scipy.special
import torch
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular
from torch import Tensor

from ibcore.oracles import programs
from ibcore.oracles.active_set import EPS, Array
from ibcore.oracles.newton import lowering, newton
from ibcore.oracles.separation import balanced, factors_to_unit_size, separate, whitened
from ibcore.threads import threads
from ibcore.validation import InvalidInput, NotSeparable, binary_data

_DEPENDENT = 1e-12
_FLOOR = 1e-12  # relative residual from which on rounding decides
_STATIONARY = 1e-6  # gradient of the mean loss at its minimizer, over the mean of the gradients' lengths
_ALL_ZERO = "every row of X is zero; no direction can tell the labels apart."
_UNRESOLVED = (
    "whether X, y are linearly separable is not resolved in double precision: rounding "
    "the data decides it. Give columns as differences from a value of their own (years "
    "since 2000 instead of years), or remove nearly contradictory points."
)


@dataclass(frozen=True)
class SeparablePart:
    """The largest part that one direction puts strictly on its correct side while it
    misclassifies no point.

    separable: (n,) booleans.      direction: (d,) with y_i w.x_i >= 1 on that part and
    0 on the rest.
    """

    separable: Tensor
    direction: Tensor


@dataclass(frozen=True)
class NonseparableLimit:
    """Where gradient descent on the logistic loss goes (Ji and Telgarsky 2019).

    separable: (n,) booleans.      basis: (d, k) orthonormal, of the span of the other
    points.
    minimizer: (d,) the unique minimizer of the mean loss of the other points within
    that span.
    gradient_norm: of that mean loss at the minimizer, its certificate.
    """

    separable: Tensor
    basis: Tensor
    minimizer: Tensor
    gradient_norm: float


@threads()
def is_separable(X: object, y: object) -> bool:
    """Whether y_i w.x_i > 0 for all i and some w: said with a direction that was
    checked, or with a certificate.

    The answer does not depend on the units of columns, nor on positive factors of rows,
    except that data which are contradictory only as long as their entries are not
    rounded anew may become unresolved. Raises `InvalidInput` for malformed data, and
    where double precision tells neither.
    """
    found = separate(_signed(X, y))
    if found.direction is None and found.weights is None:
        raise InvalidInput(_UNRESOLVED)
    return found.direction is not None


def separating_direction(
    signed: Array,
    failure: str = "X, y are not linearly separable through the origin",
    remedy: str = "Append a column of ones for a bias if there is none, remove those "
    "points, or use ibcore.oracles.separability.nonseparable_limit.",
) -> Array:
    """w (d,) with A w > 0 for the rows y_i x_i of A = `signed` (n, d), beyond rounding.

    Raises `NotSeparable` with `failure` and `remedy` only if a certificate says that
    there is none, and `InvalidInput` where double precision tells neither.
    """
    if not signed.any():
        raise InvalidInput(_ALL_ZERO)
    found = separate(signed)
    if found.direction is not None:
        return found.direction
    if found.weights is None:
        raise InvalidInput(_UNRESOLVED)
    try:
        count = len(signed) - int(_part(signed)[0].sum())
    except InvalidInput:
        count = int((found.weights > 0).sum())
    raise NotSeparable(
        f"{failure}: {count} of {len(signed)} points lie on no strictly correct side "
        "(nonnegative weights combine their rows to zero within "
        f"{found.residual:.0e}). {remedy}"
    )


@threads()
def separable_part(X: object, y: object) -> SeparablePart:
    """One linear program, max sum z subject to y_i w.x_i >= z_i and 0 <= z_i <= 1: z_i
    is 1 on the part, 0 off it.

    The part does not depend on the units of columns, nor on positive factors of rows.
    It is certified by weights l > 0 of the other rows with A^T l = 0. Raises
    `InvalidInput` for malformed data, and where double precision does not tell the
    parts apart.
    """
    signed = _signed(X, y)
    if not signed.any():
        raise InvalidInput(_ALL_ZERO)
    w = separate(signed).direction
    part = np.ones(len(signed), dtype=bool)
    if w is None:
        part, w = _part(signed)
    lowest = (signed[part] @ w).min(initial=np.inf)
    return SeparablePart(
        torch.from_numpy(part), torch.from_numpy(w / lowest if part.any() else w)
    )


def _part(signed: Array) -> tuple[NDArray[np.bool_], Array]:
    """The separable part (n,) of inseparable rows, not all zero, and a direction (d,),
    zero on the other rows.
    """
    part, used = np.zeros(len(signed), dtype=bool), signed.any(1)
    B, _, columns = balanced(signed[used])
    white = whitened(B)
    v, z = cp.Variable(white.rows.shape[1]), cp.Variable(len(white.rows))
    ahead = white.rows @ v >= z
    problem = cp.Problem(cp.Maximize(cp.sum(z)), [ahead, z >= 0, z <= 1])
    programs.highs(problem)
    if z.value is None or v.value is None or ahead.dual_value is None:
        raise InvalidInput(_UNRESOLVED)
    good = np.asarray(z.value) > 0.5
    rest, direction = white.rows[~good], np.asarray(v.value)
    weights = np.asarray(ahead.dual_value)[~good]
    if len(rest):
        direction = direction - _lstsq(rest, rest @ direction)
        weights = weights - _lstsq(rest.T, rest.T @ weights)
    heights = white.rows[good] @ direction
    rounding = 1e3 * EPS * np.linalg.norm(direction)
    if (
        (len(rest) == 0 and used.all())
        or heights.min(initial=np.inf) <= rounding
        or weights.min(initial=1.0) <= 0
    ):
        raise InvalidInput(_UNRESOLVED)
    part[used] = good
    return part, columns * white.direction(direction)


def _lstsq(matrix: Array, target: Array) -> Array:
    return np.linalg.lstsq(matrix, target, rcond=_DEPENDENT)[0].astype(float)


@threads()
def nonseparable_limit(X: object, y: object) -> NonseparableLimit:
    """The split of the data and, by Newton's method, the finite part of the limit.

    Factors of columns scale the minimizer inversely where the other points span the
    whole space, a common factor does always. Raises `InvalidInput` as `separable_part`
    does, and where Newton's method does not reach the minimizer.
    """
    signed = _signed(X, y)
    separable = separable_part(X, y).separable
    rest = signed[~separable.numpy()]
    d = signed.shape[1]
    if not rest.any():
        empty = torch.zeros(d, dtype=torch.float64)
        return NonseparableLimit(separable, empty[:, None][:, :0], empty, 0.0)
    scales = factors_to_unit_size(np.abs(rest).max(0))
    q, r, order = qr(rest * scales, mode="economic", pivoting=True)
    diagonal = np.abs(r.diagonal())
    rank = int((diagonal > EPS * max(rest.shape) * diagonal[0]).sum())
    coordinates = _newton(q[:, :rank])
    w = np.zeros(d)
    w[order[:rank]] = solve_triangular(r[:rank, :rank], coordinates)
    w, basis = w * scales, np.eye(d)
    if rank < d:
        span = np.zeros((d, rank))
        span[order] = r[:rank].T
        basis = qr(span / scales[:, None], mode="economic", pivoting=True)[0]
        w = basis @ (basis.T @ w)
    slopes = scipy.special.expit(-rest @ w)
    left = np.linalg.norm(rest.T @ slopes)
    if not left <= _STATIONARY * (np.linalg.norm(rest, axis=1) @ slopes):
        raise InvalidInput(_UNRESOLVED)
    return NonseparableLimit(
        separable,
        torch.from_numpy(np.ascontiguousarray(basis)),
        torch.from_numpy(w),
        float(left / len(rest)),
    )


@threads()
def minimizer_drift(
    X: object, y: object, limit: NonseparableLimit, dual: Tensor
) -> Tensor:
    """The vector c (d,) in the span with which gradient flow on the mean loss
    approaches it: minimizer + c / t.

    dual: (n_separable,), dual variables of the separable points' max-margin program off
    the span. Late in training these points push with shares dual_i / t, and c balances
    their push inside the span against the Hessian of the mean loss at the minimizer
    (derived on the page on logistic regression).
    """
    inputs, labels = binary_data(X, y)
    signed = (labels[:, None] * inputs).detach().cpu().double()
    rest, basis = signed[~limit.separable] @ limit.basis, limit.basis
    slopes = torch.sigmoid(-rest @ (basis.T @ limit.minimizer))
    root = (slopes * (1 - slopes) / len(signed)).sqrt()[:, None] * rest
    push = basis.T @ (signed[limit.separable].T @ dual)
    r = torch.linalg.qr(root).R
    half = torch.linalg.solve_triangular(r.T, push[:, None], upper=False)
    drift = torch.linalg.solve_triangular(r, half, upper=True)[:, 0]
    if not bool(torch.isfinite(drift).all()):
        raise InvalidInput(
            "the Hessian of the mean loss at the minimizer is singular in double "
            "precision. Center and scale the columns, or drop columns that depend on "
            "others."
        )
    return basis @ drift


def _newton(rows: Array) -> Array:
    """Minimizer of mean log(1 + exp(-rows @ v)) by Newton's method."""
    lengths = np.linalg.norm(rows, axis=1)

    def value(v: Array) -> float:
        return float(np.logaddexp(0, -rows @ v).mean())

    def look(v: Array) -> tuple[float, tuple[Array, Array]]:
        q = scipy.special.expit(-rows @ v)
        gradient = -rows.T @ q
        return float(np.linalg.norm(gradient) / (lengths @ q)), (q, gradient)

    def advance(v: Array, seen: tuple[Array, Array]) -> tuple[Array, float]:
        q, gradient = seen
        root = np.sqrt(q * scipy.special.expit(rows @ v))[:, None] * rows
        step = -np.linalg.lstsq(root.T @ root, gradient, rcond=None)[0]
        slope = float(gradient @ step) / len(rows)
        return step, lowering(lambda share: value(v + share * step), slope)

    return newton(np.zeros(rows.shape[1]), look, advance, floor=_FLOOR).point


def _signed(X: object, y: object) -> Array:
    inputs, labels = binary_data(X, y)
    return (labels[:, None] * inputs).detach().cpu().double().numpy()
