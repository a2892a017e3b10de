"""Whether some w has A w > 0, decided with a certificate in either case, whatever the
units of rows and columns.

By Gordan's theorem either A w > 0 for some w, or A^T l = 0 for some l >= 0 that is not
zero. Neither changes when rows or columns are multiplied by positive numbers, or when A
is multiplied from the right by an invertible matrix. The decision uses all three: rows
and columns are scaled by powers of two, which is exact, and the columns are made
orthonormal, after which neither units nor a common offset are left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular
from scipy.optimize import nnls

from ibcore.oracles.active_set import EPS, Array, Indices, shortest_vector

_PRIMES = (2147483647, 2147483629)
_ROUNDS = 16  # of means over rows and columns in turn
_LOST = (
    2.0**-80
)  # share of a column below which nothing but rounding of twice the precision is left


@dataclass(frozen=True)
class Separation:
    """One of the two alternatives, or neither where double precision does not tell.

    direction: w (d,) with A w > 0, also if the entries of A are rounded anew (exact
    arithmetic decides in doubt).
    weights: l (n,) >= 0, not all zero, within rounding of one with A^T l = 0 exactly.
    residual: max_j of |A^T l|_j / (|A|^T l)_j at the weights that are returned.
    """

    direction: Array | None
    weights: Array | None
    residual: float


@dataclass(frozen=True)
class Whitened:
    """The rows of B (n, d) in coordinates in which its columns are orthonormal, each
    divided by its length.

    rows: (n, r), of unit length.      lengths: (n,), by which they were divided.
    pivots: the r independent columns of B.      others: those that depend on them to
    rounding.
    triangle: (r, r), with B[:, pivots] = lengths[:, None] * rows @ triangle.
    """

    rows: Array
    lengths: Array
    pivots: Indices
    others: Indices
    triangle: Array

    def direction(self, v: Array) -> Array:
        """y (d,) with B y = lengths * (rows @ v)."""
        y = np.zeros(len(self.pivots) + len(self.others))
        y[self.pivots] = solve_triangular(self.triangle, v)
        return y


def factors_to_unit_size(sizes: Array) -> Array:
    """Powers of two by which `sizes` >= 0 come to lie in [1/2, 1), as far as there are
    such; 1 where they are zero.
    """
    return np.ldexp(1.0, np.where(sizes > 0, -np.frexp(sizes)[1], 0).clip(-1022, 1022))


def balanced(A: Array) -> tuple[Array, Array, Array]:
    """A with its rows and columns scaled by powers of two, and the factors of rows (n,)
    and columns (d,).
    """
    rows, columns = np.ones(len(A)), np.ones(A.shape[1])
    B = A
    for _ in range(2):
        by_column = factors_to_unit_size(np.abs(B).max(0))
        B, columns = B * by_column, columns * by_column
        by_row = factors_to_unit_size(np.abs(B).max(1))[:, None]
        B, rows = B * by_row, rows * by_row[:, 0]
    return B, rows, columns


def evened(A: Array) -> tuple[Array, Array, Array]:
    """A with its rows and columns scaled by powers of two such that the geometric means
    of what is not zero in them are about 1, and the factors of rows and columns.

    Where one entry is far larger than all others of its column and the only one of its
    row, `balanced` takes its size for the unit of the column; this does not.
    """
    nonzero = A != 0
    logs = np.log2(np.abs(A), where=nonzero, out=np.zeros_like(A))
    rows, columns = np.zeros(len(A)), np.zeros(A.shape[1])
    for _ in range(_ROUNDS):
        rows = _mean(-logs - columns, nonzero, axis=1)
        columns = _mean(-logs - rows[:, None], nonzero, axis=0)
    by_row, by_column = np.exp2(np.round(rows)), np.exp2(np.round(columns))
    return A * by_row[:, None] * by_column, by_row, by_column


def _mean(values: Array, counted: NDArray[np.bool_], axis: int) -> Array:
    """Means of what is counted, 0 where nothing is."""
    totals = np.where(counted, values, 0.0).sum(axis=axis)
    return np.asarray(totals / np.maximum(counted.sum(axis=axis), 1))


def whitened(B: Array) -> Whitened:
    """By a QR decomposition with pivoting; B has no zero row."""
    q, r, order = qr(B, mode="economic", pivoting=True)
    diagonal = np.abs(r.diagonal())
    rank = int((diagonal > EPS * max(B.shape) * diagonal[0]).sum())
    q = q[:, :rank]
    lengths = np.maximum(np.linalg.norm(q, axis=1), np.finfo(float).tiny)
    return Whitened(
        q / lengths[:, None], lengths, order[:rank], order[rank:], r[:rank, :rank]
    )


def separate(A: Array) -> Separation:
    """Decide for the rows of A (n, d), finite numbers."""
    zero = ~A.any(1)
    if zero.any():
        return Separation(None, zero.astype(float), 0.0)
    found = _separated(*balanced(A))
    if found.direction is not None or found.weights is not None:
        return found
    even, by_row, by_column = evened(A)
    B, rows, columns = balanced(even)
    return _separated(B, by_row * rows, by_column * columns)


def _separated(B: Array, rows: Array, columns: Array) -> Separation:
    """Decide for B, which is the data with rows and columns scaled by these factors."""
    white = whitened(B)
    y, weights = _decide(B, B, white, np.copy)
    if y is None and weights is None and len(white.others):
        finer, change = _without_common_part(B, white)
        y, weights = _decide(B, finer, whitened(finer), change)
    if y is not None:
        return Separation(columns * y, None, 0.0)
    if weights is None:
        return Separation(None, None, np.nan)
    pull, bulk = np.abs(B.T @ weights), np.abs(B).T @ weights
    residual = np.divide(pull, bulk, where=bulk > 0, out=np.zeros_like(bulk))
    return Separation(None, weights * rows, float(residual.max()))


def _decide(
    B: Array, C: Array, white: Whitened, change: Callable[[Array], Array]
) -> tuple[Array | None, Array | None]:
    """y with B y > 0 or weights (n,), of largest 1, that certify that there is none,
    found from C = B T.

    white: of C.      change: y -> T y.
    """
    start = opposing_weights(white.rows)
    y = change(white.direction(white.rows.T @ start))
    if _positive(B, y):
        return y, None
    found = shortest_vector(white.rows, np.ones(len(B)), start, 16 * EPS)
    y = change(white.direction(found.w))
    if _positive(B, y):
        return y, None
    if found.alternative is not None:
        weights = found.alternative / white.lengths
        weights /= weights.max()
        if _vanishes(B, C, weights):
            return None, weights
    return None, None


def _without_common_part(
    B: Array, white: Whitened
) -> tuple[Array, Callable[[Array], Array]]:
    """C = B T and T, which leaves of the dependent columns what the others do not
    explain, computed twice as precisely.

    A column that is the rounded sum of others depends on them to rounding, and yet not
    exactly.
    """
    basis, others = B[:, white.pivots], B[:, white.others]
    share: Array = np.linalg.lstsq(basis, others, rcond=None)[0].astype(float)
    left = _difference(others, basis, share)
    bulk = np.abs(others) + np.abs(basis) @ np.abs(share)
    left[:, np.abs(left).max(0) <= _LOST * bulk.max(0)] = 0
    unit = factors_to_unit_size(np.abs(left).max(0))
    C = B.copy()
    C[:, white.others] = left * unit

    def change(y: Array) -> Array:
        out = y.copy()
        out[white.others] = unit * y[white.others]
        out[white.pivots] -= share @ out[white.others]
        return out

    return C, change


def _difference(target: Array, basis: Array, share: Array) -> Array:
    """target - basis @ share with products and sums carried in two numbers each (Ogita,
    Rump and Oishi 2005).
    """
    high, low = target.copy(), np.zeros_like(target)
    for column, factors in zip(basis.T, share, strict=True):
        product, error = _two_product(-column[:, None], factors[None])
        total = high + product
        back = total - high
        low += (high - (total - back)) + (product - back) + error
        high = total
    return high + low


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded product and its rounding error (Dekker 1971)."""
    product, (a1, a2), (b1, b2) = a * b, _halves(a), _halves(b)
    return product, a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)


def _halves(a: Array) -> tuple[Array, Array]:
    large = 134217729 * a
    high = large - (large - a)
    return high, a - high


def opposing_weights(rows: Array) -> Array:
    """u >= 0 with least |A^T u|^2 + (sum u - 1)^2 (Lawson and Hanson); zeros where the
    method does not end.
    """
    system = np.vstack([rows.T, np.ones(len(rows))])
    goal = np.zeros(len(system))
    goal[-1] = 1
    try:
        return nnls(system, goal, maxiter=10 * len(rows))[0]
    except RuntimeError:
        return np.zeros(len(rows))


def _positive(B: Array, y: Array) -> bool:
    """Whether B y > 0, and stays so when every entry of B is rounded anew: B y > 4 eps
    |B| |y|.
    """
    products, bulk = B @ y, np.abs(B) @ np.abs(y)
    sure, doubt = (4 + 2 * B.shape[1]) * EPS * bulk, 2 * B.shape[1] * EPS * bulk
    if not y.any() or not np.isfinite(products).all() or (products <= -doubt).any():
        return False
    exact = [Fraction(v) for v in y.tolist()]
    return all(
        sum(Fraction(b) * v for b, v in zip(B[i].tolist(), exact, strict=True))
        > Fraction(4 * EPS * bulk[i])
        for i in np.flatnonzero(products <= sure)
    )


def _vanishes(B: Array, C: Array, weights: Array) -> bool:
    """Whether weights near these are positive on the same rows and combine those of B
    to 0 exactly; C = B T.

    Those rows must have a kernel of one dimension: exactly, which their number or their
    ranks modulo two primes tell (a full rank that is lost modulo both is as likely as
    two divisors of one number among all primes of that size), and numerically, which
    bounds the distance of its vector from `weights` by what is left over the second
    least singular value.
    """
    on = weights > 0
    rows, wanted = C[on][:, C[on].any(0)], weights[on]
    k, d = rows.shape
    values = np.linalg.svd(rows, compute_uv=False)
    gap, noise = values[min(k - 2, len(values) - 1)], k * EPS * values[0]
    left = np.linalg.norm(rows.T @ wanted) + noise * np.linalg.norm(wanted)
    if k < 2 or d < k - 1 or not left < (gap - noise) * wanted.min():
        return False
    exact = B[on]
    return k > exact.any(0).sum() or all(
        _rank_modulo(exact, prime) < k for prime in _PRIMES
    )


def _rank_modulo(rows: Array, prime: int) -> int:
    """The rank of the matrix modulo a prime below 2^31, which is at most its rank."""
    parts, exponents = np.frexp(rows)
    powers = {
        e: pow(2, int(e) - 53, prime) for e in np.unique(exponents[parts != 0]).tolist()
    }
    factors = np.vectorize(lambda e: powers.get(e, 0), otypes=[np.int64])(exponents)
    M = (np.ldexp(parts, 53).astype(np.int64) % prime) * factors % prime
    rank = 0
    for column in range(M.shape[1]):
        found = np.flatnonzero(M[rank:, column])
        if not len(found):
            continue
        M[[rank, rank + found[0]]] = M[[rank + found[0], rank]]
        M[rank] = M[rank] * pow(int(M[rank, column]), -1, prime) % prime
        below = M[rank + 1 :, column].copy()
        M[rank + 1 :] = (M[rank + 1 :] - below[:, None] * M[rank]) % prime
        rank += 1
        if rank == len(M):
            break
    return rank
