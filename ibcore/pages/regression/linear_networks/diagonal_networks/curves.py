"""The l1 excess over the scale of the start: of minimizers of Q_alpha on long paths,
and of trained networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.evidence import attempt
from ibcore.measures.members import column, rows
from ibcore.oracles.basis_pursuit import BasisPursuit, excess_bound, excess_near
from ibcore.oracles.least_squares import minimum_norm
from ibcore.oracles.q_alpha import q_alpha_minimizer, q_alpha_path, start_scale
from ibcore.pages.regression.linear_networks.diagonal_networks.networks import (
    Case,
    train,
)
from ibcore.problems.sparse_regression import runners_up

PATH = (100.0, 10.0, 1.0, *(10.0 ** (-k / 2) for k in range(1, 25)))
SMALL = (1e-4, 1e-6)  # scales between which exponents of trained networks are read
ROUNDING = 1e-11  # least excess from which an exponent is read


@dataclass(frozen=True)
class Curves:
    """The minimizers of Q_alpha for B data sets at the K scales `PATH`.

    excess: (B, K), of the l1 norm over basis pursuit, relative.
    bound: (B, K), on it.
    exponents: (B,), of the excess in alpha at its end, over 2 slack.
    far: (B,), of the distance to the least l2 solution between alpha = 10 and 100.
    residual: (B,), of the data by the minimizers, relative, the largest.
    """

    excess: Tensor
    bound: Tensor
    exponents: Tensor
    far: Tensor
    residual: Tensor


def curves(cases: Sequence[Case]) -> tuple[Curves, tuple[str, ...]]:
    """The curves of all data sets, NaN where one broke down, and why."""
    found, broken = attempt(curve, cases)
    return Curves(
        rows([one.excess for one in found], len(PATH)),
        rows([one.bound for one in found], len(PATH)),
        column([one.exponents for one in found]),
        column([one.far for one in found]),
        column([one.residual for one in found]),
    ), broken


def curve(case: Case) -> Curves:
    """Of one data set, without B; the excess is read over the two decades of alpha in
    which it comes down to 1e-11.
    """
    X, y = case.data.X, case.data.y
    path = q_alpha_path(X, y, PATH)
    betas = torch.stack([one.primal for one in path])
    excess = case.excess(betas)
    away = (betas[:2] - minimum_norm(X, y).weights).norm(dim=-1)
    last = int((excess > ROUNDING).cumprod(0).sum()) - 1
    decades = math.log10(PATH[last - 4] / PATH[last])
    exponent = torch.log10(excess[last - 4] / excess[last]) / decades
    return Curves(
        excess,
        bounds(case.pursuit, PATH),
        exponent / (2 * case.pursuit.slack),
        torch.log10(away[0] / away[1]),
        torch.tensor([one.residual for one in path]).double().max(),
    )


def bounds(pursuit: BasisPursuit, alphas: Sequence[float]) -> Tensor:
    """The proved bound on the l1 excess at each of `alphas`, (K,)."""
    return column([excess_bound(pursuit, start_scale(alpha)) for alpha in alphas])


@dataclass(frozen=True)
class Falls:
    """Two networks trained on each of B data sets from the scales `SMALL`, by their l1
    excess over basis pursuit.

    exponents: (B,), of the excess in alpha, over 2 slack.
    bounded: (B,), the larger excess over its bound.
    """

    exponents: Tensor
    bounded: Tensor


def falls(cases: Sequence[Case]) -> tuple[Falls, tuple[str, ...]]:
    """The falls of all data sets, NaN where a network broke down, and why."""
    found, broken = attempt(fall, cases)
    return Falls(
        column([one.exponents for one in found]),
        column([one.bounded for one in found]),
    ), broken


def fall(case: Case) -> Falls:
    """Of one data set, without B."""
    excess = case.excess(torch.stack([train(case.data, alpha) for alpha in SMALL]))
    decades = math.log10(SMALL[0] / SMALL[1])
    exponent = torch.log10(excess[0] / excess[1]) / decades
    return Falls(
        exponent / (2 * case.pursuit.slack),
        (excess / bounds(case.pursuit, SMALL)).max(),
    )


def attained() -> Tensor:
    """Excesses over their bounds, (6,), for one equation whose d - 1 runners-up lag by
    log d / log(1/c).
    """
    return column(
        [
            _share_of_bound(d, alpha)
            for d in (100, 10_000)
            for alpha in (1e-4, 1e-8, 1e-16)
        ]
    )


def _share_of_bound(d: int, alpha: float) -> float:
    scale = start_scale(alpha)
    data = runners_up(d, math.log(d) / math.log(1 / scale))
    dual = torch.ones(1, dtype=torch.float64)
    pursuit = BasisPursuit(data.truth, dual, float(1 - data.X[0, 1]), 0.0, 0.0)
    beta = q_alpha_minimizer(data.X, data.y, alpha).primal
    return float(excess_near(pursuit, data.X, beta)) / excess_bound(pursuit, scale)
