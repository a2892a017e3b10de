"""Networks on digits with true and with random labels: trained to a loss or to a
margin, and randomized.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ibcore.dynamics.directions import Momentum
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Rollback
from ibcore.losses import SoftmaxCrossEntropy
from ibcore.measures.complexity import frobenius_complexity, spectral_complexity
from ibcore.measures.margins import multiclass_margins
from ibcore.models.network import Network
from ibcore.problems.digits import CLASSES, digits_split
from ibcore.threads import threads

DIGITS = 1797


def he_start(net: Network, batch: int, generator: torch.Generator) -> Tensor:
    """Normal matrices of variance 2/columns, (B, P), drawn on the CPU (He et al.

    2015), of a network without biases.
    """
    draws = [
        torch.randn(batch, *shape, generator=generator, dtype=torch.float64)
        * math.sqrt(2 / shape[1])
        for shape in net.shapes
    ]
    return torch.cat([draw.flatten(1) for draw in draws], -1).to(net.inputs)


def train_to(
    losses: Sequence[float], net: Network, y: Tensor, start: Tensor, step_size: float
) -> Mapping[str, Tensor]:
    """What B networks are when their mean cross entropy first is at most each of the K
    `losses`, NaN if it never is.

    net: on inputs (B, n, d).      y: labels (B, n).      start: (B, P).
    Heavy ball with steps over the loss, which make up for the slope of the cross
    entropy that falls with it; a step after which the loss has risen by half is undone,
    and training goes on at half the step size from rest. Returns `margins`, (K, B, n),
    and the complexities `spectral` and `frobenius`, (K, B).
    """
    run = descend(
        Objective(net, SoftmaxCrossEntropy(), y, shared=False),
        start,
        Rollback(step_size, grow=1.0, shrink=2.0, rise=1.5, restart=True),
        log_loss=[math.log(loss) for loss in losses],
        direction=Momentum(0.9),
        watch={
            "margins": lambda at, _: multiclass_margins(
                at.outputs, at.objective.targets
            ),
            "spectral": lambda at, _: spectral_complexity(net.matrices(at.theta)),
            "frobenius": lambda at, _: frobenius_complexity(net.matrices(at.theta)),
        },
        max_steps=3000,
    )
    return run.watched


@dataclass(frozen=True)
class Digits:
    """B samples of digits of mean norm 1: X (B, n, 64), y (B, n) the labels to train
    on, and digits to test.
    """

    X: Tensor
    y: Tensor
    X_test: Tensor
    y_test: Tensor

    def network(self, width: int) -> Network:
        """One hidden layer, no biases, on the training digits."""
        return Network(self.X, (width,), "relu", CLASSES, biases=False)

    def tested(self, width: int) -> Network:
        """The same on the test digits."""
        return replace(self.network(width), inputs=self.X_test)


def draw_digits(
    seeds: Sequence[int],
    n: int,
    test: int,
    corruption: float,
    device: torch.device | str,
) -> Digits:
    """A sample a seed; the digits do not depend on `corruption`, the share of redrawn
    training labels.
    """
    parts = [
        digits_split(
            n, test, torch.Generator().manual_seed(seed), corruption, device=device
        )
        for seed in seeds
    ]
    scale = [part.X_train.norm(dim=1).mean() for part in parts]
    return Digits(
        torch.stack([p.X_train / s for p, s in zip(parts, scale, strict=True)]),
        torch.stack([p.y_train for p in parts]),
        torch.stack([p.X_test / s for p, s in zip(parts, scale, strict=True)]),
        torch.stack([p.y_test for p in parts]),
    )


@dataclass(frozen=True)
class Grown:
    """Networks after training on K numbers of examples to the same margin, B each: (K,
    B), NaN where it failed.

    complexity: R_A.      leading: |X|_F R_A / (gamma n).      error: share of test
    digits misclassified.
    """

    complexity: Tensor
    leading: Tensor
    error: Tensor


@threads()
def grow(
    seeds: Sequence[int],
    sizes: Sequence[int],
    width: int,
    step_size: float,
    device: torch.device | str,
    *,
    margin: float = 1.0,
    share: float = 0.99,
) -> Grown:
    """Train until a `share` of the examples has at least the `margin`, on more and more
    digits.

    The test digits, as many as there are beside the largest training set, are not all
    the same for every size.
    """
    test, rows = DIGITS - max(sizes), []
    for n in sizes:
        data = draw_digits(seeds, n, test, 0.0, device)
        net = data.network(width)
        generator = torch.Generator().manual_seed(seeds[0])
        run = descend(
            Objective(net, SoftmaxCrossEntropy(), data.y, shared=False),
            he_start(net, len(seeds), generator),
            Rollback(step_size, grow=1.0, shrink=2.0, rise=1.5, restart=True),
            direction=Momentum(0.9),
            until=_wide(margin, share),
            max_steps=3000,
            max_seconds=math.inf,
        )
        complexity = spectral_complexity(net.matrices(run.last))
        complexity = complexity.where(run.converged, math.nan)
        leading = data.X.flatten(1).norm(dim=1) * complexity / (margin * n)
        wrong = data.tested(width).outputs(run.last).argmax(-1) != data.y_test
        rows.append((complexity, leading, wrong.double().mean(-1)))
    return Grown(*(torch.stack(part).cpu() for part in zip(*rows, strict=True)))


def _wide(margin: float, share: float) -> Any:
    """Whether the share of the examples with at least the margin is reached, (A,)."""

    def reached(point: Any) -> Tensor:
        margins = multiclass_margins(point.outputs, point.objective.targets)
        return (margins >= margin).double().mean(-1) >= share

    return reached


@threads()
def train_briefly(
    data: Digits, width: int, loss: float, steps: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Starts and ends (B, P) of training until the mean cross entropy is at most
    `loss`, or for so many steps.
    """
    net = data.network(width)
    start = he_start(net, len(data.y), generator)
    run = descend(
        Objective(net, SoftmaxCrossEntropy(), data.y, shared=False),
        start,
        Rollback(0.1, grow=1.0, shrink=2.0, rise=1.5, restart=True),
        log_loss=[math.log(loss)],
        direction=Momentum(0.9),
        max_steps=steps,
        max_seconds=math.inf,
    )
    return start, run.last


@threads()
def randomized_errors(
    data: Digits,
    width: int,
    mean: Tensor,
    spread: float,
    draws: int,
    generator: torch.Generator,
    *,
    batch: int = 64,
) -> tuple[Tensor, Tensor]:
    """Errors of weights N(mean, spread^2 I) on training and on test digits, (B,), means
    over `draws` and a quarter.

    Each draw is of fresh weights and of `batch` digits that they are tried on, drawn
    with replacement: independent numbers between 0 and 1 with the right mean.
    """
    net, rows = data.network(width), torch.arange(len(mean))[:, None]
    found: list[list[Tensor]] = [[], []]
    for count in range(draws):
        noise = torch.randn(*mean.shape, generator=generator, dtype=mean.dtype)
        theta = mean + spread * noise.to(mean.device)
        for k, (X, y) in enumerate(((data.X, data.y), (data.X_test, data.y_test))):
            if k and count % 4:
                continue
            chosen = torch.randint(y.shape[1], (len(mean), batch), generator=generator)
            outputs = replace(net, inputs=X[rows, chosen]).outputs(theta)
            wrong = outputs.argmax(-1) != y[rows, chosen]
            found[k].append(wrong.to(mean).mean(-1))
    training, test = (torch.stack(values).mean(0).cpu() for values in found)
    return training, test
