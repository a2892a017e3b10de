"""Linear convolutional networks with circular convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, combinations

import torch
from torch import Tensor
from torch.fft import irfft, rfft

from ibcore.models.base import OnInputs
from ibcore.models.square_fields import TwoFilters
from ibcore.validation import InvalidInput, positive_integer


@dataclass(frozen=True)
class Convolutional(OnInputs):
    """The linear predictor x -> beta.x with beta = w_1 * ... * w_k, circular
    convolutions in d dimensions.

    The first `depth` - 1 layers are kernels of `kernel` entries (d, the full width, by
    default) and the last is a vector of d weights; a shorter kernel is padded with
    zeros. Parameters `theta` (B, P) hold w_1, ..., w_k. `inputs` are (n, d), shared by
    the batch, or (B, n, d). One channel, no bias; homogeneous of degree k. Full width
    and one channel are the setting of Gunasekar et al. (2018).

    Raises `InvalidInput` for inputs that are no finite numbers in one of these shapes,
    a depth below 2, and a kernel that is longer than the inputs.

    >>> import torch
    >>> from ibcore import Convolutional
    >>> theta = torch.tensor([[0.0, 1, 0, 1, 2, 3]]).double()  # a shift, and (1, 2, 3)
    >>> Convolutional(torch.eye(3).double()).coefficients(theta).round(decimals=12)
    tensor([[3., 1., 2.]], dtype=torch.float64)
    """

    depth: int = 2
    kernel: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer("depth", self.depth, least=2)
        if self.kernel is None:
            return
        if positive_integer("kernel", self.kernel) > self.features:
            raise InvalidInput(
                f"kernel is {self.kernel}, expected 1 to the width {self.features} of "
                "the inputs."
            )

    @property
    def features(self) -> int:
        return self.inputs.shape[-1]

    @property
    def sizes(self) -> list[int]:
        """Parameters of each layer."""
        return [self.kernel or self.features] * (self.depth - 1) + [self.features]

    @property
    def dimension(self) -> int:
        return sum(self.sizes)

    @property
    def degree(self) -> int:
        """k with f(x; c theta) = c^k f(x; theta)."""
        return self.depth

    def spectra(self, theta: Tensor) -> list[Tensor]:
        """Discrete Fourier transforms of the padded layers of `theta` (..., P), (..., d
        // 2 + 1) each.
        """
        if self.kernel in (None, self.features):
            return list(
                rfft(theta.unflatten(-1, (self.depth, self.features))).unbind(-2)
            )
        return [rfft(layer, n=self.features) for layer in theta.split(self.sizes, -1)]

    def coefficients(self, theta: Tensor) -> Tensor:
        """beta (..., d) of `theta` (..., P)."""
        return irfft(_product(self.spectra(theta)), n=self.features)

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return (self.inputs @ self.coefficients(theta)[..., None])[..., 0]

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P): correlations of the inputs with the convolution of
        all other layers.
        """
        spectra, seen = self.spectra(theta), rfft(self.inputs)
        blocks = []
        for layer, size in enumerate(self.sizes):
            others = _product(spectra[:layer] + spectra[layer + 1 :])
            blocks.append(
                irfft(seen * others.conj()[..., None, :], n=self.features)[..., :size]
            )
        return torch.cat(blocks, -1)

    def pullback(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i df(x_i)/dtheta, (B, P), for weights (B, n)."""
        push = (weights[..., None, :] @ self.inputs)[..., 0, :]
        if self.depth == 2:
            u, v = theta.split(self.sizes, -1)
            pairs = _sums(push)[..., : u.shape[-1], :]
            return torch.cat(
                [(pairs @ v[..., None])[..., 0], (u[..., None, :] @ pairs)[..., 0, :]],
                -1,
            )
        spectra, seen = self.spectra(theta), rfft(push)
        others = torch.stack(
            [
                _product(spectra[:layer] + spectra[layer + 1 :])
                for layer in range(self.depth)
            ],
            -2,
        )
        blocks = irfft(seen[..., None, :] * others.conj(), n=self.features)
        return torch.cat(
            [blocks[..., layer, :size] for layer, size in enumerate(self.sizes)], -1
        )

    def hessian(self, theta: Tensor, weights: Tensor) -> Tensor:
        """sum_i weights_i d^2 f(x_i)/dtheta^2, (B, P, P), for weights (B, n).

        Zero within a layer. Entry (a, b) of the block of two layers is entry a + b (mod
        d) of the correlation of sum_i weights_i x_i with the convolution of all other
        layers.
        """
        push = (weights[..., None, :] @ self.inputs)[..., 0, :]
        starts, result = (
            [0, *accumulate(self.sizes)],
            theta.new_zeros(len(theta), self.dimension, self.dimension),
        )
        for i, j in combinations(range(self.depth), 2):
            others = [
                spectrum.conj()
                for k, spectrum in enumerate(self.spectra(theta))
                if k not in (i, j)
            ]
            seen = (
                irfft(_product([rfft(push), *others]), n=self.features)
                if others
                else push
            )
            block = _sums(seen)[..., : self.sizes[i], : self.sizes[j]]
            result[:, starts[i] : starts[i + 1], starts[j] : starts[j + 1]] = block
            result[:, starts[j] : starts[j + 1], starts[i] : starts[i + 1]] = block.mT
        return result

    def square_field(self, targets: Tensor) -> TwoFilters | None:
        """Gradient flow of the mean square loss in NumPy, for two layers of full width
        on inputs (n, d).
        """
        full = self.kernel in (None, self.features)
        if self.depth == 2 and full and self.inputs.ndim == 2:
            return TwoFilters.on(self.inputs, targets)
        return None


def _sums(vector: Tensor) -> Tensor:
    """The matrices (..., d, d) with entry a + b (mod d) of `vector` (..., d) at (a, b)."""
    return torch.cat([vector, vector[..., :-1]], -1).unfold(-1, vector.shape[-1], 1)


def _product(spectra: list[Tensor]) -> Tensor:
    result = spectra[0]
    for spectrum in spectra[1:]:
        result = result * spectrum
    return result
