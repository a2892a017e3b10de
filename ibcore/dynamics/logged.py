"""A pace that writes the loss of every step into a table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ibcore.dynamics.directions import State
from ibcore.dynamics.objective import Point
from ibcore.dynamics.paces import Scheduled


@dataclass(frozen=True)
class Logged:
    """The pace `inner`, which also writes log L before every step into a table, (T, B),
    at the columns `members`.
    """

    inner: Scheduled
    table: Tensor
    members: Tensor
    open = True
    restart = False

    @classmethod
    def of(cls, inner: Scheduled, like: Tensor, steps: int) -> Logged:
        """For `steps` steps of members theta (B, P) `like`; the table begins with
        NaN.
        """
        table = like.new_full((steps, len(like)), torch.nan)
        return cls(inner, table, torch.arange(len(like), device=like.device))

    def begin(self, point: Point) -> State:
        return self.inner.begin(point)

    def log_step(self, step: int, point: Point, state: State) -> Tensor:
        self.table[step, self.members] = point.log_loss
        return self.inner.log_step(step, point, state)

    def judge(self, before: Point, after: Point, state: State) -> tuple[Tensor, State]:
        return self.inner.judge(before, after, state)

    def select(self, members: Tensor) -> Logged:
        return replace(
            self, inner=self.inner.select(members), members=self.members[members]
        )
