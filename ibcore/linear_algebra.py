"""Linear algebra on batches in which one member may break down: its result is NaN, and
the others keep theirs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """X with `matrix` X = `right`, (B, n, n) and (B, n, k); NaN for members whose
    matrix is singular.
    """
    solution, info = torch.linalg.solve_ex(matrix, right)
    return _without(solution, info != 0)


def symmetric_eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (B, n), rising, and vectors (B, n, n) of `matrix` (B, n, n); NaN for
    members without a result.

    These are members with an entry that is not finite and those on which the iteration
    does not converge.
    """
    bad = ~torch.isfinite(matrix).flatten(1).all(-1)
    if bool(bad.any()):
        matrix = torch.where(bad[:, None, None], torch.zeros_like(matrix), matrix)
    try:
        values, basis = torch.linalg.eigh(matrix)
    except torch.linalg.LinAlgError:
        parts = [_one_eigen(member) for member in matrix]
        values, basis = (torch.stack(part) for part in zip(*parts, strict=True))
    return _without(values, bad), _without(basis, bad)


def _one_eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    try:
        values, basis = torch.linalg.eigh(matrix)
    except torch.linalg.LinAlgError:
        return torch.full_like(matrix[0], math.nan), torch.full_like(matrix, math.nan)
    return values, basis


def _without(result: Tensor, bad: Tensor) -> Tensor:
    """`result` (B, ...) with NaN for the members `bad` (B,)."""
    if not bool(bad.any()):
        return result
    return result.masked_fill(bad.view(-1, *[1] * (result.ndim - 1)), math.nan)
