"""Linear regression on the first p of D independent Gaussian features (Belkin, Hsu and
Xu 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.validation import InvalidInput, positive_integer, real_number, real_tensor


@dataclass(frozen=True)
class WeakFeatures:
    """Data y = x.beta + noise * e with x ~ N(0, I_D) and e ~ N(0, 1); a model sees the
    first p features only.

    beta: (D,) true coefficients in the order in which features are handed to the model.
    noise: standard deviation of the label noise, 0 or more.
    """

    beta: Tensor
    noise: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", real_tensor("beta", self.beta, ndim=1))
        if not 0 <= real_number("noise", self.noise) < math.inf:
            raise InvalidInput(
                f"noise is {self.noise!r}, expected a standard deviation of 0 or more."
            )

    @property
    def features(self) -> int:
        """D, the number of features there are."""
        return len(self.beta)

    def signal(self, used: int) -> tuple[float, float]:
        """|b_T|^2 and |b_Tc|^2: the energy of the first `used` coefficients and of the
        others.
        """
        self._count(used)
        energy = self.beta.square()
        return float(energy[:used].sum()), float(energy[used:].sum())

    def inputs(
        self, samples: int, repetitions: int, generator: torch.Generator
    ) -> Tensor:
        """`repetitions` independent training sets of inputs, (repetitions, samples, D),
        from a CPU `generator`.
        """
        size = (
            positive_integer("repetitions", repetitions),
            positive_integer("samples", samples),
            self.features,
        )
        return torch.randn(size, generator=generator, dtype=self.beta.dtype).to(
            self.beta.device
        )

    def labels(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Noisy labels (..., n) of `inputs` (..., n, D)."""
        noise = torch.randn(
            inputs.shape[:-1], generator=generator, dtype=self.beta.dtype
        ).to(inputs.device)
        return inputs @ self.beta + self.noise * noise

    def _count(self, used: int) -> None:
        if not 0 <= used <= self.features:
            raise InvalidInput(
                f"used is {used!r}, expected a number of features from 0 to "
                f"{self.features}."
            )


def equally_weak(features: int, *, noise: float) -> WeakFeatures:
    """|beta| = 1 spread evenly over the features: no order of theirs is better than
    another.

    The risk depends on beta through |b_T|^2 and |b_Tc|^2 only and is linear in both, so
    for p features drawn at random it has the same expectation whatever beta of norm 1.
    """
    count = positive_integer("features", features)
    return WeakFeatures(
        torch.full((count,), 1 / math.sqrt(count), dtype=torch.float64), noise
    )


def prescient(features: int, *, noise: float, decay: float = 1.0) -> WeakFeatures:
    """|beta| = 1 with beta_j proportional to j^-decay: the strongest features come
    first.
    """
    ranks = torch.arange(
        1, positive_integer("features", features) + 1, dtype=torch.float64
    )
    beta = ranks.pow(-decay)
    return WeakFeatures(beta / torch.linalg.vector_norm(beta), noise)
