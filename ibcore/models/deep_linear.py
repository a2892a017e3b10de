"""Fully connected linear networks f(x) = W_k ...

W_1 x with one output, homogeneous of degree k.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import sqrt

import torch
from torch import Tensor

from ibcore.models.base import OnInputs
from ibcore.validation import positive_integer, positive_number


@dataclass(frozen=True)
class DeepLinear(OnInputs):
    """A linear network with hidden layers of `widths` on `inputs`, (n, d) shared by the
    batch or (B, n, d).

    Parameters `theta` (B, P) hold W_1 (widths[0], d), ..., W_k (1, widths[-1]), each
    row by row, with k = 1 + len(widths) the depth. Without hidden layers it is the
    linear predictor. Gradient flow keeps W_(j+1)^T W_(j+1) - W_j W_j^T (Arora, Cohen
    and Hazan 2018).

    Raises `InvalidInput` for inputs that are no finite numbers in one of these shapes,
    and widths that are no positive integers.

    >>> import torch
    >>> from ibcore import DeepLinear
    >>> model, theta = DeepLinear([[1.0, 2.0]], (1,)), torch.tensor([[3.0, 4.0, 5.0]])
    >>> model.outputs(theta.double())  # 5 (3 + 4 * 2)
    tensor([[55.]], dtype=torch.float64)
    """

    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "widths", tuple(self.widths))
        for width in self.widths:
            positive_integer("width", width)

    @property
    def linear(self) -> bool:
        return not self.widths

    @property
    def degree(self) -> int:
        """k with f(x; c theta) = c^k f(x; theta): the depth."""
        return len(self.widths) + 1

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Shapes of W_1, ..., W_k."""
        sizes = (self.inputs.shape[-1], *self.widths, 1)
        return tuple((rows, columns) for columns, rows in pairwise(sizes))

    @property
    def dimension(self) -> int:
        return sum(rows * columns for rows, columns in self.shapes)

    def layers(self, theta: Tensor) -> tuple[Tensor, ...]:
        """W_1 (..., widths[0], d), ..., W_k (..., 1, widths[-1]) of `theta` (..., P)."""
        parts = theta.split([rows * columns for rows, columns in self.shapes], -1)
        return tuple(
            part.reshape(*part.shape[:-1], *shape)
            for part, shape in zip(parts, self.shapes, strict=True)
        )

    def end_to_end(self, theta: Tensor) -> Tensor:
        """The linear predictor W_k ... W_1 as a vector, (..., d)."""
        *below, product = self.layers(theta)
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
        layers = self.layers(theta)
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
        layers = self.layers(theta)
        below = [weights[:, None, :] @ self.inputs]
        for layer in layers[:-1]:
            below.append(below[-1] @ layer.mT)
        above = theta.new_ones(len(theta), 1, 1)
        blocks = []
        for layer, hidden in zip(reversed(layers), reversed(below), strict=True):
            blocks.append((above.mT * hidden).flatten(1))
            above = above @ layer
        return torch.cat(blocks[::-1], -1)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, P, P), for weights (B, n): zero
        within a layer.

        For layers i < j with p = sum_l weights_l x_l it is the tensor product of
        W_(j+1)^T ... W_k^T, of W_(j-1) ... W_(i+1) and of W_(i-1) ... W_1 p.
        """
        layers = self.layers(theta)
        below, above = (
            [(weights[:, None, :] @ self.inputs)[:, 0]],
            [theta.new_ones(len(theta), 1)],
        )
        for layer in layers[:-1]:
            below.append((layer @ below[-1][..., None])[..., 0])
        for layer in layers[:0:-1]:
            above.insert(0, (above[0][:, None, :] @ layer)[:, 0])
        starts = [0, *accumulate(rows * columns for rows, columns in self.shapes)]
        result = theta.new_zeros(len(theta), self.dimension, self.dimension)
        for i in range(len(layers)):
            between = torch.eye(
                self.shapes[i][0], dtype=theta.dtype, device=theta.device
            ).expand(len(theta), -1, -1)
            for j in range(i + 1, len(layers)):
                block = torch.einsum("zc,zea,zb->zabce", above[j], between, below[i])
                block = block.reshape(
                    len(theta), starts[i + 1] - starts[i], starts[j + 1] - starts[j]
                )
                result[:, starts[i] : starts[i + 1], starts[j] : starts[j + 1]] = block
                result[:, starts[j] : starts[j + 1], starts[i] : starts[i + 1]] = (
                    block.mT
                )
                between = layers[j] @ between
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
