"""Diagonal networks in regression watched while they train: from sparse to dense, and
on the level sets of Q_alpha.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ibcore.dynamics.stiff_flow import stiff_flow
from ibcore.figures import figure
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.oracles.basis_pursuit import basis_pursuit, excess_near
from ibcore.oracles.q_alpha import q_alpha_path, q_value, start_scale
from ibcore.pages.regression.linear_networks.diagonal_networks.figures import (
    plot_excess_paths,
    plot_plane,
    plot_vector,
)
from ibcore.pages.regression.linear_networks.diagonal_networks.networks import train
from ibcore.problems.sparse_regression import Regression, sparse_regression

ALPHAS = (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
DEPTHS = (2, 3, 4)
PLANE_ALPHAS = (0.01, 0.1, 0.2, 0.4, 1.0)
PLANE_DEPTHS = (2, 3)
_PATH = tuple(10.0 ** (k / 4) for k in range(-16, 4))
_SEED = 3


@functools.cache
def two_of_thirty() -> Regression:
    """Ten equations for thirty unknowns, two of which are not zero."""
    return sparse_regression(10, 30, 2, torch.Generator().manual_seed(_SEED))


@functools.cache
def excess_paths() -> tuple[Tensor, Tensor]:
    """Scales alpha (K,) and relative l1 excesses (3, K) of the minimizers of Q_alpha,
    for `DEPTHS`.
    """
    data = two_of_thirty()
    pursuit = basis_pursuit(data.X, data.y)
    excess = torch.full((len(DEPTHS), len(_PATH)), torch.nan, dtype=torch.float64)
    for row, depth in zip(excess, DEPTHS, strict=True):
        usable = [alpha for alpha in _PATH if start_scale(alpha, depth) > 1e-11]
        betas = [one.primal for one in q_alpha_path(data.X, data.y, usable, depth)]
        row[-len(usable) :] = excess_near(pursuit, data.X, torch.stack(betas))
    return torch.tensor(_PATH, dtype=torch.float64), excess


def explore_recovery(alpha: float, depth: int) -> tuple[Figure, str]:
    """The trained vector over the truth, beside how far the l1 norm is from the least
    at every scale.
    """
    data = two_of_thirty()
    beta = train(data, alpha, depth, tolerance=1e-6, target_loss=1e-12)
    excess = float(beta.abs().sum()) / float(data.truth.abs().sum()) - 1
    fig, (left, right) = figure(2, height=3.1, width_ratios=(1.25, 1))
    plot_vector(left, beta.numpy(), data.truth.numpy())
    alphas, paths = excess_paths()
    plot_excess_paths(
        right, alphas.numpy(), paths.numpy(), DEPTHS, (alpha, max(excess, 1e-9), depth)
    )
    used = int((beta.abs() > 0.01 * beta.abs().max()).sum())
    return fig, (
        f"Depth {depth}, alpha = {alpha:g}: {used} of 30 coefficients are above one "
        f"percent of the largest, and the l1 norm is {100 * max(excess, 0.0):.3g} "
        "percent above the least possible."
    )


EQUATION = Regression(
    torch.tensor([[0.8, 1.2]], dtype=torch.float64),
    torch.tensor([1.2], dtype=torch.float64),
    torch.tensor([0.0, 1.0], dtype=torch.float64),
)


@functools.cache
def plane_path(alpha: float, depth: int) -> Tensor:
    """beta (K, 2) along training on one equation with two unknowns, in steps of at most
    0.06.
    """
    net = Diagonal(EQUATION.X, depth)
    start = even_start(2, torch.tensor([alpha], dtype=torch.float64))[0]
    end = stiff_flow(net, EQUATION.y, start, tolerance=1e-8, target_loss=1e-20)
    times = np.linspace(0, end.time, 41)[1:]
    for _ in range(8):
        run = stiff_flow(
            net, EQUATION.y, start, tolerance=1e-8, target_loss=0, times=times
        )
        betas = torch.cat([net.coefficients(start)[None], net.coefficients(run.path)])
        wide = ((betas[1:] - betas[:-1]).norm(dim=1) > 0.06).numpy()
        if not wide.any():
            break
        before = np.concatenate([[0.0], times[:-1]])
        between = [
            np.linspace(low, high, 6)[1:-1]
            for low, high in zip(before[wide], times[wide], strict=True)
        ]
        times = np.sort(np.concatenate([times, *between]))
    return betas


def explore_level_sets(alpha: float, depth: int) -> tuple[Figure, str]:
    """The path of (beta_1, beta_2) over the level sets of Q_alpha, up to the line of
    interpolants.
    """
    path = plane_path(alpha, depth)
    first, second = np.linspace(-0.25, 1.25, 41), np.linspace(-0.25, 1.25, 41)
    grid = torch.from_numpy(np.stack(np.meshgrid(first, second), -1))
    heights = q_value(grid, start_scale(alpha, depth), depth).numpy()
    end = path[-1]
    level = float(q_value(end, start_scale(alpha, depth), depth))
    fig, ax = figure(height=4.2, width=4.6)
    plot_plane(
        ax,
        path.numpy(),
        (first, second, heights / level),
        EQUATION.X[0].numpy(),
        float(EQUATION.y),
    )
    return fig, (
        f"Depth {depth}, alpha = {alpha:g}: training ends at ({float(end[0]):.3f}, "
        f"{float(end[1]):.3f}), where a level set of Q_alpha touches the line. Least "
        "l1 is (0, 1), least l2 is (0.462, 0.692)."
    )
