"""Questions for a number, a list of numbers, or an expression in named variables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ibcore.questions.base import Question, Reply
from ibcore.questions.grammar import Expression, NotAnExpression, parse
from ibcore.validation import InvalidInput, real_tensor

Given = str | float | Sequence[float]
Values = tuple[tuple[float, ...], ...]
POINTS = 6
# Fractions of these roots fill an interval evenly, and differ from one another.
ROOTS = (2.0, 3.0, 5.0, 7.0, 11.0)
SIGN = "The size is right, the sign is not."
FACTOR = "It is off by a factor of two."


@dataclass(frozen=True)
class Number(Question):
    """A number, or a list of numbers.

    answer: a number, an expression such as "1 + sqrt(2)", or a list of either.
    hints: what to say to typical wrong answers. Without being asked it is also said
        where only the sign or a factor of two is wrong.
    tolerance: the error that is accepted, relative to the answer (to 1 where that is
        zero).
    """

    prompt: str
    answer: Given
    hints: Mapping[str | float, str] = field(default_factory=dict)
    tolerance: float = 0.01

    kind = "value"

    def __post_init__(self) -> None:
        missed = [one for one in self.hints if self.judge(one).text != self.hints[one]]
        if missed:
            raise InvalidInput(
                f"{self.prompt!r} has hints for {missed}, which is the answer itself or "
                "what an earlier hint is for. Remove them or lower the tolerance."
            )

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The variables, with the interval in which each is compared."""
        return {}

    def points(self) -> list[dict[str, float]]:
        """Where answers are compared; without variables there is one such place."""
        return [
            {
                name: round(
                    low + (high - low) * ((place + 0.5) * math.sqrt(root) % 1), 4
                )
                for (name, (low, high)), root in zip(
                    self.ranges.items(), ROOTS, strict=False
                )
            }
            for place in range(POINTS if self.ranges else 1)
        ]

    def values(self, given: object) -> Values:
        """What is given at all points, a row for each of its parts; raises
        `NotAnExpression`.
        """
        if isinstance(given, str):
            parts = [parse(given, self.ranges)]
        elif isinstance(given, list | tuple) and any(isinstance(x, str) for x in given):
            parts = [parse(str(part), self.ranges) for part in given]
        else:
            return tuple((x,) * len(self.points()) for x in _flat(given))
        return tuple(row for part in parts for row in self._rows(part))

    def _rows(self, part: Expression) -> Iterator[tuple[float, ...]]:
        return zip(*(part.at(point) for point in self.points()), strict=True)

    def allowed(self) -> Values:
        """How far an answer may be off, for each part and point."""
        right = self.values(self.answer)
        largest = [max(map(abs, row)) for row in right]
        return tuple(
            tuple(self.tolerance * (max(abs(x), top / 20) or 1) for x in row)
            for row, top in zip(right, largest, strict=True)
        )

    def wrong(self) -> Iterator[tuple[Values, str]]:
        """Wrong answers that have a hint."""
        yield from ((self.values(one), hint) for one, hint in self.hints.items())
        right = np.array(self.values(self.answer))
        for factor, hint in ((-1, SIGN), (2, FACTOR), (0.5, FACTOR)):
            yield tuple(map(tuple, (factor * right).tolist())), hint

    def judge(self, answer: object) -> Reply:
        try:
            given = self.values(answer)
        except NotAnExpression as error:
            return Reply("unreadable", str(error))
        right = self.values(self.answer)
        if len(given) != len(right):
            return Reply("unreadable", _count(len(given), len(right)))
        if not np.isfinite(given).all():
            return Reply("unreadable", "This is not a finite number everywhere.")
        if self._near(given, right):
            return Reply("right")
        for place, (wrong, hint) in enumerate(self.wrong()):
            if self._near(given, wrong):
                return Reply("wrong", hint, place)
        return Reply("wrong")

    def _near(self, given: Values, wanted: Values) -> bool:
        if len(given) != len(wanted):
            return False
        return bool((np.abs(np.subtract(given, wanted)) <= self.allowed()).all())

    @property
    def options(self) -> Sequence[str]:
        return ()

    @property
    def said(self) -> Sequence[str]:
        return [hint for _, hint in self.wrong()]

    def key(self) -> dict[str, object]:
        return {
            "points": self.points(),
            "right": self.values(self.answer),
            "allowed": self.allowed(),
            "wrong": [values for values, _ in self.wrong()],
            "wanted": self.wanted,
        }

    @property
    def wanted(self) -> str:
        parts = len(self.values(self.answer))
        several = f"{parts} " if parts > 1 else ""
        if self.ranges:
            one = several or "an "
            names = ", ".join(self.ranges)
            return f"{one}expression{'s' * bool(several)} in {names}"
        return f"{several}numbers" if several else "a number"


@dataclass(frozen=True)
class Formula(Number):
    """An expression in named variables, compared numerically at several points.

    variables: the interval in which each variable is compared.
    """

    variables: Mapping[str, tuple[float, float]] = field(kw_only=True)
    tolerance: float = field(default=1e-3, kw_only=True)

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        return self.variables


def _flat(given: object) -> list[float]:
    """The numbers in a number, list, array or tensor."""
    if isinstance(given, float | int) and not math.isfinite(given):
        raise NotAnExpression("This is not a finite number.")
    try:
        found = real_tensor("the answer", given).detach().cpu().double()
    except InvalidInput as error:
        raise NotAnExpression(str(error)) from None
    return found.flatten().tolist()


def _count(got: int, expected: int) -> str:
    if expected == 1:
        return f"One value is expected, not {got}; a decimal point is written as 0.5."
    return f"{expected} values are expected, separated by commas, not {got}."
