"""Linear convolutional networks with circular convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fft import irfft, rfft

from ibcore.validation import InvalidInput, positive_integer


@dataclass(frozen=True)
class Convolutional:
    """The linear predictor x -> beta.x with beta = w_1 * ... * w_k, circular convolutions in d dimensions.

    The first `depth` - 1 layers are kernels of `kernel` entries (d, the full width, by default) and the
    last is a vector of d weights; a shorter kernel is padded with zeros. Parameters `theta` (B, P) hold
    w_1, ..., w_k. `inputs` are (n, d), shared by the batch, or (B, n, d). One channel, no bias; homogeneous
    of degree k. Full width and one channel are the setting of Gunasekar et al. (2018).
    """

    inputs: Tensor
    depth: int = 2
    kernel: int | None = None
    linear = False

    def __post_init__(self) -> None:
        positive_integer("depth", self.depth, least=2)
        if self.inputs.ndim not in (2, 3):
            raise InvalidInput(f"inputs have shape {tuple(self.inputs.shape)}, expected (n, d) or (B, n, d).")
        if self.kernel is not None and not 1 <= self.kernel <= self.features:
            raise InvalidInput(f"kernel is {self.kernel}, expected 1 to the width {self.features} of the inputs.")

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
        """Discrete Fourier transforms of the padded layers of `theta` (..., P), (..., d // 2 + 1) each."""
        return [rfft(layer, n=self.features) for layer in theta.split(self.sizes, -1)]

    def coefficients(self, theta: Tensor) -> Tensor:
        """beta (..., d) of `theta` (..., P)."""
        return irfft(torch.stack(self.spectra(theta)).prod(0), n=self.features)

    def outputs(self, theta: Tensor) -> Tensor:
        """f at every input, (B, n)."""
        return (self.inputs @ self.coefficients(theta)[..., None])[..., 0]

    def jacobian(self, theta: Tensor) -> Tensor:
        """df(x_i)/dtheta, (B, n, P): correlations of the inputs with the convolution of all other layers."""
        spectra, seen = self.spectra(theta), rfft(self.inputs)
        blocks = []
        for layer, size in enumerate(self.sizes):
            others = torch.stack(spectra[:layer] + spectra[layer + 1:]).prod(0)
            blocks.append(irfft(seen * others.conj()[..., None, :], n=self.features)[..., :size])
        return torch.cat(blocks, -1)
