"""Margins of networks on digits with true and with random labels, raw and divided by a norm of the weights."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.directions import Momentum
from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import Rollback
from ibcore.explore import Choice, Explorer, explore
from ibcore.figures.margin_bounds import draw_distributions
from ibcore.figures.style import figure
from ibcore.losses import SoftmaxCrossEntropy
from ibcore.measures.complexity import frobenius_complexity, spectral_complexity
from ibcore.measures.margins import multiclass_margins
from ibcore.models.network import Network
from ibcore.problems.digits import CLASSES
from ibcore.problems.labelings import LABELINGS, labelings

LOSSES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
DIVISORS = {
    "nothing": None,
    "spectral complexity": "spectral",
    "Frobenius norms": "frobenius",
}


def he_start(net: Network, batch: int, generator: torch.Generator) -> Tensor:
    """Normal matrices of variance 2/columns, (B, P), drawn on the CPU (He et al. 2015), of a network without biases."""
    draws = [
        torch.randn(batch, *shape, generator=generator, dtype=torch.float64)
        * math.sqrt(2 / shape[1])
        for shape in net.shapes
    ]
    return torch.cat([draw.flatten(1) for draw in draws], -1).to(net.inputs)


def train_to(
    losses: Sequence[float], net: Network, y: Tensor, start: Tensor, step_size: float
) -> Mapping[str, Tensor]:
    """What B networks are when their mean cross entropy first is at most each of the K `losses`, NaN if it never is.

    net: on inputs (B, n, d).      y: labels (B, n).      start: (B, P).
    Heavy ball with steps over the loss, which make up for the slope of the cross entropy that falls with it; a step
    after which the loss has risen by half is undone, and training goes on at half the step size from rest.
    Returns `margins`, (K, B, n), and the complexities `spectral` and `frobenius`, (K, B).
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


@functools.cache
def trained() -> tuple[Tensor, dict[str, Tensor]]:
    """Margins (K, 3, n) at the losses of `LOSSES` under every labeling, and the divisors (K, 3) by name."""
    generator = torch.Generator().manual_seed(0)
    data = labelings(1, 200, generator, dtype=torch.float64)
    X, y = data.X[0], data.y[0]
    net = Network(X, (32,), "relu", CLASSES, biases=False)
    watched = train_to(LOSSES, net, y, he_start(net, len(y), generator), 0.1)
    divisors = {
        name: watched[measure] if measure else torch.ones_like(watched["spectral"])
        for name, measure in DIVISORS.items()
    }
    return watched["margins"], divisors


def draw_margins(random: float, true: float, divisor: str) -> tuple[Figure, str]:
    """Distributions of margins at the chosen losses of the network on random and of that on true labels."""
    margins, divisors = trained()
    scaled = margins / divisors[divisor][..., None]
    chosen = {
        "true": scaled[LOSSES.index(true), LABELINGS.index("true")],
        "random": scaled[LOSSES.index(random), LABELINGS.index("random")],
    }
    fig, ax = figure(height=3.2)
    label = "margin" if divisor == "nothing" else f"margin divided by {divisor}"
    draw_distributions(
        ax, {name: values.numpy() for name, values in chosen.items()}, label
    )
    ratio = float(chosen["true"].median() / chosen["random"].median())
    return fig, (
        f"Loss {true:g} on true and {random:g} on random labels, margins divided by {divisor}: the median for "
        f"true labels is {ratio:.2g} times that for random ones."
    )


def explore_margins() -> Explorer:
    """The explorer that opens the page: the network on true labels has stopped at the loss 0.01."""
    return explore(
        functools.partial(draw_margins, true=0.01),
        title="Which network was trained on random labels?",
        random=Choice("Loss reached on random labels", LOSSES, start=3, format="{:g}"),
        divisor=Choice("Divide margins by", list(DIVISORS)),
    )
