"""Linear equations X w = y in the units in which double precision serves best, and
failures told in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ibcore.validation import InvalidInput, regression_data

Array = NDArray[np.float64]
_UNEVEN = (
    1e-5  # entry beside the largest of its row, below which columns are scaled too
)
_ROUNDS = 6
_LIKE = 1e-3  # size of a column beside the largest from which on it need not be scaled
_CONSISTENT = 1e-9  # relative size below which what no w fits counts as rounding


@contextmanager
def failures_in_words(what: str) -> Iterator[None]:
    """Raises `InvalidInput` in place of an error of linear algebra or of an iteration;
    also a decorator.
    """
    try:
        yield
    except (np.linalg.LinAlgError, FloatingPointError, RuntimeError) as error:
        raise InvalidInput(
            f"double precision does not resolve {what} ({error}). Bring the columns of "
            "the data to comparable units, or remove what is nearly dependent."
        ) from error


def within(bar: float, *measures: float) -> bool:
    """Whether every measure is at most `bar`; NaN is not."""
    return all(measure <= bar for measure in measures)


def power_of_two(size: float) -> float:
    """The power of two next above `size`, by which division is exact; 1 for 0."""
    return float(np.ldexp(1.0, min(int(np.frexp(size)[1]), 1023))) if size > 0 else 1.0


def powers_of_two(values: Array, axis: int) -> Array:
    """`power_of_two` of the largest absolute value along `axis`."""
    largest = np.abs(values).max(axis=axis, initial=0.0)
    powers = np.ldexp(1.0, np.minimum(np.frexp(largest)[1], 1023))
    return np.asarray(np.where(largest > 0, powers, 1.0), dtype=np.float64)


@dataclass(frozen=True)
class Equations:
    """X w = y with each equation divided by a power of two, and y by one more, to
    entries of size one.

    Where single columns are in other units, the entries are so once the columns are
    scaled too.
    rows: (n, d).   targets: (n,).   lengths: (n,), what the equations were divided by.
    size: by which y was. w solves these where `size` w solves the given ones; X^T nu is
    that of the given ones for nu / `lengths`.
    """

    rows: Array
    targets: Array
    lengths: Array
    size: float

    def given(self, nu: Array) -> Array:
        """The multipliers of the given equations with the same X^T nu."""
        return np.asarray(nu / self.lengths)


def equations(X: object, y: object) -> Equations:
    """X (n, d) and y (n,) as `Equations`.

    Raises `InvalidInput` for malformed data or several columns of y.
    """
    rows, targets = single_targets(X, y)
    return scaled_equations(rows, targets)


def scaled_equations(rows: Array, targets: Array) -> Equations:
    """`equations` for arrays that are known to be well formed."""
    lengths = _lengths(rows)
    right = targets / lengths
    size = power_of_two(float(np.abs(right).max()))
    return Equations(rows / lengths[:, None], right / size, lengths, size)


def _lengths(rows: Array) -> Array:
    """Powers of two by which rows are divided so that columns can be scaled to entries
    of size one with them.
    """
    lengths = powers_of_two(rows, axis=1)
    even = np.abs(rows / lengths[:, None])
    nonzero = even > 0
    if even.min(where=nonzero, initial=1.0) > _UNEVEN:
        return lengths
    logs = np.log2(even, where=nonzero, out=np.zeros_like(even))
    shift, columns = np.zeros(len(rows)), np.zeros(rows.shape[1])
    for _ in range(_ROUNDS):  # geometric means of what is not zero, in turn
        columns = _mean(logs - shift[:, None], nonzero, axis=0)
        shift = _mean(logs - columns, nonzero, axis=1)
    return lengths * np.exp2(np.round(shift))


def _mean(logs: Array, counted: NDArray[np.bool_], axis: int) -> Array:
    totals = np.where(counted, logs, 0.0).sum(axis=axis)
    return np.asarray(totals / np.maximum(counted.sum(axis=axis), 1))


def backward_error(rows: Array, targets: Array, w: Array) -> float:
    """The largest |X w - y|_i / (|X| |w| + |y|)_i, which no units of rows or columns
    change.
    """
    missed, size = (
        np.abs(rows @ w - targets),
        np.abs(rows) @ np.abs(w) + np.abs(targets),
    )
    return float((missed / np.where(size > 0, size, 1.0)).max())


def single_targets(X: object, y: object) -> tuple[Array, Array]:
    """X (n, d) and y (n,) in float64 on the CPU; y of another shape is refused."""
    rows, targets = (
        part.detach().cpu().double().numpy() for part in regression_data(X, y)
    )
    if targets.ndim != 1:
        raise InvalidInput(
            f"y has shape {targets.shape}, expected ({len(rows)},), one target a row. "
            "Pass one column at a time, such as y[:, 0]."
        )
    return rows, targets


def independent_rows(rows: Array) -> bool:
    """Whether the rows (n, d) are linearly independent, judged with rows and columns of
    size 1.
    """
    even = rows / powers_of_two(rows, axis=1)[:, None]
    even = even / powers_of_two(even, axis=0)
    return len(rows) <= rows.shape[1] and bool(
        np.linalg.matrix_rank(even / powers_of_two(even, axis=1)[:, None]) == len(rows)
    )


def refuse_dependent_rows(rows: Array) -> None:
    """Raises `InvalidInput` where the rows (n, d) are linearly dependent."""
    if not independent_rows(rows):
        raise InvalidInput(
            "the rows of X are linearly dependent. Remove the rows that the others "
            "determine."
        )


@dataclass(frozen=True)
class Independent:
    """r independent equations with the solutions of n that may depend on one another.

    rows: (r, d).   targets: (r,).   back: (n, r), nu = back @ (dual of these); the
    identity where all are independent.
    columns: (d,), powers of two, the sizes of the columns of `rows`, or 1 where those
    differ little.
    """

    rows: Array
    targets: Array
    back: Array
    columns: Array


def independent(system: Equations) -> Independent:
    """Equations without those that others imply.

    Raises `InvalidInput` where the equations contradict one another: then r = y - X X^+
    y has X^T r = 0 and r.y > 0, which no solution allows.
    """
    columns = powers_of_two(system.rows, axis=0)
    columns = np.ones_like(columns) if columns.min() > _LIKE else columns
    even = system.rows / columns
    left, values, _ = np.linalg.svd(even, full_matrices=False)
    rank = int((values > values[0] * max(even.shape) * np.finfo(float).eps).sum())
    if rank == len(even):
        return Independent(system.rows, system.targets, np.eye(len(even)), columns)
    frame = left[:, :rank]
    outside = system.targets - frame @ (frame.T @ system.targets)
    if np.linalg.norm(outside) > _CONSISTENT * np.linalg.norm(system.targets):
        raise InvalidInput(
            f"X w = y has no solution: {len(even)} rows of rank {rank} leave "
            f"{np.linalg.norm(outside) / np.linalg.norm(system.targets):.1g} of y "
            "unfitted. Remove contradictory rows."
        )
    return Independent(frame.T @ system.rows, frame.T @ system.targets, frame, columns)
