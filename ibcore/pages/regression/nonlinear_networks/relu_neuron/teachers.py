"""Random problems that a ReLU neuron fits, and gradient descent on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.dynamics import explicit, paces
from ibcore.dynamics.explicit import Run
from ibcore.dynamics.objective import Objective
from ibcore.losses import Square
from ibcore.models.activations import RightReLU
from ibcore.models.neuron import Neuron, safe_step
from ibcore.oracles.least_interpolant import least_interpolant
from ibcore.problems.relu_turns import teacher_batch
from ibcore.threads import threads
from ibcore.validation import InvalidInput, regression_data

FITS = 1e-12  # loss over the mean squared label at which descent counts as converged


@dataclass(frozen=True)
class Batch:
    """B realizable problems of one shape: X (B, n, d), y (B, n), least weights (B, d).

    gap: (B,), of the least weights, or their violation if it is larger.
    """

    X: Tensor
    y: Tensor
    least: Tensor
    gap: Tensor

    @classmethod
    def of(cls, X: Tensor, y: Tensor) -> Batch:
        """The problems with their certified least weights.

        Raises `InvalidInput` for negative labels and for labels that no neuron fits.
        """
        found = [
            least_interpolant(inputs, labels)
            for inputs, labels in zip(X, y, strict=True)
        ]
        worst = [float(np.maximum(abs(one.gap), one.violation)) for one in found]
        least = torch.from_numpy(np.stack([one.weights for one in found]))
        return cls(X, y, least, torch.tensor(worst, dtype=torch.float64))

    def to(self, device: torch.device) -> Batch:
        """The same problems on `device`."""
        return Batch(
            self.X.to(device), self.y.to(device), self.least.to(device), self.gap
        )


def draw_batch(setting: Setting, count: int, points: int, features: int) -> Batch:
    """`count` problems with a random teacher."""
    seed = setting.seeds(1, f"teachers {points} {features}")[0]
    generator = torch.Generator().manual_seed(seed)
    batch = Batch.of(*teacher_batch(count, points, features, generator))
    return batch.to(setting.device)


def own_batch(X: object, y: object) -> Batch:
    """A reader's X (n, d) and y (n,), with labels that some neuron fits."""
    inputs, labels = regression_data(X, y, single=True)
    if not bool(labels.any()):
        raise InvalidInput("y is zero: the neuron stays at 0, and no ratio is defined.")
    return Batch.of(inputs.double()[None], labels.double()[None])


def descend(batch: Batch, steps: int, share: float = 1.0) -> Run:
    """Gradient descent from 0 on the mean loss, at `share` of the `safe_step`."""
    model = Neuron(batch.X, RightReLU())
    return explicit.descend(
        Objective(model, Square(), batch.y, shared=False),
        torch.zeros_like(batch.least),
        paces.constant(share * safe_step(batch.X)),
        steps=[steps],
        max_seconds=float("inf"),
    )


@threads()
def farther(shares: Sequence[float], count: int = 1000) -> list[int]:
    """How many of `count` problems are farther from the least weights after one step.

    shares: of the step up to which none may be, twice the `safe_step`.
    """
    generator = torch.Generator().manual_seed(0)
    batch = Batch.of(*teacher_batch(count, 5, 4, generator))
    size = batch.least.norm(dim=1)
    ends = [descend(batch, 1, 2 * share).last for share in shares]
    return [int(((w - batch.least).norm(dim=1) > size).sum()) for w in ends]
