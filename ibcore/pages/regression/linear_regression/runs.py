"""Interpolants of one problem that are drawn at random, and their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from ibcore.oracles.least_squares import minimum_norm
from ibcore.problems.interpolation import isotropic_interpolation
from ibcore.threads import threads

Cloud = tuple[np.ndarray, np.ndarray, float, float]

RADII = (
    0.3,
    1.0,
    3.0,
)  # |w - X^+ y| over the norm of the part of w* that the data do not show


@dataclass(frozen=True)
class Interpolants:
    """Random interpolants of one problem, by their radius r over |P_null w*|.

    errors, risks: |w - w*|^2 and the mean square error on 50 fresh points a draw, (draws,).
    predicted: |P_null w*|^2 + r^2.      least: |P_null w*|^2, the risk of X^+ y.
    aimless, leaning: |w| and test error on 1000 common points of 400 interpolants of random radius, then |X^+ y|
    and its expected test error; with v uniform, and with v leaning to a w* that has a ten times longer hidden part.
    rank, guided: Spearman correlation of norm and test error in the one case and in the other.
    """

    errors: dict[float, Tensor]
    risks: dict[float, Tensor]
    predicted: dict[float, float]
    least: float
    aimless: Cloud
    leaning: Cloud
    rank: float
    guided: float
    residual: float


@threads()
def random_interpolants(
    seed: int, draws: int, device: torch.device, fresh: int = 50
) -> Interpolants:
    """`draws` random interpolants of 30 points in 100 dimensions, each tested on `fresh` points of its own."""
    generator = torch.Generator().manual_seed(seed)
    data = isotropic_interpolation(30, 100, generator).to(device)
    X, truth = data.X, data.truth
    base = minimum_norm(X, data.y).weights
    hidden = base - truth
    size = torch.linalg.vector_norm(hidden)
    v = data.null_directions(draws, generator)
    points = torch.randn(
        draws, fresh, X.shape[-1], generator=generator, dtype=X.dtype
    ).to(device)
    along, across = points @ hidden, (points @ v[..., None])[..., 0]
    errors = {r: (hidden + r * size * v).square().sum(-1) for r in RADII}
    risks = {r: (along + r * size * across).square().mean(-1) for r in RADII}
    radii = 3 * size * torch.rand(400, 1, generator=generator, dtype=X.dtype).to(device)
    towards = v[:400] - hidden / size
    leaning = base + 5 / 3 * radii * towards / torch.linalg.vector_norm(
        towards, dim=-1, keepdim=True
    )
    common, far, some = (
        points[:20].flatten(0, 1),
        base - 10 * hidden,
        base + radii * v[:400],
    )
    aimless, guided = (
        _cloud(some, truth, base, common),
        _cloud(leaning, far, base, common),
    )
    fit = torch.linalg.vector_norm(
        torch.cat([some, leaning]) @ X.T - data.y, dim=-1
    ) / torch.linalg.vector_norm(data.y)
    least = float(size.square())
    return Interpolants(
        {r: e.cpu() for r, e in errors.items()},
        {r: e.cpu() for r, e in risks.items()},
        {r: least * (1 + r * r) for r in RADII},
        least,
        aimless,
        guided,
        _rank(aimless),
        _rank(guided),
        float(fit.max()),
    )


def _rank(cloud: Cloud) -> float:
    return float(spearmanr(cloud[0], cloud[1]).statistic)


def _cloud(w: Tensor, target: Tensor, base: Tensor, points: Tensor) -> Cloud:
    errors = (points @ (w - target).T).square().mean(0)
    return (
        torch.linalg.vector_norm(w, dim=-1).cpu().numpy(),
        errors.cpu().numpy(),
        float(base.norm()),
        float((base - target).square().sum()),
    )
