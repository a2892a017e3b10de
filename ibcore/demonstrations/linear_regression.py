"""Which interpolant of linear data a method reaches, on pictures in the plane; and what random interpolants are worth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.stats import spearmanr
from torch import Tensor

from ibcore.oracles.least_squares import minimum_norm
from ibcore.problems.interpolation import isotropic_interpolation

RADII = (0.3, 1.0, 3.0)  # |w - X^+ y| over the norm of the part of w* that the data do not show


@dataclass(frozen=True)
class Interpolants:
    """Random interpolants of one problem, by their radius r over |P_null w*|.

    errors, risks: |w - w*|^2 and the mean square error on 50 fresh points a draw, (draws,).
    predicted: |P_null w*|^2 + r^2.      least: |P_null w*|^2, the risk of X^+ y.
    norms, spread: |w| and test error on 1000 common points of 400 interpolants of random radius, (400,).
    rank, guided: Spearman correlation of these two; the same for a w* with a long part in null(X), v leaning to it.
    """

    errors: dict[float, Tensor]
    risks: dict[float, Tensor]
    predicted: dict[float, float]
    least: float
    norms: Tensor
    spread: Tensor
    rank: float
    guided: float
    residual: float


def random_interpolants(seed: int, draws: int, device: torch.device, fresh: int = 50) -> Interpolants:
    """`draws` random interpolants of 30 points in 100 dimensions, each tested on `fresh` points of its own."""
    generator = torch.Generator().manual_seed(seed)
    data = isotropic_interpolation(30, 100, generator).to(device)
    X, truth = data.X, data.truth
    base = minimum_norm(X, data.y).weights
    hidden = base - truth
    size = torch.linalg.vector_norm(hidden)
    v = data.null_directions(draws, generator)
    points = torch.randn(draws, fresh, X.shape[-1], generator=generator, dtype=X.dtype).to(device)
    along, across = points @ hidden, (points @ v[..., None])[..., 0]
    errors = {r: (hidden + r * size * v).square().sum(-1) for r in RADII}
    risks = {r: (along + r * size * across).square().mean(-1) for r in RADII}
    radii = 3 * size * torch.rand(400, 1, generator=generator, dtype=X.dtype).to(device)
    some = base + radii * v[:400]
    common = points[:20].flatten(0, 1)
    spread = (common @ (some - truth).T).square().mean(0)
    norms = torch.linalg.vector_norm(some, dim=-1)
    far = base - 10 * hidden  # another truth with the same labels, whose hidden part is ten times as long
    towards = v[:400] - hidden / size
    leaning = base + 5 / 3 * radii * towards / torch.linalg.vector_norm(towards, dim=-1, keepdim=True)
    guided = spearmanr(torch.linalg.vector_norm(leaning, dim=-1).cpu(),
                       (common @ (leaning - far).T).square().mean(0).cpu()).statistic
    fit = torch.linalg.vector_norm(some @ X.T - data.y, dim=-1) / torch.linalg.vector_norm(data.y)
    least = float(size.square())
    return Interpolants({r: e.cpu() for r, e in errors.items()}, {r: e.cpu() for r, e in risks.items()},
                        {r: least * (1 + r * r) for r in RADII}, least, norms.cpu(), spread.cpu(),
                        float(spearmanr(norms.cpu(), spread.cpu()).statistic), float(guided), float(fit.max()))
