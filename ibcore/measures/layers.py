"""How the layers of a fully connected network fit together: balance, rank and
alignment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


def imbalances(layers: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """D_j = W_(j+1)^T W_(j+1) - W_j W_j^T of adjacent `layers` (..., m_j, m_(j-1)),
    each (..., m_j, m_j).

    Gradient flow on any loss of a linear network conserves every D_j (Arora, Cohen and
    Hazan 2018; Du, Hu and Lee 2018).
    """
    return tuple(
        above.mT @ above - below @ below.mT for below, above in pairwise(layers)
    )


def neuron_imbalances(
    layers: Sequence[Tensor],
    biases: Sequence[Tensor | None] = (),
    *,
    degree: float = 1.0,
) -> Tensor:
    """q |w_out|^2 - |w_in|^2 - b^2 of every hidden neuron, (..., m_1 + ... + m_(k-1)),
    layer by layer.

    layers: W_1, ..., W_k, (..., m_j, m_(j-1)).      biases: b_j (..., m_j), or None for
    a layer that has none.
    degree: q, of the homogeneous activation phi(c z) = c^q phi(z), c > 0.
    Gradient flow conserves all of them (Du, Hu and Lee 2018 for q = 1). A neuron with b
    is one that reads a constant input besides.
    """
    shifts = list(biases) or [None] * len(layers)
    gaps = []
    for (below, above), shift in zip(pairwise(layers), shifts, strict=False):
        read = below.square().sum(-1)
        read = read if shift is None else read + shift.square()
        gaps.append(degree * above.square().sum(-2) - read)
    return torch.cat(gaps, -1)


def imbalance_size(layers: Sequence[Tensor]) -> Tensor:
    """The largest spectral norm |D_j| of the imbalances, (...)."""
    return torch.stack(
        [torch.linalg.matrix_norm(gap, 2) for gap in imbalances(layers)]
    ).amax(0)


def imbalance_norm(layers: Sequence[Tensor]) -> Tensor:
    """The root of sum_j |D_j|_F^2 over the imbalances, (...)."""
    squares = [gap.square().sum((-1, -2)) for gap in imbalances(layers)]
    return torch.stack(squares).sum(0).sqrt()


def second_value_bounds(layers: Sequence[Tensor]) -> Tensor:
    """What the imbalances allow the second singular value of each hidden layer to be,
    (..., k - 1).

    For a last layer of one row, Weyl's inequality along W_j W_j^T = W_(j+1)^T W_(j+1) -
    D_j gives sigma_2(W_j)^2 <= sum_(i >= j) lambda_max(-D_i), with negative terms
    counted as zero.
    """
    tops = torch.stack(
        [
            torch.linalg.eigvalsh(-gap)[..., -1].clamp_min(0)
            for gap in imbalances(layers)
        ],
        -1,
    )
    return tops.flip(-1).cumsum(-1).flip(-1).sqrt()


def _zero_where_broken(layers: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
    """`layers` with zeros for members (...) with an entry that is not finite, and which
    they are.
    """
    whole = torch.stack([layer.isfinite().all(-1).all(-1) for layer in layers]).all(0)
    return [layer.where(whole[..., None, None], 0.0) for layer in layers], ~whole


def singular_pairs(layers: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """First and second singular value of each of `layers`, (..., k) each; the second of
    a vector is 0.

    NaN for members with an entry that is not finite.
    """
    finite, broken = _zero_where_broken(layers)
    values = [torch.linalg.svdvals(layer) for layer in finite]
    first = torch.stack([value[..., 0] for value in values], -1)
    second = torch.stack(
        [
            value[..., 1] if value.shape[-1] > 1 else torch.zeros_like(value[..., 0])
            for value in values
        ],
        -1,
    )
    lost = broken[..., None]
    return first.masked_fill(lost, math.nan), second.masked_fill(lost, math.nan)


def misalignments(layers: Sequence[Tensor]) -> Tensor:
    """Sine of the angle between the axes v_(j+1) and u_j of adjacent layers, (..., k -
    1).

    u_j is the first left singular vector of W_j and v_(j+1) the first right singular
    vector of W_(j+1); an axis has no sign. Computed as a distance of unit vectors,
    which keeps digits near 0. NaN for members with an entry that is not finite.
    """
    finite, broken = _zero_where_broken(layers)
    factors = [torch.linalg.svd(layer, full_matrices=False) for layer in finite]
    sines = []
    for below, above in pairwise(factors):
        out, into = below.U[..., :, 0], above.Vh[..., 0, :]
        sines.append(
            torch.linalg.vector_norm(
                into - (out * into).sum(-1, keepdim=True) * out, dim=-1
            )
        )
    return torch.stack(sines, -1).masked_fill(broken[..., None], math.nan)
