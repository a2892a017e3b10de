"""Data in the unit ball with their l2 max-margin solutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ibcore.claim import Setting
from ibcore.measures import sin_angle
from ibcore.oracles.max_margin import MaxMargin, max_margin
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.problems.separable import Classification, planted_margin
from ibcore.validation import binary_data

POINTS, FEATURES = 8, 3
LEAST_MARGIN = 0.4
LEAST_RATE = 0.1  # the remainder decays like t^-rate

Solved = tuple[Classification, MaxMargin]


@dataclass(frozen=True)
class Balls:
    """B data sets with |x_i| <= 1: signed inputs (B, n, d), w_hat (B, d), gamma (B,),
    support (B, n).

    steps: how many every method takes.      rejected: draws that did not meet the
    conditions.
    """

    signed: Tensor
    w_hat: Tensor
    gamma: Tensor
    support: Tensor
    steps: int
    rejected: int

    @classmethod
    def draw(
        cls,
        setting: Setting,
        count: int,
        purpose: str,
        *,
        steps: int,
        angle: float = 0.0,
    ) -> Balls:
        """Margins of at least `LEAST_MARGIN` and rates of at least `LEAST_RATE`.

        The sine of the angle between the l2 and the l_inf optimum is at least `angle`.
        """

        def keep(generator: torch.Generator) -> Solved | None:
            plain = planted_margin(POINTS, FEATURES, 1.5, generator)
            return clear_cut(in_unit_ball(plain), angle)

        kept, rejected = setting.draw(count, purpose, keep)
        return cls._of(kept, setting.device, steps, rejected)

    @classmethod
    def own(cls, setting: Setting, X: object, y: object, *, steps: int) -> Balls:
        """A reader's X (n, d) and y (n,), over the length of the longest input.

        Raises `InvalidInput` for malformed and `NotSeparable` for inseparable ones.
        """
        data = in_unit_ball(Classification(*binary_data(X, y)))
        return cls._of([(data, max_margin(data.X, data.y))], setting.device, steps, 0)

    @classmethod
    def _of(
        cls, solved: Sequence[Solved], device: torch.device, steps: int, rejected: int
    ) -> Balls:
        data, optima = zip(*solved, strict=True)
        signed = torch.stack([one.signed for one in data])
        w_hat = torch.stack([best.primal for best in optima])
        support = torch.stack([best.support for best in optima])
        gamma = signed.new_tensor([best.margin for best in optima])
        return cls(
            signed.to(device),
            w_hat.to(device),
            gamma.to(device),
            support.to(device),
            steps,
            rejected,
        )


def in_unit_ball(data: Classification) -> Classification:
    """The same data over the length of the longest input."""
    longest = data.X.norm(dim=1).max()
    return Classification(data.X / longest if longest > 0 else data.X, data.y)


def clear_cut(data: Classification, angle: float) -> Solved | None:
    """The data with their solution, if they meet the conditions of `Balls.draw`."""
    best = max_margin(data.X, data.y)
    if best.margin < LEAST_MARGIN or best.rate < LEAST_RATE:
        return None
    if angle and not _apart(data, best, angle):
        return None
    return data, best


def _apart(data: Classification, best: MaxMargin, angle: float) -> bool:
    other = norm_max_margin(data.X, data.y, float("inf"))
    return float(sin_angle(other.primal, best.primal)) >= angle
