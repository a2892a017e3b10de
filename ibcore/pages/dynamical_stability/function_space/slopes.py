"""Networks whose gradients in the inputs and in the first layer are compared, with and
without a way past it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.directions import Momentum
from ibcore.dynamics.interpolation import interpolating
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Square
from ibcore.measures.sharpness import exact_trace
from ibcore.models.base import with_fields
from ibcore.models.linear import Linear
from ibcore.models.network import Network
from ibcore.models.sums import Sum
from ibcore.threads import threads

ARCHITECTURES = (
    ("tanh", (40,)),
    ("relu", (40,)),
    ("tanh", (15, 15)),
    ("relu", (15, 15)),
)
INPUTS, SAMPLES, SLOPE, NOISE = 5, 15, 5.0, 0.5
FITTED = 1e-8  # of the loss


@dataclass(frozen=True)
class Labeled:
    """B data sets: inputs X (B, n, d) of length sqrt(d), labels y (B, n) nearly linear
    in them, seeds of the starts.
    """

    X: Tensor
    y: Tensor
    seeds: tuple[int, ...]


def labeled(seeds: Sequence[int], device: torch.device) -> Labeled:
    """15 inputs on the sphere of radius sqrt(5), labels 5 v.x + N(0, 1/4) with |v| = 1,
    for every seed.
    """
    inputs, labels = [], []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        X = torch.randn(SAMPLES, INPUTS, generator=generator, dtype=torch.float64)
        X = X / X.norm(dim=-1, keepdim=True) * math.sqrt(INPUTS)
        v = torch.randn(INPUTS, generator=generator, dtype=torch.float64)
        noise = torch.randn(SAMPLES, generator=generator, dtype=torch.float64)
        inputs.append(X)
        labels.append(SLOPE * X @ v / v.norm() + NOISE * noise)
    return Labeled(
        torch.stack(inputs).to(device), torch.stack(labels).to(device), tuple(seeds)
    )


@dataclass(frozen=True)
class Slopes:
    """Of B trained networks with the first layer W_1.

    loss, largest, trace: (B,), the loss, |W_1|_2 and the trace of the Hessian, which is
    NaN where it was not asked for.
    by_input, by_first, lengths: (B, n), |grad_x f(x_i)|, |grad_W1 f(x_i)|_F and |x_i|.
    first: W_1, (B, m, d).
    """

    loss: Tensor
    first: Tensor
    by_input: Tensor
    by_first: Tensor
    lengths: Tensor
    trace: Tensor

    @property
    def fitted(self) -> Tensor:
        return self.loss < FITTED

    @property
    def bound(self) -> Tensor:
        """|W_1|_2 |grad_W1 f(x_i)|_F / |x_i|, (B, n)."""
        largest = torch.linalg.matrix_norm(self.first, 2)
        return largest[:, None] * self.by_first / self.lengths


@threads()
def trained_slopes(
    data: Labeled, activation: str, widths: tuple[int, ...], *, skip: bool = False
) -> Slopes:
    """A network of every data set, trained by gradient descent with momentum and then
    moved to a loss of zero.

    skip: a linear map x -> s.x beside the network, trained with it from the
    least-squares fit on.
    """
    network = Network(data.X, widths, activation)
    draws = [
        network.initial(1, torch.Generator().manual_seed(seed + 1))
        for seed in data.seeds
    ]
    theta, model = torch.cat(draws), network
    if skip:
        model, theta = _with_skip(data, network, theta)
    objective = Objective(model, Square(), data.y, shared=False)
    run = explicit.descend(
        objective,
        theta,
        constant(0.01),
        steps=[1000],
        direction=Momentum(0.9),
        max_seconds=math.inf,
    )
    theta = interpolating(model, run.last, data.y, steps=8)
    return slopes(objective, network, theta, trace=not skip)


def _with_skip(data: Labeled, network: Network, theta: Tensor) -> tuple[Any, Tensor]:
    """The sum of the network and a linear map, and its start."""
    model = Sum((network, Linear(data.X)), (network.dimension, INPUTS))
    fit = torch.linalg.lstsq(data.X, data.y[..., None]).solution[..., 0]
    return model, torch.cat([theta, fit], -1)


def slopes(
    objective: Any, network: Network, theta: Tensor, *, trace: bool = True
) -> Slopes:
    """What is compared, at theta (B, P), whose first entries are the parameters of
    `network`.
    """
    first = network.matrices(theta[:, : network.dimension])[0]
    jacobian = objective.model.jacobian(theta)
    return Slopes(
        objective.mean(theta),
        first,
        torch.linalg.vector_norm(input_gradients(objective.model, theta), dim=-1),
        torch.linalg.vector_norm(jacobian[..., : first[0].numel()], dim=-1),
        torch.linalg.vector_norm(network.inputs, dim=-1),
        exact_trace(objective, theta)
        if trace
        else theta.new_full(theta.shape[:1], math.nan),
    )


def input_gradients(model: Any, theta: Tensor) -> Tensor:
    """grad_x f(x_i), (B, n, d), by automatic differentiation in the inputs."""
    parts: Any = model.parts if isinstance(model, Sum) else (model,)
    inputs = parts[0].inputs.detach().clone().requires_grad_()
    with torch.enable_grad():
        moved = [with_fields(part, inputs=inputs) for part in parts]
        whole = Sum(moved, model.dimensions) if isinstance(model, Sum) else moved[0]
        (gradient,) = torch.autograd.grad(whole.outputs(theta).sum(), inputs)
    return gradient
