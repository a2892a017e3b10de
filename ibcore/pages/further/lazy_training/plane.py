"""Networks on a line whose neurons are points of a plane, (w_j, b_j), from lazy to
rich.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.dynamics.square_flow import square_flow
from ibcore.models.two_layer import TwoLayerReLU
from ibcore.oracles.kernels import kernel_interpolant, output_layer_kernel
from ibcore.threads import threads
from ibcore.validation import regression_data

_ACCURATE, _MOST_STEPS = 1e-5, 2500
GRID = 161


@dataclass(frozen=True)
class Line:
    """One network on a line, before and after training.

    x, y: (n,).      grid: (G,).      found: (G,), alpha f.      kernel: (G,),
    regression with the kernel at the start.
    before, after: (m, 2), the points (w_j, b_j).      moved: |W - W_0| / |W_0|.
    gap: largest distance of found and kernel between the first example and the last.
    error: mean square over that of the targets.
    """

    x: Tensor
    y: Tensor
    grid: Tensor
    found: Tensor
    kernel: Tensor
    before: Tensor
    after: Tensor
    moved: float
    gap: float
    error: float


def ring_start(width: int) -> Tensor:
    """Parameters (1, 3 m) with a = 0 and (w_j, b_j) at equal distances on the circle of
    radius sqrt(2).
    """
    angles = (torch.arange(width, dtype=torch.float64) + 0.5) * (2 * math.pi / width)
    w, b = (math.sqrt(2) * part for part in (angles.cos(), angles.sin()))
    return torch.cat([w, b, torch.zeros_like(w)])[None]


def paired_ring(width: int) -> Tensor:
    """The same with every neuron twice, with a = 1 and with a = -1, (1, 3 m)."""
    half = width // 2
    w, b, _ = ring_start(half)[0].split(half)
    one = torch.ones_like(w)
    return torch.cat([w, w, b, b, one, -one])[None]


@threads()
def on_a_line(x: Sequence[float], y: Sequence[float], scale: float, width: int) -> Line:
    """Gradient flow of f towards y / scale, from a = 0 and a ring of hidden weights;
    what is found is scale f.

    It ends at a mean square of 1e-5 of that of the targets, or after 2,500 steps.
    """
    columns = torch.tensor(x, dtype=torch.float64)[:, None]
    inputs, targets = regression_data(columns, torch.tensor(y).double(), single=True)
    model, start = TwoLayerReLU(inputs, width), ring_start(width)
    goal = targets / scale
    size = float(goal.square().mean())
    flow = square_flow(
        model, start, goal, target_loss=_ACCURATE * size, max_steps=_MOST_STEPS
    )
    low, high = float(inputs.min()), float(inputs.max())
    room = 0.12 * (high - low)
    grid = torch.linspace(low - room, high + room, GRID, dtype=torch.float64)
    found = scale * model.on(grid[:, None]).outputs(flow.theta)[0]
    kernel = kernel_interpolant(output_layer_kernel, inputs, targets)(grid[:, None])
    inside = (grid >= low) & (grid <= high)
    before, after = (_points(model, theta) for theta in (start, flow.theta))
    return Line(
        inputs[:, 0],
        targets,
        grid,
        found,
        kernel,
        before,
        after,
        float((after - before).norm() / before.norm()),
        float((found - kernel).abs()[inside].max()),
        float(flow.loss) / size,
    )


def _points(model: TwoLayerReLU, theta: Tensor) -> Tensor:
    w, b = model.hidden(theta)
    return torch.stack([w[0, :, 0], b[0]], -1)
