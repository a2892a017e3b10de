"""Models, losses, devices and dtypes over which what all models promise is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.objective import Objective
from ibcore.losses import (
    ConvexTail,
    CrossEntropy,
    Exponential,
    LogCosh,
    Logistic,
    Loss,
    MarginLoss,
    PolynomialTail,
    SoftmaxCrossEntropy,
    Square,
)
from ibcore.models.activations import LeakyReLU, SquaredReLU, Tanh
from ibcore.models.attention import Attention
from ibcore.models.base import Model
from ibcore.models.convolutional import Convolutional
from ibcore.models.deep_linear import DeepLinear
from ibcore.models.diagonal import Diagonal
from ibcore.models.linear import Linear
from ibcore.models.margins import Margins
from ibcore.models.network import ACTIVATIONS, Network
from ibcore.models.neuron import HiddenNeuron, Neuron
from ibcore.models.residual import ResidualSquares
from ibcore.models.sums import Sum
from ibcore.models.two_layer import TwoLayerReLU
from ibcore.models.unshared_diagonal import UnsharedDiagonal
from ibcore.models.wide import WideNetwork

MEMBERS, EXAMPLES, FEATURES = 3, 6, 4
DTYPES = {"float64": torch.float64, "float32": torch.float32}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@dataclass(frozen=True)
class Case:
    """A model by its inputs."""

    build: Callable[[Tensor], Model]


def _labels(inputs: Tensor) -> Tensor:
    return torch.where(torch.arange(EXAMPLES) % 2 == 0, 1.0, -1.0).to(inputs)


def _tokens(inputs: Tensor) -> Tensor:
    """Three tokens an input, (..., n, 3, d)."""
    return torch.stack([inputs, inputs.flip(-1), 0.5 * inputs.square()], -2)


CASES = {
    "linear": Case(Linear),
    "linear with offset": Case(lambda x: Linear(x, torch.linspace(-1, 1, EXAMPLES))),
    "diagonal": Case(lambda x: Diagonal(x, 3)),
    "unshared diagonal": Case(UnsharedDiagonal),
    "deep linear": Case(lambda x: DeepLinear(x, (3, 2))),
    "convolutional": Case(lambda x: Convolutional(x, 2)),
    "two layers, ReLU": Case(lambda x: Network(x, (5,), LeakyReLU(), biases=False)),
    "two layers, squared ReLU": Case(
        lambda x: Network(x, (5,), SquaredReLU(), biases=False)
    ),
    "two layers with biases": Case(lambda x: TwoLayerReLU(x, 5)),
    "squares with lower terms": Case(lambda x: ResidualSquares(x, 5)),
    "hidden layer": Case(
        lambda x: Network(x, (2,), LeakyReLU(0.3), biases=False, output=[1.0, -2.0])
    ),
    "neuron, tanh": Case(lambda x: Neuron(x, Tanh())),
    "hidden neuron, leaky": Case(lambda x: HiddenNeuron(x, LeakyReLU(0.5))),
    "sum": Case(
        lambda x: Sum(
            [Linear(x), Network(x, (2,), SquaredReLU(), biases=False)], [4, 10]
        )
    ),
    "margins": Case(
        lambda x: Margins(Network(x, (3,), LeakyReLU(), biases=False), _labels(x))
    ),
    **{
        f"network, {name}": Case(lambda x, name=name: Network(x, (5, 3), name))
        for name in ACTIVATIONS
    },
    "network, three outputs": Case(lambda x: Network(x, (5,), "tanh", out=3)),
    "network without biases": Case(lambda x: Network(x, (5,), "elu", biases=False)),
    "attention": Case(lambda x: Attention(_tokens(x), _tokens(x)[..., 0])),
    "two hidden layers, fixed outputs": Case(
        lambda x: Network(x, (5, 2), "tanh", output=[[1.0, -2.0], [0.5, 3.0]])
    ),
    "network, biases of hidden layers": Case(
        lambda x: Network(x, (5, 3), "softplus", biases="hidden")
    ),
    "affine map": Case(lambda x: Network(x, (), out=2)),
    "one hidden layer, tanh": Case(lambda x: Network(x, (5,), "tanh")),
    "wide network": Case(lambda x: WideNetwork(x, (5, 3), bias=0.5)),
}
LOSSES: dict[str, Loss] = {
    "exponential": Exponential(),
    "logistic": Logistic(),
    "polynomial tail": PolynomialTail(2.0),
    "convex tail": ConvexTail(2.0),
    "cross entropy of margins": CrossEntropy(2),
    "square": Square(),
    "log cosh": LogCosh(),
    "softmax cross entropy": SoftmaxCrossEntropy(),
}


def inputs(
    *, shared: bool, dtype: torch.dtype = torch.float64, device: str = "cpu"
) -> Tensor:
    """(n, d) or, each member its own, (B, n, d)."""
    shape = (EXAMPLES, FEATURES) if shared else (MEMBERS, EXAMPLES, FEATURES)
    draw = torch.randn(shape, generator=torch.Generator().manual_seed(1111001))
    return draw.to(device, dtype)


def parameters(model: Model, seed: int = 1111002) -> Tensor:
    """Normal parameters (B, P) for a model of the cases."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(MEMBERS, model.dimension, generator=generator)  # type: ignore[attr-defined]
    return draw.to(model.like)  # type: ignore[attr-defined]


def targets(loss: Loss, outputs: Tensor, *, shared: bool = True) -> Tensor | None:
    """What the loss compares these outputs with."""
    if isinstance(loss, MarginLoss):
        return None
    generator = torch.Generator().manual_seed(1111003)
    shape = outputs.shape[1:] if shared else outputs.shape
    if isinstance(loss, SoftmaxCrossEntropy):
        return torch.randint(outputs.shape[-1], shape[:-1], generator=generator).to(
            outputs.device
        )
    return torch.randn(shape, generator=generator).to(outputs)


def normal(*shape: int, seed: int) -> Tensor:
    """Standard normal numbers in double precision."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def separable(seed: int = 1112001) -> tuple[Objective, Tensor]:
    """Margins of a two-layer network of 4 neurons on 12 separable points, and five
    starts.
    """
    X = normal(12, 3, seed=seed)
    y = X[:, 0].sign()
    net = Network(X + y[:, None], (4,), LeakyReLU(0.2), biases=False)
    margins = Margins(net, y)
    return Objective(margins, Exponential()), normal(5, 16, seed=seed + 1)


def least_squares(members: int = 3) -> tuple[Objective, Tensor]:
    """Members with targets of their own, and starts."""
    X, y = normal(8, 4, seed=1112003), normal(members, 8, seed=1112004)
    return Objective(Linear(X), Square(), y, shared=False), normal(
        members, 4, seed=1112005
    )
