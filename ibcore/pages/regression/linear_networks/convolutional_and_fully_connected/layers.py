"""Fully connected linear networks from small starts, trained and predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.stiff_flow import CurvedModel, stiff_flow
from ibcore.measures.relative import relative_distance
from ibcore.models.deep_linear import DeepLinear, random_start
from ibcore.oracles.equations import refuse_dependent_rows
from ibcore.oracles.small_start import SmallStart, small_start
from ibcore.threads import threads
from ibcore.validation import InvalidInput, regression_data

POINTS, FEATURES, WIDTH = 5, 10, 6
WIDEST = 200  # features of a reader's own data


@dataclass(frozen=True)
class GaussianCase:
    """X (n, d) and y (n,), a network on X with a start (P,) of scale 1, and what the
    start predicts.
    """

    network: DeepLinear
    targets: Tensor
    start: Tensor
    predicted: SmallStart

    @classmethod
    def of(cls, X: Tensor, y: Tensor, generator: torch.Generator) -> GaussianCase:
        """A network of width 6 with Gaussian layers."""
        network = DeepLinear(X, (WIDTH,))
        start = random_start(network, 1, 1.0, generator)
        first, last = network.matrices(start)
        return cls(network, y, start[0], small_start(X, y, first[0], last[0, 0]))


def gaussian_case(generator: torch.Generator) -> GaussianCase:
    """Five Gaussian points in ten dimensions, and a network on them."""
    X = torch.randn(POINTS, FEATURES, generator=generator, dtype=torch.float64)
    y = torch.randn(POINTS, generator=generator, dtype=torch.float64)
    return GaussianCase.of(X, y, generator)


def own_data(X: object, y: object) -> tuple[Tensor, Tensor]:
    """A reader's X (n, d) and y (n,), in units of root mean square one and of a least
    norm of one.

    Raises `InvalidInput` for dependent rows, another shape than n < d <= 200, and y =
    0.
    """
    inputs, targets = regression_data(X, y, single=True)
    inputs, targets = inputs.double().cpu(), targets.double().cpu()
    if not len(inputs) < inputs.shape[1] <= WIDEST:
        raise InvalidInput(
            f"X has shape {tuple(inputs.shape)}, expected fewer rows than columns, at "
            f"most {WIDEST} of these."
        )
    refuse_dependent_rows(inputs.numpy())
    inputs = inputs / inputs.square().mean().sqrt()
    size = (torch.linalg.pinv(inputs) @ targets).norm()
    if not size > 0:
        raise InvalidInput("y is zero, and so is the predictor of least norm.")
    return inputs, targets / size


def trained(
    model: CurvedModel,
    targets: Tensor,
    start: Tensor,
    *,
    target_loss: float = 1e-23,
) -> Tensor:
    """The parameters (P,) where the flow has fitted the targets.

    Raises `RuntimeError` where it did not get there.
    """
    run = stiff_flow(model, targets, start, target_loss=target_loss, tolerance=1e-8)
    if not run.complete:
        size = float(start.abs().max())
        raise RuntimeError(f"layers of size {size:.2g}: {run.status}")
    return run.state


def ended(case: GaussianCase, scale: float) -> Tensor:
    """From the start times `scale`, (2,): |beta - X^+ y| / |X^+ y|, and sigma_2 /
    sigma_1 of the first layer.
    """
    theta = trained(case.network, case.targets, scale * case.start)
    values = torch.linalg.svdvals(case.network.matrices(theta)[0])
    beta = case.network.end_to_end(theta)
    apart = relative_distance(beta, case.predicted.limit)
    return torch.stack([apart, values[1] / values[0]])


@threads()
def deeper(depth: int, scales: Sequence[float]) -> Tensor:
    """Relative distances (K,) to X^+ y of a network of `depth` on five points in ten
    dimensions, from one start at each of the scales.
    """
    generator = torch.Generator().manual_seed(depth)
    X, y = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((POINTS, FEATURES), (POINTS,))
    )
    model = DeepLinear(X, (WIDTH,) * (depth - 1))
    start = random_start(model, 1, 1.0, generator)[0]
    ends = torch.stack(
        [trained(model, y, scale * start, target_loss=1e-20) for scale in scales]
    )
    return relative_distance(model.end_to_end(ends), torch.linalg.pinv(X) @ y)
