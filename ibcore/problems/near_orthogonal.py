"""Inputs of length sqrt(d) that are nearly or exactly orthogonal, with two classes of
the same size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer


def near_orthogonal(
    seeds: Sequence[int], n: int, d: int, *, exactly: bool = False
) -> tuple[Tensor, Tensor]:
    """X (B, n, d), uniform on the sphere of radius sqrt(d), and y (B, n), every second
    point +1 and -1.

    exactly: in place of the inputs an orthogonal basis of their span, of vectors of the
    same length. Raises `InvalidInput` for an odd n, and with `exactly` for n > d.
    """
    if exactly and n > d:
        raise InvalidInput(f"n is {n}, expected at most d = {d}.")
    drawn = torch.stack(
        [
            torch.randn(
                n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
            )
            for seed in seeds
        ]
    )
    if exactly:
        drawn = torch.linalg.qr(drawn.mT).Q.mT
    X = math.sqrt(d) * drawn / torch.linalg.vector_norm(drawn, dim=-1, keepdim=True)
    return X, two_classes(len(X), n)


def in_their_span(X: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates (B, n, n) of X (B, n, d) in an orthonormal basis (B, d, n) of their
    span.
    """
    basis, coordinates = torch.linalg.qr(X.mT)
    return coordinates.mT, basis


def coordinates(seeds: Sequence[int], n: int, d: int) -> Tensor:
    """What `in_their_span` gives for uniform inputs, drawn without them, (B, n, n): d
    may be as large as one likes.

    The triangular factor of a normal matrix has independent entries, standard normal
    below the diagonal and chi with d, d - 1, ... degrees of freedom on it (Bartlett
    1934). Its rows are scaled to the length sqrt(d).
    """
    if positive_integer("n", n) > positive_integer("d", d):
        raise InvalidInput(f"n is {n}, expected at most d = {d}.")
    factors = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        factor = np.tril(rng.standard_normal((n, n)), -1)
        factors.append(factor + np.diag(np.sqrt(rng.chisquare(d - np.arange(n)))))
    rows = torch.from_numpy(np.stack(factors))
    return math.sqrt(d) * rows / torch.linalg.vector_norm(rows, dim=-1, keepdim=True)


def two_classes(members: int, n: int) -> Tensor:
    """Every second label +1 and -1, (B, n); raises `InvalidInput` for an odd n."""
    if positive_integer("n", n, least=2) % 2:
        raise InvalidInput(f"n is {n}, expected an even number.")
    return torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(members, n // 2)
