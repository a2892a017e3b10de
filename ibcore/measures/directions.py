"""Angles and margins of directions."""

from __future__ import annotations

import torch
from torch import Tensor


def sin_angle(vectors: Tensor, reference: Tensor) -> Tensor:
    """Sine of the angle between each of `vectors` (..., P) and `reference` (P,) or
    (..., P).

    Computed as a distance between unit vectors, which keeps relative precision near
    zero angle where 1 - cos^2 has lost every digit. An angle above 90 degrees gives 1 +
    |cos|, so that an opposite direction never looks aligned. The result has the shape
    (...); it is NaN for a vector without direction.

    >>> import torch
    >>> from ibcore import sin_angle
    >>> round(sin_angle(torch.tensor([3.0, 4.0]), torch.tensor([1.0, 0.0])).item(), 6)
    0.8
    """
    unit = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    axis = reference.to(unit)
    axis = axis / torch.linalg.vector_norm(axis, dim=-1, keepdim=True)
    cosine = (unit * axis).sum(-1, keepdim=True)
    sine = torch.linalg.vector_norm(unit - cosine * axis, dim=-1)
    return torch.where(cosine[..., 0] >= 0, sine, 1 - cosine[..., 0])


def margin(vectors: Tensor, signed_inputs: Tensor) -> Tensor:
    """Smallest margin min_i y_i x_i.w / |w|_2 of each of `vectors` (..., P) on (n, P)
    signed inputs.
    """
    outputs = vectors @ signed_inputs.to(vectors).T
    return outputs.min(-1).values / torch.linalg.vector_norm(vectors, dim=-1)
