"""The tangent kernel of a finite network, from the Jacobian of one example's outputs at
a time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ibcore.threads import threads

_PHI: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": lambda z: z * (z > 0),
    "sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
}


def network_output(
    theta: Tensor, x: Tensor, widths: tuple[int, ...], activation: str, out: int
) -> Tensor:
    """Outputs (out,) of a fully connected network at one input x (d,), written out
    anew.

    theta: (P,), layer by layer the matrix, row by row, and then the biases.
    """
    state = x
    for depth, width in enumerate((*widths, out)):
        size = width * len(state)
        matrix, shift, theta = (
            theta[:size],
            theta[size : size + width],
            theta[size + width :],
        )
        state = matrix.reshape(width, len(state)) @ state + shift
        if depth < len(widths):
            state = _PHI[activation](state)
    return state


@threads()
def finite_tangent_kernel(
    theta: Tensor,
    X: Tensor,
    widths: tuple[int, ...],
    activation: str,
    out: int,
    *,
    last: int | None = None,
) -> Tensor:
    """K = J J^T (B, n out, n out) of networks theta (B, P) at X (B, n, d), with J the
    derivatives of all outputs.

    last: only the derivatives by so many of the last parameters.
    """

    def one(point: Tensor, x: Tensor) -> Tensor:
        return network_output(point, x, widths, activation, out)

    by_example = torch.func.vmap(torch.func.jacrev(one), in_dims=(None, 0))
    J = torch.func.vmap(by_example)(theta, X).flatten(1, 2)
    J = J if last is None else J[..., -last:]
    return J @ J.mT
