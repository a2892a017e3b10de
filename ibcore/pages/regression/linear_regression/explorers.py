"""One example, two parameters: which interpolant a method reaches."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.mirror_descent import mirror_descent
from ibcore.figures import figure
from ibcore.oracles.bregman_projection import bregman_projection
from ibcore.pages.regression.linear_regression.figures import plot_plane
from ibcore.pages.regression.linear_regression.runs import follow
from ibcore.potentials import Hypentropy, PNorm, Potential

PLANE_X, PLANE_Y = (1.0, 2.0), 2.0
STARTS = {
    "at the origin": (0.0, 0.0),
    "on the left": (-2.0, 0.5),
    "below": (0.5, -2.0),
    "beyond the line": (1.5, 2.2),
}
MIRRORS: dict[str, Potential] = {
    "mirror descent, p = 1.5": PNorm(1.5),
    "mirror descent, p = 6": PNorm(6.0),
    "mirror descent, hypentropy": Hypentropy(0.01),
}
ROUTES = ("gradient descent", "heavy ball", "Adam", *MIRRORS)
_LIMIT = 3.0


def explore_route(route: str, start: str) -> tuple[Figure, str]:
    """The line of interpolants, the run, and the level set that touches the line."""
    X = torch.tensor([PLANE_X], dtype=torch.float64)
    y = torch.tensor([PLANE_Y], dtype=torch.float64)
    w0 = torch.tensor(STARTS[start], dtype=torch.float64)
    psi = MIRRORS.get(route, PNorm(2.0))
    best = bregman_projection(X, y, w0, psi)
    path = (
        _mirror_route(X, y, w0, route, best.dual)
        if route in MIRRORS
        else _thinned(follow(X, y, w0, route, 0.1))
    )
    fig, ax = figure(width=5.2, height=4.6)
    levels = _levels(psi, w0, best.w)
    plot_plane(ax, X[0].numpy(), PLANE_Y, path.numpy(), best.w.numpy(), levels, _LIMIT)
    return fig, _sentence(route, start, path[-1], best.w)


def _sentence(route: str, start: str, end: Tensor, aim: Tensor) -> str:
    where = f"({end[0]:.2f}, {end[1]:.2f})".replace("-0.00", "0.00")
    begin = f"{route[0].upper()}{route[1:]}, started {start}, ends at {where}"
    away = float((end - aim).norm())
    if away >= 1e-6:
        return (
            f"{begin}. That fits as well, but lies {away:.2f} away from the closest "
            "interpolant."
        )
    if route in MIRRORS:
        return f"{begin}: the interpolant of least divergence."
    return f"{begin}: the closest interpolant."


def _thinned(path: Tensor) -> Tensor:
    """At most 50 of the iterates (K, d), dense at the beginning."""
    return path[np.unique(np.geomspace(1, len(path), 50).round().astype(int)) - 1]


def _mirror_route(X: Tensor, y: Tensor, w0: Tensor, route: str, dual: Tensor) -> Tensor:
    """The curve of the iterates, grad psi(w) - grad psi(w_0) along x, to its end."""
    psi = MIRRORS[route]
    run = mirror_descent(X[None], y[None], w0[None], psi)
    shares = torch.linspace(0, 1, 31, dtype=torch.float64)[:, None]
    curve = psi.unmirror(psi.mirror(w0) + shares * (dual @ X))
    return torch.cat([curve[:-1], run.last])


def _levels(psi: Potential, w0: Tensor, best: Tensor) -> np.ndarray:
    """D(w, w_0) - D(best, w_0) on a grid of the plane."""
    axis = torch.linspace(-_LIMIT, _LIMIT, 61, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    slope = psi.mirror(w0)
    least = (psi.value(best) - slope * best).sum()
    return ((psi.value(grid) - slope * grid).sum(-1) - least).numpy()
