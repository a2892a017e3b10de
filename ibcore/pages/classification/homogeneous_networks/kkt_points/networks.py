"""Networks of the page on KKT points, on random labels or on a reader's data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.models import Linear
from ibcore.models.activations import Activation, LeakyReLU, SquaredReLU
from ibcore.models.base import Model
from ibcore.models.convolutional import Convolutional
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.models.sums import Sum
from ibcore.problems.random_labels import random_labels
from ibcore.validation import InvalidInput, binary_data

START = 0.5
Data = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Shape:
    """n examples in d dimensions for a network of m neurons."""

    examples: int
    features: int
    width: int


LARGE, SMALL = Shape(10, 20, 30), Shape(6, 10, 20)
DEEP, DEEP_WIDTHS = Shape(4, 6, 10), (10, 10)


@dataclass(frozen=True)
class Networks:
    """B networks of one architecture, each on its own data, with random starts theta
    (B, P).

    degree: k with f(x; c theta) = c^k f(x; theta).      rejected: draws without the
    condition of `draw_networks`.
    """

    margins: Margins
    degree: int
    theta: Tensor
    rejected: int

    @property
    def log_examples(self) -> float:
        """log n: the theorems are about losses below 1/n."""
        return math.log(self.margins.examples)

    def gradients(self, theta: Tensor) -> Tensor:
        """Directions (B, P) of -grad L for the exponential loss, not normalized."""
        weights = torch.softmax(-self.margins.outputs(theta), -1)
        return (weights[:, None, :] @ self.margins.jacobian(theta))[:, 0]

    def normalized(self, theta: Tensor) -> Tensor:
        """min_i m_i / |theta|^k of theta (B, P), (B,)."""
        norms = torch.linalg.vector_norm(theta, dim=-1)
        return self.margins.outputs(theta).amin(-1) / norms**self.degree


@dataclass(frozen=True)
class TwoLayers(Networks):
    """Networks with one hidden layer."""

    net: Network


def draw_networks(
    setting: Setting,
    draws: int,
    purpose: str,
    activation: Activation,
    shape: Shape,
    data: Data | None = None,
) -> TwoLayers:
    """Random labels and random starts in which a neuron of the label's sign is active
    on every example.

    With `data`, inputs (n, d) and labels (n,), all networks are on these, and the shape
    says the width alone.
    """

    def keep(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor] | None:
        X, y = data or random_labels(shape.examples, shape.features, generator)
        net = Network(X, (shape.width,), activation, biases=False)
        draw = torch.randn(1, net.dimension, generator=generator, dtype=X.dtype)
        theta = START * draw.roll(-shape.width, -1)  # output weights are drawn first
        a, _ = net.neurons(theta)
        active = (net.preactivations(theta)[0] > 0) & (y[:, None] * a > 0)
        return (X, y, theta[0]) if bool(active.any(1).all()) else None

    kept, rejected = setting.draw(draws, purpose, keep)
    X, y, theta = (
        torch.stack(rows).to(setting.device) for rows in zip(*kept, strict=True)
    )
    net = Network(X, (shape.width,), activation, biases=False)
    return TwoLayers(Margins(net, y), net.degree, theta, rejected, net)


def deep_networks(setting: Setting, draws: int, data: Data | None = None) -> Networks:
    """Three layers of squared ReLU neurons without biases, of degree 1 + 2 (1 + 2) = 7."""
    purpose = "three layers"
    points = draw_networks(setting, draws, purpose, SquaredReLU(), DEEP, data)
    net = Network(points.net.inputs, DEEP_WIDTHS, "squared_relu", biases=False)
    generator = torch.Generator().manual_seed(setting.seeds(1, purpose)[0])
    start = net.normal(draws, generator)
    return Networks(Margins(net, points.margins.labels), 7, start, points.rejected)


def beside_linear(networks: TwoLayers) -> tuple[Sum, Tensor]:
    """The sum of a linear part and the networks, and the start of the linear part at
    zero, (B, d).
    """
    net = networks.net
    model = Sum((Linear(net.inputs), net), (net.features, net.dimension))
    return model, net.inputs.new_zeros(len(net.inputs), net.features)


def both_activations(
    setting: Setting, draws: int, purpose: str, shape: Shape, data: Data | None = None
) -> tuple[TwoLayers, TwoLayers]:
    """Networks with squared ReLU, which is smooth, and with ReLU, which has kinks."""
    smooth, kinked = (
        draw_networks(setting, draws, purpose, activation, shape, data)
        for activation in (SquaredReLU(), LeakyReLU())
    )
    return smooth, kinked


def own_data(X: object, y: object) -> Data:
    """A reader's X (n, d) and y (n,) in {-1, +1}, scaled to inputs of mean square
    length 1.

    Raises `InvalidInput` for data that no network without biases fits: an input that is
    zero, or two that point in the same direction and have different labels.
    """
    inputs, labels = binary_data(X, y)
    inputs, labels = inputs.double(), labels.double()
    lengths = torch.linalg.vector_norm(inputs, dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        row = int(lengths.argmin())
        raise InvalidInput(
            f"row {row} of X is zero, where a network without biases is zero too. "
            "Append a column of ones to X."
        )
    apart = torch.cdist(inputs / lengths, inputs / lengths)
    clash = (apart < 1e-9) & (labels[:, None] != labels)
    if bool(clash.any()):
        first, second = clash.nonzero()[0].tolist()
        raise InvalidInput(
            f"rows {first} and {second} of X point in the same direction and have "
            "different labels: a network without biases gives them outputs of the "
            "same sign. Append a column of ones to X, or drop one."
        )
    return inputs / lengths.square().mean().sqrt(), labels


def architectures(inputs: Tensor) -> Mapping[str, Model]:
    """Networks on `inputs` (n, d) by name, some of them homogeneous in their
    parameters.
    """
    two = Network(inputs, (8,), "relu", biases=False)
    three = Network(inputs, (8, 8), "relu", biases=False)
    return {
        "two layers, ReLU": two,
        "bias in the first layer": Network(inputs, (8,), "relu", biases="hidden"),
        "three layers, ReLU": three,
        "three layers, squared ReLU": Network(
            inputs, (8, 8), "squared_relu", biases=False
        ),
        "three convolutions": Convolutional(inputs, 3, 3),
        "biases in all layers": Network(inputs, (8, 8), "relu"),
        "tanh": Network(inputs, (8,), "tanh", biases=False),
        "two layers beside three": Sum((two, three), (two.dimension, three.dimension)),
    }
