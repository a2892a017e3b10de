"""Linear systems in rational arithmetic: what tests compare with where double precision
is in question.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np


def solve(
    A: Sequence[Sequence[float]], b: Sequence[float | Fraction]
) -> list[Fraction] | None:
    """The solution of a square system, entries taken as they are; None for a singular
    one.
    """
    n = len(A)
    M = [
        [Fraction(v) for v in row] + [Fraction(t)] for row, t in zip(A, b, strict=True)
    ]
    for c in range(n):
        pivot = next((r for r in range(c, n) if M[r][c] != 0), None)
        if pivot is None:
            return None
        M[c], M[pivot] = M[pivot], M[c]
        M[c] = [v / M[c][c] for v in M[c]]
        for r in range(n):
            if r != c and M[r][c] != 0:
                M[r] = [v - M[r][c] * w for v, w in zip(M[r], M[c], strict=True)]
    return [M[i][n] for i in range(n)]


def least_l1(X: np.ndarray, y: np.ndarray) -> float:
    """min |beta|_1 s.t. X beta = y over all basic solutions, for X (n, d) of rank n."""
    n, d = X.shape
    found = (solve(X[:, S].tolist(), y.tolist()) for S in _supports(d, n))
    return float(min(sum(map(abs, beta)) for beta in found if beta is not None))


def least_l2(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """X^T (X X^T)^{-1} y for X (n, d) of rank n."""
    rows = [[Fraction(v) for v in row] for row in X.tolist()]
    gram = [[sum(p * q for p, q in zip(a, b, strict=True)) for b in rows] for a in rows]
    nu = solve(gram, y.tolist())  # type: ignore[arg-type]
    assert nu is not None
    columns = zip(*rows, strict=True)
    return np.array(
        [
            float(sum(p * q for p, q in zip(column, nu, strict=True)))
            for column in columns
        ]
    )


def _supports(d: int, n: int) -> list[list[int]]:
    return [list(support) for support in itertools.combinations(range(d), n)]
