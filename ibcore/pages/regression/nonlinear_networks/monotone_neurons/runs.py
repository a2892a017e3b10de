"""Problems of the page on monotone neurons, and what both claims say of ends of runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.oracles.equations import refuse_dependent_rows
from ibcore.validation import InvalidInput, regression_data

POINTS, FEATURES = 5, 20
LEAK = 0.5


@dataclass(frozen=True)
class Neurons:
    """Inputs (B, n, d), pre-activations z (B, n) to be reached, starts w(0) (B, d)."""

    X: Tensor
    z: Tensor
    start: Tensor

    def repeated(self, times: int) -> Neurons:
        """The same problems several times, one copy of all after the other."""
        parts = (self.X, self.z, self.start)
        return Neurons(*(t.repeat(times, *[1] * (t.ndim - 1)) for t in parts))

    def to(self, device: torch.device) -> Neurons:
        """The same problems on `device`."""
        return Neurons(*(t.to(device) for t in (self.X, self.z, self.start)))


def draw_neurons(setting: Setting, count: int, purpose: str) -> Neurons:
    """Gaussian inputs with E|x|^2 = 1, teachers w* with E (w*.x)^2 = 1, and starts."""
    generator = torch.Generator().manual_seed(setting.seeds(1, purpose)[0])
    X = normal((count, POINTS, FEATURES), generator) / math.sqrt(FEATURES)
    teacher, start = (normal((count, FEATURES), generator) for _ in range(2))
    return Neurons(X, (X @ teacher[..., None])[..., 0], start).to(setting.device)


def own_data(X: object, y: object) -> tuple[Tensor, Tensor]:
    """A reader's X (n, d) and y (n,), in units in which |x|^2 and y^2 have the mean 1.

    Raises `InvalidInput` for rows of X that depend on one another, and for y = 0.
    """
    inputs, targets = (part.double() for part in regression_data(X, y, single=True))
    refuse_dependent_rows(inputs.cpu().numpy())
    if not bool(targets.any()):
        raise InvalidInput("y is zero: the neuron may end at u = 0, where Q has a tip.")
    size = inputs.square().sum(1).mean().sqrt()
    return inputs / size, targets / targets.square().mean().sqrt()


def started(
    setting: Setting, X: Tensor, z: Tensor, count: int, purpose: str
) -> Neurons:
    """`count` Gaussian starts on the same X (n, d) and z (n,)."""
    generator = torch.Generator().manual_seed(setting.seeds(1, purpose)[0])
    start = normal((count, X.shape[1]), generator)
    inputs, goals = X.expand(count, -1, -1), z.expand(count, -1)
    return Neurons(inputs, goals, start).to(setting.device)


def normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def relative(vector: Tensor, length: Tensor) -> Tensor:
    """|vector| over |length|, both (B, d), in the l2 norm: (B,)."""
    size = torch.linalg.vector_norm(length, dim=-1)
    return torch.linalg.vector_norm(vector, dim=-1) / size


def finished(done: Tensor, values: Tensor) -> Tensor:
    """`values` (B,), NaN for runs that did not come to their end."""
    return torch.where(done, values, math.nan)
