"""Matrices of low rank, and what is observed of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ibcore.validation import InvalidInput, positive_integer


def gaussian_product(size: int, rank: int, generator: Generator) -> Tensor:
    """A B^T with standard Gaussian A, B (size, rank): (size, size), entries of variance
    `rank`; float64.
    """
    left, right = (
        torch.randn(
            positive_integer("size", size),
            positive_integer("rank", rank),
            generator=generator,
            dtype=torch.float64,
        )
        for _ in range(2)
    )
    return left @ right.mT


def revealed_entries(
    size: int, share: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Rows and columns of round(share size^2) different entries of a (size, size)
    matrix, each (n,).
    """
    count = round(share * size**2)
    if not 0 < count <= size**2:
        raise InvalidInput(
            f"share is {share!r}, expected a number above 0 and at most 1 that leaves "
            "an entry."
        )
    places = torch.randperm(size**2, generator=generator)[:count].sort().values
    return places // size, places % size


def semidefinite(
    size: int, eigenvalues: Sequence[float], generator: Generator
) -> Tensor:
    """Q diag(eigenvalues) Q^T with a uniformly random orthonormal Q (size, r): (size,
    size), float64.
    """
    frame = random_orthogonal(size, generator)[:, : len(eigenvalues)]
    return frame * torch.tensor(list(eigenvalues), dtype=torch.float64) @ frame.mT


def random_orthogonal(size: int, generator: Generator) -> Tensor:
    """A uniformly random orthogonal matrix (size, size), float64."""
    square = torch.randn(
        positive_integer("size", size), size, generator=generator, dtype=torch.float64
    )
    frame, triangle = torch.linalg.qr(square)
    return frame * triangle.diagonal().sign()


def gaussian_matrices(
    count: int, size: int, generator: Generator, *, symmetric: bool = False
) -> Tensor:
    """`count` matrices with standard Gaussian entries, or their symmetric parts:
    (count, size, size), float64.
    """
    shape = (positive_integer("count", count), positive_integer("size", size), size)
    matrices = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (matrices + matrices.mT) / 2 if symmetric else matrices
