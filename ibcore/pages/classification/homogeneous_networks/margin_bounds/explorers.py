"""Margins of networks on digits with true and with random labels, raw and divided by a
norm of the weights.
"""

from __future__ import annotations

import functools

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.explore import Choice, Explorer, explore
from ibcore.figures import figure
from ibcore.models.network import Network
from ibcore.pages.classification.homogeneous_networks.margin_bounds.figures import (
    plot_distributions,
)
from ibcore.pages.classification.homogeneous_networks.margin_bounds.runs import (
    he_start,
    train_to,
)
from ibcore.problems.digits import CLASSES
from ibcore.problems.labelings import LABELINGS, labelings

LOSSES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
DIVISORS = {
    "nothing": None,
    "spectral complexity": "spectral",
    "Frobenius norms": "frobenius",
}


@functools.cache
def trained() -> tuple[Tensor, dict[str, Tensor]]:
    """Margins (K, 3, n) at the losses of `LOSSES` under every labeling, and the
    divisors (K, 3) by name.
    """
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


def explore_at(random: float, true: float, divisor: str) -> tuple[Figure, str]:
    """Distributions of margins at the chosen losses of the network on random and of
    that on true labels.
    """
    margins, divisors = trained()
    scaled = margins / divisors[divisor][..., None]
    chosen = {
        "true": scaled[LOSSES.index(true), LABELINGS.index("true")],
        "random": scaled[LOSSES.index(random), LABELINGS.index("random")],
    }
    fig, ax = figure(height=3.2)
    label = "margin" if divisor == "nothing" else f"margin divided by {divisor}"
    plot_distributions(
        ax, {name: values.numpy() for name, values in chosen.items()}, label
    )
    ratio = float(chosen["true"].median() / chosen["random"].median())
    return fig, (
        f"Loss {true:g} on true and {random:g} on random labels, margins divided by "
        f"{divisor}: the median for true labels is {ratio:.2g} times that for random "
        "ones."
    )


def explore_margins() -> Explorer:
    """The explorer that opens the page: the network on true labels has stopped at the
    loss 0.01.
    """
    return explore(
        functools.partial(explore_at, true=0.01),
        title="Which network was trained on random labels?",
        random=Choice("Loss reached on random labels", LOSSES, start=3, format="{:g}"),
        divisor=Choice("Divide margins by", list(DIVISORS)),
    )
