"""Fully connected networks of any depth, with one or several outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.models.activations import ACTIVATIONS
from ibcore.models.base import OnInputs
from ibcore.validation import one_of, positive_integer


@dataclass(frozen=True)
class Network(OnInputs):
    """f(x) = A_k phi(A_{k-1} ... phi(A_1 x + b_1) ... + b_{k-1}) + b_k on `inputs`, (n,
    d) or (B, n, d).

    widths: of the hidden layers, none for an affine map.
    activation: phi, by its name: "relu", "tanh" and others; a wrong one is answered
    with the list.
    out: the number of outputs K of a network; outputs are (B, n) for K = 1 and (B, n,
    K) otherwise.

    Parameters `theta` (B, P) hold A_1 (width x d), b_1, A_2, b_2 and so on; without
    `biases` there are no b. `initial(batch, generator)` and `normal(batch, generator)`
    draw starts, (B, P), PyTorch's own and that of He et al. (2015).

    Raises `InvalidInput` for inputs that are no finite numbers in one of these shapes,
    an unknown activation and sizes that are no positive integers.

    >>> import torch
    >>> from ibcore import Network
    >>> net = Network([[-2.0], [3.0]], (2,), "relu", biases=False)
    >>> net.outputs(torch.tensor([[1.0, -1, 1, 1]]).double())  # relu(x) + relu(-x)
    tensor([[2., 3.]], dtype=torch.float64)
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

    def matrices(self, theta: Tensor) -> list[Tensor]:
        """A_1, ..., A_k, (B, rows, columns) each."""
        return [matrix for matrix, _ in self.layers(theta)]

    def outputs(self, theta: Tensor) -> Tensor:
        return self._single(self._states(self.layers(theta))[1][-1])

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights of the shape of the
        outputs; relu'(0) = 0.
        """
        return self.vjp(theta)[1](weights)

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The outputs and the map of weights to their pullback, by backpropagation
        through the states kept.
        """
        layers, phi = self.layers(theta), ACTIVATIONS[self.activation]
        states, inner = self._states(layers)

        def pull(weights: Tensor) -> Tensor:
            back = weights[..., None] if self.out == 1 else weights
            parts: list[Tensor] = []
            for number in reversed(range(len(layers))):
                matrix, shift = layers[number]
                if shift is not None:
                    parts.append(back.sum(-2))
                parts.append((back.mT @ states[number]).flatten(1))
                if number:
                    back = (back @ matrix) * phi.slope_at(
                        inner[number - 1], states[number]
                    )
            return torch.cat(parts[::-1], -1)

        return self._single(inner[-1]), pull

    def _states(
        self, layers: list[tuple[Tensor, Tensor | None]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """What each layer reads, x, phi(z_1), ..., and what it gives, z_1, ..., z_k."""
        phi, states, inner = ACTIVATIONS[self.activation], [self.inputs], []
        for number, (matrix, shift) in enumerate(layers, start=1):
            z = states[-1] @ matrix.mT
            inner.append(z if shift is None else z + shift[:, None])
            if number < len(layers):
                states.append(phi.value(inner[-1]))
        return states, inner

    def _single(self, outputs: Tensor) -> Tensor:
        """(B, n, 1) as (B, n)."""
        return outputs[..., 0] if self.out == 1 else outputs

    def normal(self, batch: int, generator: torch.Generator) -> Tensor:
        """Normal A_l of variance 2/columns, 1/columns in the last layer, and b_l = 0,
        (B, P) (He et al. 2015).
        """
        positive_integer("batch", batch)
        sizes = [rows * columns for rows, columns in self.shapes]
        draw = torch.randn(
            batch, sum(sizes), generator=generator, dtype=torch.float64
        ).split(sizes, -1)
        gains = [2.0] * (len(sizes) - 1) + [1.0]
        parts: list[Tensor] = []
        for matrix, gain, (rows, columns) in zip(draw, gains, self.shapes, strict=True):
            parts.append(matrix * math.sqrt(gain / columns))
            parts.append(matrix.new_zeros(batch, rows if self.biases else 0))
        return torch.cat(parts, -1).to(self.inputs)

    def initial(self, batch: int, generator: torch.Generator) -> Tensor:
        """PyTorch's default start, (B, P): uniform in +-1/sqrt(columns) for A_l and
        b_l, drawn on the CPU.
        """
        positive_integer("batch", batch)
        bounds = torch.cat(
            [
                torch.full((rows * (columns + self.biases),), 1 / math.sqrt(columns))
                for rows, columns in self.shapes
            ]
        ).double()
        draw = torch.rand(batch, len(bounds), generator=generator, dtype=bounds.dtype)
        return ((2 * draw - 1) * bounds).to(self.inputs)
