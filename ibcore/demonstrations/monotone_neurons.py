"""One hidden neuron in the plane, where its path, its regularizer and its solutions can be drawn."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import FunctionObjective
from ibcore.dynamics.paces import Bounded
from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.explore import Choice, Explorer, explore
from ibcore.figures.monotone_neurons import draw_path
from ibcore.figures.style import figure
from ibcore.models.neuron import (
    HiddenNeuron,
    balanced_to,
    leaky_mean_square,
    leaky_relu,
)
from ibcore.oracles.neuron import inverse_leaky, least_regularizer, regularizer
from ibcore.threads import threads

LEAK = 0.5
INPUT, TARGET = (1.0, 0.4), 2.0
IMBALANCES = (0.0, 1.0, 5.0, 100.0)
ANGLES = (60, 110, 160, 250)


@dataclass(frozen=True)
class PlaneRun:
    """A path of u (K, 2), where it ends on the line of zero loss, the minimizer of Q and the shortest solution."""

    path: Tensor
    start: Tensor
    best: Tensor
    shortest: Tensor
    error: float


@functools.cache
def trained(imbalance: float, angle: int) -> PlaneRun:
    """Gradient flow of a sigma(w.x) on one example from u(0) = (cos, sin)(angle in degrees) with a(0) > 0.

    The imbalance delta >= 0 says how u(0) = a w is split: a^2 = (delta + sqrt(delta^2 + 4)) / 2.
    """
    X, y = (
        torch.tensor([INPUT], dtype=torch.float64),
        torch.tensor([TARGET], dtype=torch.float64),
    )
    model = HiddenNeuron(X, leaky_relu(LEAK))
    u = torch.tensor(
        [[math.cos(math.radians(angle)), math.sin(math.radians(angle))]],
        dtype=torch.float64,
    )
    w = u / math.sqrt((imbalance + math.sqrt(imbalance**2 + 4)) / 2)
    start = balanced_to(
        w,
        torch.tensor([imbalance], dtype=torch.float64),
        torch.ones(1, dtype=torch.float64),
    )
    times = np.geomspace(1e-4, 60, 120)
    run = stiff_flow(
        model, y, start[0], target_loss=0, times=list(times), tolerance=1e-10
    )
    z = inverse_leaky(y, LEAK)
    best = least_regularizer(X[None], z[None], model.imbalance(start), w).u[0]
    path = torch.cat([model.product(start), model.product(run.path)])
    error = float((path[-1] - best).norm() / best.norm())
    return PlaneRun(path, w[0], best, X[0] * z / X[0].square().sum(), error)


def draw_neuron(imbalance: float, angle: int) -> tuple[Figure, str]:
    """The path of u = a w over the level lines of the regularizer that belongs to this start."""
    run = trained(imbalance, angle)
    across, up = np.meshgrid(np.linspace(-2.2, 3.8, 61), np.linspace(-2.2, 2.8, 51))
    points = torch.from_numpy(np.stack([across.ravel(), up.ravel()], -1))
    values = regularizer(
        points, torch.full((len(points),), imbalance, dtype=torch.float64), run.start
    )
    fig, ax = figure(height=4.0)
    draw_path(
        ax,
        run.path.numpy(),
        run.best.numpy(),
        run.shortest.numpy(),
        np.array(INPUT),
        TARGET,
        (across, up, values.numpy().reshape(across.shape)),
    )
    away = float((run.best - run.shortest).norm())
    sentence = (
        f"Imbalance {imbalance:g}, start at {angle} degrees: the path ends where Q is least on the line of "
        f"zero loss, {away:.2f} from the shortest."
    )
    return fig, sentence


def neuron_explorer() -> Explorer:
    """The explorer that opens the page."""
    return explore(
        draw_neuron,
        title="A measure of length of its own",
        imbalance=Choice("Imbalance a^2 - |w|^2", IMBALANCES, start=1),
        angle=Choice("Direction of u(0) in degrees", ANGLES, start=1),
    )


@threads()
def drift_by_share(
    shares: tuple[float, ...] = (1.0, 0.5, 0.25), problems: int = 8
) -> list[tuple[float, float, float]]:
    """Descent of the leaky neuron at several step sizes: share, drift of delta, distance from argmin Q at delta(0).

    Medians over `problems` of 5 Gaussian inputs in 20 dimensions, delta(0) = 0; the share is that of the step that
    the bound on the curvature allows.
    """
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(
        problems, 5, 20, generator=generator, dtype=torch.float64
    ) / math.sqrt(20)
    z, w = (
        torch.randn(problems, size, generator=generator, dtype=torch.float64)
        for size in (5, 20)
    )
    sigma, delta = leaky_relu(LEAK), torch.zeros(problems, dtype=torch.float64)
    model, y = HiddenNeuron(X, sigma), sigma.value(z)
    start = balanced_to(
        1.5 * w / w.norm(dim=-1, keepdim=True), delta, torch.ones_like(delta)
    )
    best = least_regularizer(X, inverse_leaky(y, LEAK), delta, start[:, 1:]).u
    objective = FunctionObjective(leaky_mean_square(model, y))
    rows = []
    for share in shares:
        end = descend(
            objective,
            start,
            Bounded(share),
            log_loss=[math.log(1e-12)],
            max_steps=20000,
        ).last
        error = torch.linalg.vector_norm(
            model.product(end) - best, dim=-1
        ) / torch.linalg.vector_norm(best, dim=-1)
        rows.append(
            (share, float(model.imbalance(end).abs().median()), float(error.median()))
        )
    return rows
