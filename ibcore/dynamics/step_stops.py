"""Where runs of explicit steps are looked at: numbers of steps, or levels of the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ibcore.dynamics.objective import Point
from ibcore.dynamics.trajectory import (
    passed_message,
)
from ibcore.validation import (
    InvalidInput,
    positive_integer,
    real_number,
)

MOST_STEPS = 10**6


@dataclass(frozen=True)
class StepStops:
    """K stops, or none: numbers of steps, or levels of log L; at most `limit` steps are
    tried.
    """

    values: tuple[float, ...]
    levels: bool
    limit: int

    @classmethod
    def checked(
        cls,
        steps: Sequence[int] | None,
        log_loss: Sequence[float] | None,
        max_steps: int | None,
        *,
        needed: bool,
    ) -> StepStops:
        limit = None if max_steps is None else positive_integer("max_steps", max_steps)
        if steps is None and log_loss is None and not needed:
            return cls((), levels=False, limit=limit or MOST_STEPS)
        if (steps is None) == (log_loss is None):
            raise InvalidInput(
                "pass either steps, rising step numbers, or log_loss, falling levels; "
                "neither where until ends every run."
            )
        if steps is not None:
            numbers = tuple(positive_integer("steps", s, least=0) for s in steps)
            if not numbers or any(b <= a for a, b in pairwise(numbers)):
                raise InvalidInput(
                    f"steps are {list(numbers)[:6]}, expected a rising list of step "
                    "numbers from 0 on."
                )
            most = numbers[-1] if limit is None else min(limit, numbers[-1])
            return cls(numbers, levels=False, limit=most)
        levels = tuple(real_number("log_loss", level) for level in log_loss or ())
        if not levels or any(b >= a for a, b in pairwise(levels)):
            raise InvalidInput(
                f"log_loss is {list(levels)[:6]}, expected a falling list of levels."
            )
        return cls(levels, levels=True, limit=limit or MOST_STEPS)

    def look(self, start: Point) -> None:
        """Refuses a loss in place of its logarithm: a level above 0 that no member
        starts above.
        """
        if self.levels and self.values[-1] > 0:
            first = float(start.log_loss.max())
            if first < self.values[-1]:
                raise InvalidInput(passed_message(self.values[-1], first))
