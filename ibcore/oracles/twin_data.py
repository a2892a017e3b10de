"""Another training set with the same parameters: what a network cannot know of its
data.
"""

from __future__ import annotations

import torch
from torch import Tensor


def twin_inputs(inputs: Tensor, wanted: Tensor, below: Tensor, rank: int) -> Tensor:
    """Inputs (n, d), as near to `wanted` (n, d) as possible, with which the parameters
    stay stationary.

    inputs: X (n, d), linearly independent with the entry 1 behind each.      below: [W
    b], (m, d + 1), of rank `rank`. At stationarity [W b] = S^T [X 1] for an (n, m)
    matrix S of coefficients. X + E gives the same pre-activations, outputs and S, and
    with it the same stationary parameters and loss, if S^T E = 0 and E W^T = 0. Such E
    form a space of dimension (n - rank) (d - rank of W). It is projected to by two
    orthogonal projections.
    """
    extended = torch.cat([inputs, torch.ones_like(inputs[:, :1])], 1)
    coefficients = below @ torch.linalg.pinv(extended)
    taken = torch.linalg.svd(coefficients, full_matrices=False)[2][:rank]
    seen = torch.linalg.svd(below[:, :-1], full_matrices=False)[2][:rank]
    change = wanted - inputs
    change = change - taken.mT @ (taken @ change)
    return inputs + change - (change @ seen.mT) @ seen
