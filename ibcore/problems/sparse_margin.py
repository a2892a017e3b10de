"""Classification data with a sparse separator: drawn at random, or around a known l1
max-margin solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.problems.separable import Classification
from ibcore.validation import (
    InvalidInput,
    not_drawn,
    positive_integer,
    positive_number,
)

_DRAWS = 10_000
_CONDITION = 2.5  # bound on the condition number of the square system that fixes a planted solution


@dataclass(frozen=True)
class PlantedL1(Classification):
    """Data whose l1 max-margin program min |w|_1 s.t. y_i w.x_i >= 1 has the known
    solution `primal` (d,).

    dual: lambda (n,) >= 0 with |A^T lambda| <= 1, rows y_i x_i of A, and equality on
    the support of the primal.
    slacks: 1 - |A^T lambda| on the other coordinates, in their order.
    """

    primal: Tensor
    dual: Tensor
    slacks: Tensor


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _signs(generator: torch.Generator, n: int) -> Tensor:
    return torch.randint(2, (n,), generator=generator).double() * 2 - 1


def _uniform(generator: torch.Generator, n: int, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=generator, dtype=torch.float64)


def sparse_teacher(
    n: int, d: int, support: int, margin: float, generator: torch.Generator
) -> Classification:
    """n Gaussian points at distance at least `margin` from the hyperplane of a teacher
    with `support` equal entries.

    The entries have random signs; x = y (margin + |g|) teacher + N(0, I) orthogonal to
    it, g ~ N(0, 1).
    """
    positive_integer("n", n)
    positive_integer("support", support)
    positive_integer("d", d, least=support)
    positive_number("margin", margin)
    teacher = torch.zeros(d, dtype=torch.float64)
    teacher[:support] = _signs(generator, support) / support**0.5
    return _beside(teacher, n, margin, generator)


def planted_l1(
    n: int,
    support: int,
    slacks: Sequence[float],
    margin: float,
    generator: torch.Generator,
) -> PlantedL1:
    """n points in support + len(slacks) dimensions around a solution with `support`
    nonzero entries and active points.

    The solution's entries lie between 1/2 and 3/2 before it is scaled to |w|_1 = 1 /
    margin, so that the l1 margin is `margin`; the other points have margins from 1.2
    up. Off the support, coordinate j is a random column whose product with lambda is
    scaled to 1 - slacks[j] up to sign. The optimality conditions hold by construction.
    Raises `InvalidInput` for a support so large that random systems of its size are not
    well conditioned.
    """
    positive_integer("support", support)
    positive_integer("n", n, least=support)
    positive_number("margin", margin)
    gaps = torch.tensor(list(slacks), dtype=torch.float64)
    if not bool(((gaps > 0) & (gaps <= 1)).all()):
        raise InvalidInput(
            f"slacks are {tuple(slacks)}, expected numbers above 0 and at most 1."
        )
    signs = _signs(generator, support)
    w = signs * _uniform(generator, support, 0.5, 1.5)
    dual = _uniform(generator, support, 0.5, 1.5)
    dual = dual * w.abs().sum() / dual.sum()
    block = _block(w, dual, signs, generator)
    away = _normal(generator, n - support, support)
    margins = 1.2 + _normal(generator, n - support).abs()
    away = away + ((margins - away @ w) / w.square().sum())[:, None] * w
    columns = _columns(dual, gaps, n, generator)
    signed = margin * w.abs().sum() * torch.cat([torch.cat([block, away]), columns], 1)
    return _shuffled(signed, w, dual, gaps, margin * float(w.abs().sum()), generator)


def _block(
    w: Tensor, dual: Tensor, signs: Tensor, generator: torch.Generator
) -> Tensor:
    """M with M w = 1 and M^T dual = signs (consistent as dual.1 = |w|_1), condition
    number at most `_CONDITION`.

    A random rotation is corrected by two matrices of rank one, again and again until
    the bound holds.
    """
    for _ in range(_DRAWS):
        rotation = torch.linalg.qr(_normal(generator, len(w), len(w))).Q
        rows = rotation + (1 - rotation @ w)[:, None] * w / w.square().sum()
        rows = rows + dual[:, None] * (signs - rows.T @ dual) / dual.square().sum()
        if torch.linalg.cond(rows) <= _CONDITION:
            return rows
    raise not_drawn(
        f"a system of {len(w)} active points with a condition number of at most "
        f"{_CONDITION}",
        _DRAWS,
        "Take a smaller support.",
    )


def _columns(dual: Tensor, gaps: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Columns (n, len(gaps)) whose products with the dual, on the first rows, are 1 -
    gaps up to sign.
    """
    columns = _normal(generator, n, len(gaps)) / 4
    on = columns[: len(dual)]
    target = _signs(generator, len(gaps)) * (1 - gaps)
    columns[: len(dual)] = on + dual[:, None] * (
        (target - on.T @ dual) / dual.square().sum()
    )
    return columns


def _shuffled(
    signed: Tensor,
    w: Tensor,
    dual: Tensor,
    gaps: Tensor,
    scale: float,
    generator: torch.Generator,
) -> PlantedL1:
    n, d = signed.shape
    rows, columns = (
        torch.randperm(n, generator=generator),
        torch.randperm(d, generator=generator),
    )
    primal = torch.cat([w, torch.zeros_like(gaps)])[columns] / scale
    slacks = torch.cat([torch.full_like(w, torch.nan), gaps])[columns]
    y = _signs(generator, n)
    full_dual = torch.cat([dual, dual.new_zeros(n - len(dual))])[rows] / scale
    return PlantedL1(
        y[:, None] * signed[rows][:, columns],
        y,
        primal,
        full_dual,
        slacks[~slacks.isnan()],
    )


def wave_teacher(
    n: int, d: int, waves: int, margin: float, generator: torch.Generator
) -> Classification:
    """As `sparse_teacher`, for a teacher that is a sum of `waves` cosines of equal size
    and random phases.

    Their frequencies are different integers between 0 and d / 2, both excluded.
    """
    positive_integer("n", n)
    positive_integer("waves", waves)
    positive_integer("d", d, least=2 * waves + 1)
    positive_number("margin", margin)
    frequencies = torch.randperm((d - 1) // 2, generator=generator)[:waves] + 1
    phases = _uniform(generator, waves, 0.0, 2 * torch.pi)
    teacher = torch.cos(
        2 * torch.pi * frequencies[:, None] * torch.arange(d) / d + phases[:, None]
    ).sum(0)
    return _beside(teacher / teacher.norm(), n, margin, generator)


def _beside(
    teacher: Tensor, n: int, margin: float, generator: torch.Generator
) -> Classification:
    y = _signs(generator, n)
    across = _normal(generator, n, len(teacher))
    across = across - (across @ teacher)[:, None] * teacher
    return Classification(
        across + (y * (margin + _normal(generator, n).abs()))[:, None] * teacher, y
    )
