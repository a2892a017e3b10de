"""A small network on six points of a circle, watched until its neurons stand where
theory says.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.sphere_flow import sphere_flow
from ibcore.figures import figure
from ibcore.measures.kkt import clarke_kkt, kkt
from ibcore.models.activations import Activation, LeakyReLU, SquaredReLU
from ibcore.models.margins import Margins
from ibcore.models.network import Network
from ibcore.pages.classification.homogeneous_networks.kkt_points.figures import (
    plot_history,
    plot_neurons,
)
from ibcore.validation import one_of

ACTIVATIONS: dict[str, Activation] = {
    "ReLU": LeakyReLU(),
    "squared ReLU": SquaredReLU(),
}
ANGLES = (20, 75, 130, 185, 240, 300)
LABELS = (1, 1, -1, 1, -1, -1)
STAGES = (0, 30, 60, 90, 120, 160, 220, 300, 450, 700)
_WIDTH, _STEP = 12, 0.02


def circle_points() -> tuple[Tensor, Tensor]:
    """Six points on the unit circle, X (6, 2) and y (6,), which no line through the
    origin separates.
    """
    angles = torch.deg2rad(torch.tensor(ANGLES, dtype=torch.float64))
    return torch.stack([angles.cos(), angles.sin()], 1), torch.tensor(
        LABELS, dtype=torch.float64
    )


@dataclass(frozen=True)
class Path:
    """States of one network at `STAGES` steps and at the end: unit parameters (K, P),
    growth of log |theta| (K,), least margins on the unit sphere (K,), KKT residuals
    (K,), with Clarke's slopes for ReLU, and kinks (K,).
    """

    net: Network
    directions: Tensor
    growth: np.ndarray
    margins: np.ndarray
    residuals: np.ndarray
    kinks: tuple[int, ...]


@functools.cache
def training_path(activation: str) -> Path:
    """Directions of `sphere_flow` for an activation of `ACTIVATIONS` from one random
    start.

    It is gradient flow in the first steps and an annealed maximization of the margin
    later. The state at a stage is that of a short run with steps of relative length
    0.02, settled by shorter steps that add little to |theta|. Raises `InvalidInput` for
    an unknown activation.
    """
    phi = ACTIVATIONS[one_of("activation", activation, ACTIVATIONS)]
    X, y = circle_points()
    net = Network(X, (_WIDTH,), phi, biases=False)
    model = Margins(net, y)
    generator = torch.Generator().manual_seed(2)
    draw = torch.randn(1, net.dimension, generator=generator, dtype=X.dtype)
    theta = 0.2 * draw.roll(-_WIDTH, -1)  # output weights are drawn first
    began = float(theta.norm().log())
    directions, growth = [theta[0] / theta.norm()], [0.0]
    for steps in STAGES[1:]:
        run = sphere_flow(
            model,
            theta,
            degree=net.degree,
            steps=2 * steps,
            coarsest=_STEP,
            finest=1e-4,
            window=5,
        )
        directions.append(run.direction[0])
        growth.append(float(run.log_norm[-1, 0]) - began)
    states = torch.stack(directions)
    margins = model.outputs(states).amin(-1)
    measured = [_residual(net, y, state) for state in states]
    return Path(
        net,
        states,
        np.array(growth),
        margins.numpy(),
        np.array([r for r, _ in measured]),
        tuple(count for _, count in measured),
    )


def _residual(net: Network, y: Tensor, state: Tensor) -> tuple[float, int]:
    """KKT residual of a unit vector and the number of kinks; 1 while an example is
    misclassified.
    """
    margins = Margins(net, y)
    values = margins.outputs(state[None])[0]
    if not bool((values > 0).all()):
        return 1.0, 0
    if net.phi.smooth:
        return kkt(
            state, values, margins.jacobian(state[None])[0], active=0.05
        ).residual, 0
    found = clarke_kkt(*net.neurons(state), net.inputs, y, active=0.05)
    return found.residual, len(found.kinks)


def explore_training(stage: int, activation: str) -> tuple[Figure, str]:
    """The neurons in the plane beside margin and residual, at one of `STAGES`."""
    path, k = training_path(activation), STAGES.index(stage)
    X, y = circle_points()
    a, w = path.net.neurons(path.directions[k])
    fig, (left, right) = figure(2, height=3.3)
    plot_neurons(left, X.numpy(), y.numpy(), a.numpy(), w.numpy())
    plot_history(
        right,
        path.growth,
        np.maximum(path.margins / path.margins[-1], 0),
        path.residuals,
        k,
    )
    if path.margins[k] <= 0:
        return fig, f"{activation}, {stage} steps: a point is still misclassified."
    on_kinks = (
        ""
        if path.net.phi.smooth
        else f" {path.kinks[k]} pairs of a neuron and a point are on a kink."
    )
    return fig, (
        f"{activation}, {stage} steps: all points are correct; the normalized margin "
        f"is {path.margins[k] / path.margins[-1]:.0%} of its last value, the KKT "
        f"residual {path.residuals[k]:.2g}.{on_kinks}"
    )
