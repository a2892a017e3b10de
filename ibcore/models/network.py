"""Fully connected networks of any depth, with one or several outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from ibcore.models.activations import ACTIVATIONS, Activation
from ibcore.models.base import OnInputs, with_fields
from ibcore.validation import (
    InvalidInput,
    data_tensor,
    model_inputs,
    one_of,
    positive_integer,
)

Layer = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class Network(OnInputs):
    """f(x) = A_k phi(A_{k-1} ... phi(A_1 x + b_1) ... + b_{k-1}) + b_k on `inputs`, (n,
    d) or (B, n, d).

    widths: of the hidden layers, none for an affine map.
    activation: phi, by its name: "relu", "tanh" and others; a wrong one is answered
    with the list.
    out: the number of outputs K of a network; outputs are (B, n) for K = 1 and (B, n,
    K) otherwise.
    biases: True, False, or "hidden" for all but b_k.
    output: A_k (K, m), or (m,) for K = 1, of networks whose last layer is not trained
    and has no bias.

    Parameters `theta` (B, P) hold A_1 (width x d), b_1, A_2, b_2 and so on, those that
    there are. `initial(batch, generator)` and `normal(batch, generator)` draw starts,
    (B, P), PyTorch's own and that of He et al. (2015).

    Raises `InvalidInput` for inputs that are no finite numbers in one of these shapes,
    an unknown activation and sizes that are no positive integers.

    >>> import torch
    >>> from ibcore import Network
    >>> net = Network([[-2.0], [3.0]], (2,), "relu", biases=False)
    >>> net.outputs(torch.tensor([[1.0, -1, 1, 1]]).double())  # relu(x) + relu(-x)
    tensor([[2., 3.]], dtype=torch.float64)
    """

    widths: tuple[int, ...]
    activation: str | Activation = "tanh"
    out: int = 1
    biases: bool | str = True
    output: Tensor | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.activation, Activation):
            one_of("activation", self.activation, ACTIVATIONS)
        if self.biases not in (True, False, "hidden"):
            raise InvalidInput(
                f"biases is {self.biases!r}, expected True, False or 'hidden'."
            )
        widths = tuple(positive_integer("width", width) for width in self.widths)
        object.__setattr__(self, "widths", widths)
        positive_integer("out", self.out)
        if self.output is not None:
            self._fix(self.output)

    def _fix(self, output: object) -> None:
        """Take A_k, and K from it."""
        matrix = data_tensor("output", output, ndims=(1, 2), shape="(m,) or (K, m)")
        matrix = matrix.to(self.inputs).reshape(-1, matrix.shape[-1])
        if self.widths[-1:] != matrix.shape[1:]:
            raise InvalidInput(
                f"output has {matrix.shape[1]} columns and widths are {self.widths}, "
                "expected one column for each neuron of the last hidden layer."
            )
        object.__setattr__(self, "output", matrix)
        object.__setattr__(self, "out", len(matrix))

    @cached_property
    def phi(self) -> Activation:
        """The activation itself."""
        given = self.activation
        return given if isinstance(given, Activation) else ACTIVATIONS[given]

    @property
    def linear(self) -> bool:
        return not self.widths

    @property
    def degree(self) -> int:
        """k with f(x; c theta) = c^k f(x; theta) for c > 0; raises `InvalidInput` for a
        network that is not homogeneous.
        """
        power, lower = self.phi.degree, any(self._biased[1:])
        if self.widths and (power is None or lower):
            bent = f"{self.phi.name} is"
            why = bent if power is None else "biases above the first are"
            raise InvalidInput(
                f"{why} not homogeneous; take relu or squared_relu, without biases."
            )
        degree = 1
        for _ in self.widths:
            degree = 1 + (power or 1) * degree
        return degree - (self.output is not None)

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Of A_1, ..., A_k, those that are trained."""
        sizes = (self.inputs.shape[-1], *self.widths, self.out)
        shapes = tuple((rows, columns) for columns, rows in pairwise(sizes))
        return shapes if self.output is None else shapes[:-1]

    @cached_property
    def _biased(self) -> tuple[bool, ...]:
        """Whether a layer has a bias."""
        last = self.biases is True and self.output is None
        return (bool(self.biases),) * len(self.widths) + (last,)

    @cached_property
    def _sizes(self) -> list[int]:
        """Entries of A_1, b_1, A_2, ..., those that there are."""
        return [
            size
            for (rows, columns), biased in zip(self.shapes, self._biased, strict=False)
            for size in ((rows * columns, rows) if biased else (rows * columns,))
        ]

    @property
    def dimension(self) -> int:
        """The number of parameters P."""
        return sum(self._sizes)

    @property
    def features(self) -> int:
        """The number d of entries of an input."""
        return self.inputs.shape[-1]

    @property
    def width(self) -> int:
        """The number m of neurons of the first hidden layer."""
        return self.widths[0]

    def on(self, inputs: object) -> Self:
        """The same network on other inputs, (n, d) or (B, n, d)."""
        others, output = model_inputs(inputs), self.output
        if others.shape[-1] != self.features:
            raise InvalidInput(
                f"inputs have {others.shape[-1]} entries, expected {self.features}, as "
                "those that the network is on."
            )
        output = None if output is None else output.to(others)
        return with_fields(self, inputs=others, output=output)

    def layers(self, theta: Tensor) -> list[Layer]:
        """Pairs A_l (..., rows, columns) and b_l (..., rows), None without biases, of
        `theta` (..., P); a last layer that is not trained is shared, (K, m).
        """
        parts = iter(theta.split(self._sizes, -1))
        layers: list[Layer] = [
            (next(parts).unflatten(-1, shape), next(parts) if biased else None)
            for shape, biased in zip(self.shapes, self._biased, strict=False)
        ]
        return layers if self.output is None else [*layers, (self.output, None)]

    def matrices(self, theta: Tensor) -> list[Tensor]:
        """A_1, ..., A_k, (..., rows, columns) each."""
        return [matrix for matrix, _ in self.layers(theta)]

    def neurons(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """a (..., m) and w (..., m, d) of a network f(x) = sum_j a_j phi(w_j.x), with
        one hidden layer and one output; `of_neurons` is the way back.
        """
        w, a = self.matrices(theta)
        return a[..., 0, :], w

    def preactivations(self, theta: Tensor) -> Tensor:
        """What the neurons of the first hidden layer receive, A_1 x + b_1, (B, n, m)."""
        return self._states(self.layers(theta)[:1])[1][0]

    def outputs(self, theta: Tensor) -> Tensor:
        return self._single(self._states(self.layers(theta))[1][-1])

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights of the shape of the
        outputs; relu'(0) = 0.
        """
        return self.vjp(theta)[1](weights)

    def vjp(self, theta: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The outputs and the map of weights to their pullback.

        From the last layer to the first `back` is the derivative of
        sum_i weights_i f(x_i) by what a layer gives, (B, n, rows).
        """
        layers = self.layers(theta)
        states, inner = self._states(layers)

        def pull(weights: Tensor) -> Tensor:
            back = weights[..., None] if self.out == 1 else weights
            parts: list[Tensor] = []
            for number in reversed(range(len(layers))):
                matrix, shift = layers[number]
                state = states[number]
                if shift is not None:
                    parts.append(back.sum(-2))
                if number < len(self.shapes):
                    parts.append((back.mT @ state).flatten(1))
                if number:
                    slope = self.phi.slope_at(inner[number - 1], state)
                    back = _through(back, matrix) * slope
            return torch.cat(parts[::-1], -1)

        return self._single(inner[-1]), pull

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P) or (B, n, K, P); relu'(0) = 0.

        The derivative of an output by A_l is the outer product of that by what the
        layer gives, `back`, and of what it receives; with several outputs they have an
        axis of their own.
        """
        layers, several = self.layers(theta), self.out > 1
        states, inner = self._states(layers)
        back = torch.eye(self.out, dtype=theta.dtype, device=theta.device)[None]
        back = back[None] if several else back
        shape = (len(theta), self.examples, self.out)[: 2 + several]
        parts: list[Tensor] = []
        for number in reversed(range(len(layers))):
            matrix, shift = layers[number]
            if shift is not None:
                parts.append(back.expand(*shape, -1))
            if number < len(self.shapes):
                state = states[number].unsqueeze(-2)
                state = state.unsqueeze(-2) if several else state
                rows = (back[..., None] * state).flatten(-2)
                parts.append(rows.expand(*shape, -1))
            if number:
                slope = self.phi.slope_at(inner[number - 1], states[number])
                wide, slope = (
                    (matrix.unsqueeze(-3), slope.unsqueeze(-2))
                    if several
                    else (matrix, slope)
                )
                back = _through(back, wide) * slope
        return torch.cat(parts[::-1], -1)

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, P, P), for weights of the shape of
        the outputs; 0 where phi bends at a kink.

        Closed where there are one hidden layer and one output: neurons then do not mix.
        """
        if len(self.widths) != 1 or self.out > 1:
            return super().hessian(theta, weights)
        layers = self.layers(theta)
        (state, hidden), (z, _) = self._states(layers)
        places = torch.arange(self.dimension, device=theta.device)
        (first, shift), *last = Network.layers(self, places)
        inputs = state.expand(len(theta), *state.shape[-2:])
        if shift is not None:
            first = torch.cat([first, shift[:, None]], -1)
            inputs = torch.cat([inputs, torch.ones_like(inputs[..., :1])], -1)
        a, weights = layers[1][0][..., 0, :], weights[..., None]
        bend = weights * self.phi.curvature(z) * a[..., None, :]
        result = theta.new_zeros(len(theta), self.dimension, self.dimension)
        result[:, first[:, :, None], first[:, None, :]] = torch.einsum(
            "zij,zip,ziq->zjpq", bend, inputs, inputs
        )
        if self.output is None:
            outer = last[0][0].mT
            mixed = (weights * self.phi.slope_at(z, hidden)).mT @ inputs
            result[:, outer, first] = result[:, first, outer] = mixed
        return result

    def _states(self, layers: list[Layer]) -> tuple[list[Tensor], list[Tensor]]:
        """What each layer reads, x, phi(z_1), ..., and what it gives, z_1, ..., z_k."""
        states, inner = [self.inputs], []
        for number, (matrix, shift) in enumerate(layers, start=1):
            z = states[-1] @ matrix.mT
            inner.append(z if shift is None else z + shift[:, None])
            if number < len(layers):
                states.append(self.phi.value(inner[-1]))
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
        gains = [2.0] * len(self.widths) + [1.0]
        parts: list[Tensor] = []
        for matrix, gain, (rows, columns), biased in zip(
            draw, gains, self.shapes, self._biased, strict=False
        ):
            parts.append(matrix * math.sqrt(gain / columns))
            parts.append(matrix.new_zeros(batch, rows if biased else 0))
        return torch.cat(parts, -1).to(self.inputs)

    def initial(self, batch: int, generator: torch.Generator) -> Tensor:
        """PyTorch's default start, (B, P): uniform in +-1/sqrt(columns) for A_l and
        b_l, drawn on the CPU.
        """
        positive_integer("batch", batch)
        bounds = torch.cat(
            [
                torch.full((rows * (columns + biased),), 1 / math.sqrt(columns))
                for (rows, columns), biased in zip(
                    self.shapes, self._biased, strict=False
                )
            ]
        ).double()
        draw = torch.rand(batch, len(bounds), generator=generator, dtype=bounds.dtype)
        return ((2 * draw - 1) * bounds).to(self.inputs)


def _through(back: Tensor, matrix: Tensor) -> Tensor:
    """back @ matrix, (B, n, columns), for back (B, n, rows)."""
    return back * matrix if back.shape[-1] == 1 else back @ matrix


def joined(matrices: Sequence[Tensor]) -> Tensor:
    """Parameters (..., P) of a network without biases from its A_1, ..., A_k, (...,
    rows, columns) each.
    """
    return torch.cat([matrix.flatten(-2) for matrix in matrices], -1)


def of_neurons(a: Tensor, w: Tensor) -> Tensor:
    """Parameters (..., P) of f(x) = sum_j a_j phi(w_j.x) from a (..., m) and w (..., m,
    d).
    """
    return joined([w, a[..., None, :]])
