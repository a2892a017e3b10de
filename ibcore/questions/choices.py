"""Questions that are answered by choosing among options, or by ordering steps."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ibcore.questions.base import LETTERS, Question, Reply, letters
from ibcore.validation import InvalidInput

RIGHT = None


@dataclass(frozen=True)
class Choice(Question):
    """One option of several, also for *find the wrong step*.

    choices: the options in the order in which they are shown, each with what to say to
        it, and RIGHT for the one that is right.
    """

    prompt: str
    choices: Mapping[str, str | None]

    kind = "choice"

    def __post_init__(self) -> None:
        if list(self.choices.values()).count(RIGHT) != 1:
            raise InvalidInput(
                f"{self.prompt!r} needs exactly one option that is RIGHT."
            )

    def judge(self, answer: object) -> Reply:
        found = letters(answer)
        if found is None or len(found) != 1 or found[0] >= len(self.choices):
            return Reply("unreadable", f"Expected is {self.wanted}.")
        hint = list(self.choices.values())[found[0]]
        return Reply("right") if hint is RIGHT else Reply("wrong", hint, found[0])

    @property
    def options(self) -> Sequence[str]:
        return list(self.choices)

    @property
    def said(self) -> Sequence[str]:
        return [hint or "" for hint in self.choices.values()]

    def key(self) -> dict[str, object]:
        return {"right": list(self.choices.values()).index(RIGHT)}

    @property
    def wanted(self) -> str:
        *first, last = list(LETTERS[: len(self.choices)])
        return f"{', '.join(first)} or {last}"


@dataclass(frozen=True)
class Order(Question):
    """Steps of a proof to be put in order.

    text: the steps in an order that is right, each begun by "- "; other lines go on
        with a step. Each step needs the one before it.
    needs: exceptions: the number of a step (the first is 0), and those that it needs.
    hint: what to say to every wrong order, beside which step comes too early.
    """

    prompt: str
    text: str
    needs: Mapping[int, Sequence[int]] = field(default_factory=dict)
    hint: str = ""

    kind = "order"

    def __post_init__(self) -> None:
        late = [one for one, needed in self.needs.items() if {*needed} - {*range(one)}]
        if len(self.steps) < 3 or late:
            raise InvalidInput(
                f"{self.prompt!r} has {len(self.steps)} steps, of which {late} need a "
                "later one. Write three at least, in an order that is right."
            )

    @property
    def steps(self) -> Sequence[str]:
        """The steps in the order of the text."""
        _, *steps = re.split(r"^ *- ", self.text, flags=re.MULTILINE)
        return [" ".join(step.split()) for step in steps]

    def _needed(self, step: int) -> Sequence[int]:
        return self.needs.get(step, range(max(step - 1, 0), step))

    @property
    def shown(self) -> Sequence[int]:
        """The steps in the order in which they are shown: shuffled by their words, and
        wrong from the first step on.
        """
        orders = itertools.permutations(sorted(range(len(self.steps)), key=self._rank))
        return next(order for order in orders if self._too_early(order) == 0)

    def _rank(self, step: int) -> str:
        return hashlib.sha256(self.steps[step].encode()).hexdigest()

    def _too_early(self, order: Sequence[int]) -> int | None:
        """The place of the first step that stands before one that it needs."""
        for place, step in enumerate(order):
            if not set(self._needed(step)) <= set(order[:place]):
                return place
        return None

    def judge(self, answer: object) -> Reply:
        found = letters(answer)
        if found is None or sorted(found) != list(range(len(self.steps))):
            return Reply("unreadable", f"Expected are {self.wanted}.")
        place = self._too_early([self.shown[letter] for letter in found])
        if place is None:
            return Reply("right")
        why = f"{early(place, LETTERS[found[place]])} {self.hint}"
        return Reply("wrong", why.strip(), 0)

    @property
    def options(self) -> Sequence[str]:
        return [self.steps[step] for step in self.shown]

    @property
    def said(self) -> Sequence[str]:
        return [self.hint]

    def key(self) -> dict[str, object]:
        """Which of the shown steps each of them needs."""
        place = {step: number for number, step in enumerate(self.shown)}
        needs = [[place[one] for one in self._needed(step)] for step in self.shown]
        return {"needs": needs}

    @property
    def wanted(self) -> str:
        many = len(self.steps)
        return f"{many} letters in order, such as {LETTERS[:many]!r}"


def early(place: int, letter: str) -> str:
    """What is wrong with an order, in words."""
    standing = {0: "", 1: "The first can stand. "}
    opening = standing.get(place, f"The first {place} can stand. ")
    return f"{opening}Step {letter} needs one that comes later."
