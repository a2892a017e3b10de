"""Distances between curves that are given by points."""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.validation import InvalidInput


def distances(points: Tensor, polyline: Tensor) -> Tensor:
    """Euclidean (Frobenius) distance of each of `points` (K, ...) to the nearest
    segment of `polyline` (M, ...): (K,).

    Raises `InvalidInput` for a polyline of fewer than two points or of another shape.
    """
    if len(polyline) < 2 or polyline.shape[1:] != points.shape[1:]:
        raise InvalidInput(
            f"polyline has shape {tuple(polyline.shape)} and points "
            f"{tuple(points.shape)}; expected at least two points of the same shape."
        )
    corners, places = polyline.flatten(1), points.flatten(1)
    start, along = corners[:-1], corners.diff(dim=0)
    length = along.square().sum(-1).clamp(min=torch.finfo(points.dtype).tiny)
    onto = places @ along.mT - (start * along).sum(-1)
    share = (onto / length).clamp(0, 1)
    squares = (
        start.square().sum(-1)
        - 2 * places @ start.mT
        + share * (share * length - 2 * onto)
    )
    chosen = squares.argmin(-1)
    feet = start[chosen] + share.gather(1, chosen[:, None]) * along[chosen]
    return torch.linalg.vector_norm(places - feet, dim=-1)
