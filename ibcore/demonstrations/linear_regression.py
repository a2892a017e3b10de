"""Which interpolant of linear data a method reaches, in pictures; and what random interpolants are worth."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics import paces
from ibcore.dynamics.batches import epochs
from ibcore.dynamics.directions import Adam, Momentum
from ibcore.dynamics.events import short_gradient
from ibcore.dynamics.explicit import Run, descend
from ibcore.dynamics.mirror_descent import (
    HypentropyMirror,
    Mirror,
    PowerMirror,
    mirror_descent,
)
from ibcore.dynamics.objective import ModelPoint, Objective
from ibcore.figures.linear_regression import draw_plane
from ibcore.figures.style import figure
from ibcore.losses import Square
from ibcore.models.linear import Linear
from ibcore.oracles.bregman_projection import (
    Hypentropy,
    PNorm,
    Potential,
    bregman_projection,
)
from ibcore.oracles.least_squares import minimum_norm
from ibcore.problems.interpolation import isotropic_interpolation
from ibcore.threads import threads


def _fitted(point: ModelPoint) -> Tensor:
    """Whether |X w - y| is at most 1e-14 |y|, (A,)."""
    size = point.objective.real_targets.norm(dim=-1)
    return point.residuals.norm(dim=-1) <= 1e-14 * size


def _descent(task: Objective, start: Tensor, eta: float) -> Run:
    end, pace = short_gradient(1e-14), paces.constant(eta)
    return descend(task, start, pace, steps=range(1501), until=end)


def _heavy_ball(task: Objective, start: Tensor, eta: float) -> Run:
    return descend(
        task,
        start,
        paces.constant(eta),
        steps=range(801),
        direction=Momentum(0.8),
        until=_fitted,
    )


def _stochastic(task: Objective, start: Tensor, _eta: float) -> Run:
    X = cast("Linear", task.model).inputs
    return descend(
        task,
        start,
        paces.constant(0.5 / float(X.square().sum(-1).max())),
        steps=range(20_001),
        batches=epochs(1, torch.Generator().manual_seed(0)),
        until=_fitted,
        ask_every=len(X),
    )


def _adam(task: Objective, start: Tensor, _eta: float) -> Run:
    return descend(
        task,
        start,
        paces.Cosine(0.05, 1500),
        steps=range(1501),
        direction=Adam(),
        until=lambda point: point.log_loss <= math.log(1e-20),
    )


METHODS = {
    "gradient descent": _descent,
    "heavy ball": _heavy_ball,
    "SGD": _stochastic,
    "Adam": _adam,
}


@threads()
def follow(
    X: Tensor, y: Tensor, start: Tensor, method: str, scale: float = 1.0
) -> Tensor:
    """Every iterate of one of `METHODS` with steps of `scale` / L, from `start` (d,) until it fits: (K, d)."""
    task = Objective(Linear(X), Square(), y)
    eta = scale * len(y) / (2 * float(torch.linalg.matrix_norm(X, 2)) ** 2)
    run = METHODS[method](task, start[None], eta)
    return run.theta[: int(run.steps) + 1, 0]


@threads()
def distance_paths(seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For every method steps and relative distances to the closest interpolant; 10 points in 30 dimensions."""
    data = isotropic_interpolation(10, 30, torch.Generator().manual_seed(seed))
    moved = minimum_norm(data.X, data.y - data.outputs(data.start)).weights
    found = {}
    for name in METHODS:
        path = follow(data.X, data.y, data.start, name)
        kept = np.unique(np.geomspace(1, len(path), 200).astype(int)) - 1
        distance = (path[kept] - data.start - moved).norm(dim=-1) / moved.norm()
        found[name] = (kept + 1.0, distance.numpy())
    return found


PLANE_X, PLANE_Y = (1.0, 2.0), 2.0
STARTS = {
    "at the origin": (0.0, 0.0),
    "on the left": (-2.0, 0.5),
    "below": (0.5, -2.0),
    "beyond the line": (1.5, 2.2),
}
MIRRORS: dict[str, tuple[Mirror, Potential]] = {
    "mirror descent, p = 1.5": (PowerMirror(1.5), PNorm(1.5)),
    "mirror descent, p = 6": (PowerMirror(6.0), PNorm(6.0)),
    "mirror descent, hypentropy": (HypentropyMirror(0.01), Hypentropy(0.01)),
}
ROUTES = ("gradient descent", "heavy ball", "Adam", *MIRRORS)
_LIMIT = 3.0


def draw_route(route: str, start: str) -> tuple[Figure, str]:
    """One point, two parameters: the line of interpolants, the run, and the level set that touches the line."""
    X, y = (
        torch.tensor([PLANE_X], dtype=torch.float64),
        torch.tensor([PLANE_Y], dtype=torch.float64),
    )
    w0 = torch.tensor(STARTS[start], dtype=torch.float64)
    psi = MIRRORS[route][1] if route in MIRRORS else PNorm(2.0)
    best = bregman_projection(X, y, w0, psi)
    path = (
        _mirror_route(X, y, w0, route, best.dual)
        if route in MIRRORS
        else _thinned(follow(X, y, w0, route, 0.1))
    )
    fig, ax = figure(width=5.2, height=4.6)
    draw_plane(
        ax,
        X[0].numpy(),
        PLANE_Y,
        path.numpy(),
        best.w.numpy(),
        _levels(psi, w0.numpy(), best.w.numpy()),
        _LIMIT,
    )
    end, aim = path[-1], best.w
    away, name = float((end - aim).norm()), route[0].upper() + route[1:]
    where = f"({end[0]:.2f}, {end[1]:.2f})".replace("-0.00", "0.00")
    if away < 1e-6:
        kind = (
            "closest interpolant"
            if route not in MIRRORS
            else "interpolant of least divergence"
        )
        return fig, f"{name}, started {start}, ends at {where}: the {kind}."
    return fig, (
        f"{name}, started {start}, ends at {where}. That fits as well, but lies {away:.2f} away from "
        f"the closest interpolant."
    )


def _thinned(path: Tensor) -> Tensor:
    """At most 50 of the iterates (K, d), dense at the beginning, the last among them."""
    return path[np.unique(np.geomspace(1, len(path), 50).round().astype(int)) - 1]


def _mirror_route(X: Tensor, y: Tensor, w0: Tensor, route: str, dual: Tensor) -> Tensor:
    """The curve on which the iterates lie for one example, grad psi(w) - grad psi(w_0) along x, up to the run's end."""
    mirror = MIRRORS[route][0]
    run = mirror_descent(X[None], y[None], w0[None], mirror)
    shares = torch.linspace(0, 1, 31, dtype=torch.float64)[:, None]
    curve = mirror.unmirror(mirror.mirror(w0) + shares * (dual @ X))
    return torch.cat([curve[:-1], run.last])


def _levels(psi: Potential, w0: np.ndarray, best: np.ndarray) -> np.ndarray:
    """D(w, w_0) - D(best, w_0) on a grid of the plane."""
    axis = np.linspace(-_LIMIT, _LIMIT, 61)
    grid = np.stack(np.meshgrid(axis, axis), -1)
    slope = psi.gradient(w0)
    return (psi.value(grid) - slope * grid).sum(-1) - (
        psi.value(best) - slope * best
    ).sum()
