"""Fully connected networks of any depth, with one or several outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ibcore.models.base import OnInputs
from ibcore.validation import one_of, positive_integer

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "elu": functional.elu,
    "softplus": functional.softplus,
    "gelu": functional.gelu,
    "sigmoid": torch.sigmoid,
    "identity": lambda z: z,
}


@dataclass(frozen=True)
class Network(OnInputs):
    """f(x) = A_k phi(A_{k-1} ... phi(A_1 x + b_1) ... + b_{k-1}) + b_k on `inputs`, (n, d) or (B, n, d).

    widths: of the hidden layers, none for an affine map.      activation: phi, a name in `ACTIVATIONS`.
    out: the number of outputs K of a network; outputs are (B, n) for K = 1 and (B, n, K) otherwise.
    Parameters `theta` (B, P) hold A_1 (width x d), b_1, A_2, b_2 and so on; without `biases` there are no b.
    Raises `InvalidInput` for an unknown activation and sizes that are no positive integers.
    """

    widths: tuple[int, ...]
    activation: str = "tanh"
    out: int = 1
    biases: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("activation", self.activation, ACTIVATIONS)
        widths = tuple(positive_integer("width", width) for width in self.widths)
        object.__setattr__(self, "widths", widths)
        positive_integer("out", self.out)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Of A_1, ..., A_k."""
        sizes = (self.inputs.shape[-1], *self.widths, self.out)
        return tuple(zip(sizes[1:], sizes, strict=False))

    @property
    def dimension(self) -> int:
        """The number of parameters P."""
        return sum(rows * (columns + self.biases) for rows, columns in self.shapes)

    def layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        """Pairs A_l (B, rows, columns) and b_l (B, rows), None without biases."""
        sizes = [
            size
            for rows, columns in self.shapes
            for size in ((rows * columns, rows) if self.biases else (rows * columns,))
        ]
        parts = list(theta.split(sizes, -1))
        matrices = parts[:: 1 + self.biases]
        shifts = parts[1::2] if self.biases else [None] * len(matrices)
        return [
            (matrix.unflatten(-1, shape), shift)
            for matrix, shift, shape in zip(matrices, shifts, self.shapes, strict=True)
        ]

    def outputs(self, theta: Tensor) -> Tensor:
        phi, state = ACTIVATIONS[self.activation], self.inputs
        layers = self.layers(theta)
        for number, (matrix, shift) in enumerate(layers, start=1):
            state = state @ matrix.mT
            state = state if shift is None else state + shift[:, None]
            state = phi(state) if number < len(layers) else state
        return state[..., 0] if self.out == 1 else state

    def initial(self, batch: int, generator: torch.Generator) -> Tensor:
        """PyTorch's default start, (B, P): uniform in +-1/sqrt(columns) for A_l and b_l, drawn on the CPU."""
        positive_integer("batch", batch)
        bounds = torch.cat(
            [
                torch.full((rows * (columns + self.biases),), 1 / math.sqrt(columns))
                for rows, columns in self.shapes
            ]
        ).double()
        draw = torch.rand(batch, len(bounds), generator=generator, dtype=bounds.dtype)
        return ((2 * draw - 1) * bounds).to(self.inputs)
