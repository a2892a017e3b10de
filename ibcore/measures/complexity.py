"""Complexities of networks from the norms of their weights, as margin bounds use them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ibcore.threads import threads


@threads()
def spectral_complexity(weights: Sequence[Tensor]) -> Tensor:
    """R_A = prod_i |A_i|_2 (sum_i (|A_i^T|_{2,1} / |A_i|_2)^(2/3))^(3/2), (B,), of the
    layers A_i (B, out, in).

    Bartlett, Foster and Telgarsky (2017) with zero reference matrices and 1-Lipschitz
    activations. |A|_2 is the largest singular value and |A^T|_{2,1} the sum of the
    Euclidean norms of the rows of A. For k layers R_A is homogeneous of degree k, as
    the outputs of the network without biases are.
    """
    spectral = torch.stack([torch.linalg.matrix_norm(matrix, 2) for matrix in weights])
    rows = torch.stack(
        [torch.linalg.vector_norm(matrix, dim=-1).sum(-1) for matrix in weights]
    )
    return spectral.prod(0) * (rows / spectral).pow(2 / 3).sum(0).pow(3 / 2)


def frobenius_complexity(weights: Sequence[Tensor]) -> Tensor:
    """sqrt(k) * prod_i |A_i|_F of k layers, (B,): the norms in the bound of Golowich,
    Rakhlin and Shamir (2018).
    """
    norms = torch.stack([torch.linalg.matrix_norm(matrix) for matrix in weights])
    return len(weights) ** 0.5 * norms.prod(0)
