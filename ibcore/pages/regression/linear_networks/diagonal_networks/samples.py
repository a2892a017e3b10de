"""How many Gaussian equations a minimizer of Q_alpha needs to find a sparse target."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.oracles.q_alpha import q_alpha_minimizer
from ibcore.problems.sparse_regression import Regression, sparse_regression

RECOVERED = 0.025  # |beta - truth|^2 / |truth|^2, the relative error on new inputs


def nonzeros(d: int) -> int:
    """Of the sparse targets in d dimensions: five percent."""
    return max(2, d // 20)


def predicted_samples(d: int) -> float:
    """2 k log(d/k) + 5 k / 4 + 1 Gaussian equations, enough for basis pursuit
    (Chandrasekaran et al. 2012).
    """
    k = nonzeros(d)
    return 2 * k * math.log(d / k) + 5 * k / 4 + 1


def targets(
    setting: Setting, d: int, streams: int, support: int | None = None
) -> tuple[Regression, ...]:
    """d equations for each of `streams` targets in d dimensions, `support` of whose
    entries are not zero.
    """
    return tuple(
        sparse_regression(
            d, d, support or nonzeros(d), torch.Generator().manual_seed(seed)
        )
        for seed in setting.seeds(streams, f"samples {d}")
    )


def samples_needed(data: Sequence[Regression], scales: Sequence[float]) -> Tensor:
    """Least numbers of equations with which each target is found, (scales, targets)."""
    return torch.tensor(
        [[least_count(one, alpha) for one in data] for alpha in scales],
        dtype=torch.float64,
    )


def least_count(data: Regression, alpha: float) -> int:
    """By bisection: the error falls with the sample, up to small rises that do not
    count.
    """
    low, high = 0, len(data.X)
    while high - low > 1:
        middle = (low + high) // 2
        found = recovery_error(data.first(middle), alpha) <= RECOVERED
        low, high = (low, middle) if found else (middle, high)
    return high


def recovery_error(data: Regression, alpha: float) -> float:
    """|beta - truth|^2 / |truth|^2 of the minimizer of Q_alpha."""
    beta = q_alpha_minimizer(data.X, data.y, alpha).primal
    return float((beta - data.truth).square().sum() / data.truth.square().sum())
