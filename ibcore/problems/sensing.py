"""Matrices to be recovered from linear observations <A_i, W>."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer, positive_number


@dataclass(frozen=True)
class LinearObservations:
    """Symmetric matrices A (n, d, d) and targets y_i = <A_i, W*> (n,) of a hidden
    positive semidefinite W* (d, d).
    """

    matrices: Tensor
    targets: Tensor
    truth: Tensor


def commuting_observations(
    size: int, count: int, generator: torch.Generator
) -> LinearObservations:
    """`count` matrices A_i with N(0, 1) eigenvalues in one random eigenbasis; W* = B
    B^T / d with B Gaussian (d, d).

    W* is positive definite and has another eigenbasis, of which the observations know
    nothing.
    """
    _sizes(size, count)
    basis = torch.linalg.qr(_gaussian(generator, size, size))[0]
    matrices = (basis * _gaussian(generator, count, 1, size)) @ basis.mT
    return _observed(matrices, _gaussian(generator, size, size) / size**0.5)


def gaussian_observations(
    size: int, rank: int, count: int, generator: torch.Generator
) -> LinearObservations:
    """`count` matrices A_i = (G + G^T)/2 with N(0, 1) entries of G; W* = Q Q^T, Q with
    `rank` orthonormal columns.

    With `rank` = `size` W* is B B^T / d as in `commuting_observations`. For a symmetric
    M the mean of <A_i, M>^2 is |M|_F^2, the property that restricted isometry asks of
    all M of low rank. Raises `InvalidInput` for a rank above the size.
    """
    _sizes(size, count)
    if positive_integer("rank", rank) > size:
        raise InvalidInput(f"rank is {rank}, expected at most the size {size}.")
    matrices, factor = (
        _gaussian(generator, count, size, size),
        _gaussian(generator, size, rank),
    )
    factor = torch.linalg.qr(factor)[0] if rank < size else factor / size**0.5
    return _observed((matrices + matrices.mT) / 2, factor)


@dataclass(frozen=True)
class SeenEntries:
    """A partly known matrix of `shape`: `targets` (n,) at `rows` (n,) and `columns`
    (n,).
    """

    rows: Tensor
    columns: Tensor
    targets: Tensor
    shape: tuple[int, int]


def corner_completion(ratio: float) -> SeenEntries:
    """The symmetric 4 x 4 matrix with W[0, 2] = 1, W[0, 3] = W[1, 2] = `ratio` and
    their mirror images known.

    Of its semidefinite completions of rank one the least trace is 2 + 2 ratio^2; for
    ratio > 1 one of rank two has 4 ratio, which is less (Li, Luo and Lyu 2021).
    """
    R = positive_number("ratio", ratio)
    rows, columns = torch.tensor([0, 0, 1]), torch.tensor([2, 3, 2])
    values = torch.tensor([1.0, R, R], dtype=torch.float64)
    return SeenEntries(
        torch.cat([rows, columns]),
        torch.cat([columns, rows]),
        torch.cat([values, values]),
        (4, 4),
    )


def _gaussian(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _observed(matrices: Tensor, factor: Tensor) -> LinearObservations:
    truth = factor @ factor.mT
    return LinearObservations(matrices, (matrices * truth).sum((1, 2)), truth)


def _sizes(size: int, count: int) -> None:
    positive_integer("size", size)
    positive_integer("count", count)
