"""A network on a line, by width and step, beside what is predicted without training it."""

from __future__ import annotations

import functools
import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics import explicit
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.figures import figure
from ibcore.losses import Square
from ibcore.models.wide import WideNetwork
from ibcore.oracles.infinite_width import limit_kernel
from ibcore.oracles.linearized import descent_outputs
from ibcore.pages.further.wide_networks.figures import plot_functions, plot_paths

LINE_WIDTHS = (4, 32, 256, 2048)
LINE_STEPS = (0, 30, 300, 3000)
_EXAMPLES = ((-1.5, -0.5, 0.4, 1.4), (-1.0, 0.8, -0.4, 1.2))
_CURVE = tuple(sorted({round(10 ** (k / 6)) for k in range(21)} | set(LINE_STEPS)))


def line_points() -> tuple[Tensor, Tensor, Tensor]:
    """Four inputs (4, 1), their targets (4,), and a grid (41, 1)."""
    inputs, targets = (torch.tensor(part).double() for part in _EXAMPLES)
    return inputs[:, None], targets, torch.linspace(-2, 2, 41).double()[:, None]


@functools.cache
def line_paths(width: int) -> tuple[Tensor, Tensor]:
    """Outputs (K, 45) at examples and grid after the steps of the curve, of a network
    and of its prediction.
    """
    X, y, grid = line_points()
    points = torch.cat([X, grid])
    net, everywhere = (WideNetwork(part, (width,)) for part in (X, points))
    start = net.start(1, torch.Generator().manual_seed(12))
    kernel = limit_kernel(points, X, 1, 1.0)
    tops = [
        float(torch.linalg.eigvalsh(K)[-1])
        for K in (kernel[:4], net.tangent_kernel(start)[0])
    ]
    size = torch.tensor([len(y) / (4 * max(tops))]).double()
    run = explicit.descend(
        Objective(net, Square(), y),
        start,
        constant(size),
        steps=_CURVE,
        watch={"outputs": lambda point, _: everywhere.outputs(point.theta)},
        max_seconds=math.inf,
    )
    seen = run.watched["outputs"]
    predicted = descent_outputs(
        kernel[None], seen[0], y[None], torch.tensor(_CURVE), size
    )
    return seen[:, 0], predicted[:, 0]


def explore_line(width: int, step: int) -> tuple[Figure, str]:
    """The function after a step on the left, the outputs at the examples over all steps
    on the right.
    """
    X, y, grid = line_points()
    network, predicted = line_paths(width)
    now = _CURVE.index(step)
    fig, (left, right) = figure(2, height=3.4)
    plot_functions(
        left,
        grid[:, 0].numpy(),
        network[now, 4:].numpy(),
        predicted[now, 4:].numpy(),
        (X[:, 0].numpy(), y.numpy()),
    )
    plot_paths(
        right,
        torch.tensor(_CURVE).double().numpy(),
        network[:, :4].numpy(),
        predicted[:, :4].numpy(),
        step,
    )
    gap = float((network[now] - predicted[now]).abs().max())
    words = (
        "the network is at its random start, from which the prediction sets out"
        if step == 0
        else f"the network and its prediction differ by {gap:.2g} at most"
    )
    neurons = f"{width:,} neurons after {step:,} steps"
    return fig, f"{neurons}: {words}."
