"""The least sum of squares of parameters with which a network computes a given
function, in closed form.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ibcore.threads import threads
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    real_tensor,
    regression_data,
)

_ORTHOGONAL = 1e-10


@threads()
def connected_cost(beta: object, depth: int) -> Tensor:
    """k |beta|^(2/k), (...): the least sum_j |W_j|_F^2 over W_k ... W_1 = beta^T with
    hidden layers of any width.

    beta: (..., d).      depth: k.      Exactly equivariant: c beta costs c^(2/k) as
    much.
    """
    vector, k = _predictor(beta, depth)
    return k * torch.linalg.vector_norm(vector, dim=-1) ** (2 / k)


@threads()
def diagonal_cost(beta: object, depth: int) -> Tensor:
    """k sum_i |beta_i|^(2/k), (...): the least sum_j |u_j|^2 over vectors whose
    entrywise product u_1 ... u_k is beta.

    beta: (..., d).      depth: k.      Exactly equivariant: c beta costs c^(2/k) as
    much.
    """
    vector, k = _predictor(beta, depth)
    return k * (vector.abs() ** (2 / k)).sum(-1)


@threads()
def orthogonal_cost(X: object, y: object) -> float:
    """The least (|theta|^2)/2 of sum_j a_j relu(w_j.x) through y (n,) at orthogonal
    inputs X (n, d).

    With h_i = y_i / |x_i| it is the length of the positive part of h plus that of the
    negative part. Equivariant: for a X and b y it is multiplied by b / a. Raises
    `InvalidInput` for inputs that are zero or not orthogonal to 1e-10.
    """
    inputs, labels = regression_data(X, y, single=True)
    inputs, labels = inputs.double(), labels.double()
    lengths = torch.linalg.vector_norm(inputs, dim=-1)
    if bool((lengths == 0).any()):
        raise InvalidInput("X has a row of zeros. Remove that example.")
    cosines = (inputs @ inputs.T) / lengths / lengths[:, None]
    largest = float((cosines - torch.eye(len(cosines)).to(cosines)).abs().max())
    if not largest <= _ORTHOGONAL:
        raise InvalidInput(
            f"two inputs have a cosine of {largest:.1g}, expected orthogonal inputs. "
            "Take the rows of an orthogonal matrix, or solve the convex program."
        )
    heights = labels / lengths
    return float(heights.clamp(min=0).norm() + heights.clamp(max=0).norm())


def _predictor(beta: object, depth: int) -> tuple[Tensor, int]:
    return real_tensor("beta", beta).double(), positive_integer("depth", depth)
