"""Fully connected linear networks f(x) = W_k ... W_1 x with one output, and the
derivatives of a product of layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import sqrt

import torch
from torch import Tensor

from ibcore.models.network import Network
from ibcore.validation import positive_integer, positive_number


class DeepLinear(Network):
    """A linear network with hidden layers of `widths` on `inputs`, (n, d) shared by the
    batch or (B, n, d).

    It is the `Network` with the identity as activation, without biases: its outputs and
    derivatives come here from the product of the layers, which costs less. Parameters
    `theta` (B, P) hold W_1 (widths[0], d), ..., W_k (1, widths[-1]), each row by row,
    with k = 1 + len(widths) the depth. Without hidden layers it is the linear
    predictor. Gradient flow keeps W_(j+1)^T W_(j+1) - W_j W_j^T (Arora, Cohen and Hazan
    2018).

    Raises `InvalidInput` for inputs that are no finite numbers in one of these shapes,
    and widths that are no positive integers.

    >>> import torch
    >>> from ibcore import DeepLinear
    >>> model, theta = DeepLinear([[1.0, 2.0]], (1,)), torch.tensor([[3.0, 4.0, 5.0]])
    >>> model.outputs(theta.double())  # 5 (3 + 4 * 2)
    tensor([[55.]], dtype=torch.float64)
    """

    def __init__(self, inputs: Tensor, widths: Sequence[int]) -> None:
        super().__init__(inputs, tuple(widths), "identity", biases=False)

    def end_to_end(self, theta: Tensor) -> Tensor:
        """The linear predictor W_k ... W_1 as a vector, (..., d)."""
        *below, product = self.matrices(theta)
        for layer in reversed(below):
            product = product @ layer
        return product[..., 0, :]

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return (self.inputs @ self.end_to_end(theta)[..., None])[..., 0]

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P).

        For layer j the outer product of W_(j+1)^T ... W_k^T
        and W_(j-1) ... W_1 x_i.
        """
        layers = self.matrices(theta)
        hidden = [self.inputs]
        for layer in layers[:-1]:
            hidden.append(hidden[-1] @ layer.mT)
        above = theta.new_ones(len(theta), 1, 1)
        blocks = []
        for layer, below in zip(layers[::-1], hidden[::-1], strict=True):
            blocks.append((above[..., None] * below[..., None, :]).flatten(-2))
            above = above @ layer
        return torch.cat(blocks[::-1], -1)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights (B, n)."""
        blocks = pulled(self.matrices(theta), weights[:, None, :] @ self.inputs)
        return torch.cat([block.flatten(1) for block in blocks], -1)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, P, P), for weights (B, n)."""
        return bent(self.matrices(theta), weights[:, None, :] @ self.inputs)


def pulled(layers: Sequence[Tensor], matrices: Tensor) -> list[Tensor]:
    """The derivative of <M, W_k ... W_1> by each layer, for M (..., p, q): (W_k ...
    W_(j+1))^T M (W_(j-1) ... W_1)^T.
    """
    below = [matrices]
    for layer in layers[:-1]:
        below.append(below[-1] @ layer.mT)
    above, blocks = None, []
    for layer, part in zip(reversed(layers), reversed(below), strict=True):
        blocks.append(part if above is None else _product(above.mT, part))
        above = layer if above is None else above @ layer
    return blocks[::-1]


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b."""
    return a * b if a.shape[-1] == 1 else a @ b


def bent(layers: Sequence[Tensor], matrix: Tensor) -> Tensor:
    """The second derivatives of <M, W_k ... W_1> by all layers, (B, P, P), for M (B, p,
    q); layers enter linearly, so its diagonal blocks vanish.

    For layers i < j it is the tensor product of W_(j-1) ... W_(i+1) and of (W_k ...
    W_(j+1))^T M (W_(i-1) ... W_1)^T.
    """
    starts = [0, *accumulate(layer[0].numel() for layer in layers)]
    places = [slice(*pair) for pair in pairwise(starts)]
    result = matrix.new_zeros(len(matrix), starts[-1], starts[-1])
    right = matrix
    for low, layer in enumerate(layers):
        size = layer.shape[-2]
        between = torch.eye(size, dtype=matrix.dtype, device=matrix.device)[None]
        outer = [right]
        for above in layers[:low:-1]:
            outer.append(above.mT @ outer[-1])
        for high in range(low + 1, len(layers)):
            block = torch.einsum("zbp,zaq->zabpq", between, outer[-1 - high + low])
            block = block.flatten(3).flatten(1, 2)
            result[:, places[high], places[low]] = block
            result[:, places[low], places[high]] = block.mT
            between = layers[high] @ between
        right = right @ layer.mT
    return result


def random_start(
    model: DeepLinear, count: int, scale: float, generator: torch.Generator
) -> Tensor:
    """`count` parameters (count, P) with entries N(0, scale^2 / columns) in each layer:
    Gaussian weights.
    """
    positive_integer("count", count)
    positive_number("scale", scale)
    blocks = [
        torch.randn(count, rows * columns, generator=generator, dtype=torch.float64)
        * (scale / sqrt(columns))
        for rows, columns in model.shapes
    ]
    return torch.cat(blocks, -1).to(model.inputs)


def balanced_start(
    model: DeepLinear, count: int, scale: float, generator: torch.Generator
) -> Tensor:
    """`count` parameters (count, P) with W_j = scale r_j r_(j-1)^T for random unit
    vectors r_j and r_k = 1.

    Then W_(j+1)^T W_(j+1) = W_j W_j^T exactly. With one output every balanced start is
    of rank one.
    """
    positive_integer("count", count)
    positive_number("scale", scale)
    sizes = (model.inputs.shape[-1], *model.widths)
    axes = [
        torch.randn(count, size, generator=generator, dtype=torch.float64)
        for size in sizes
    ]
    units = [axis / axis.norm(dim=-1, keepdim=True) for axis in axes]
    units.append(torch.ones(count, 1, dtype=torch.float64))
    blocks = [
        scale * (out[:, :, None] * into[:, None, :]).flatten(-2)
        for into, out in pairwise(units)
    ]
    return torch.cat(blocks, -1).to(model.inputs)
