"""What all questions have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["right", "wrong", "unreadable"]
NOT_YET = "Not yet."


@dataclass(frozen=True)
class Reply:
    """What is said to an answer.

    hint: the number among the hints of the question, or None for a sentence of its own.
    """

    outcome: Outcome
    text: str = ""
    hint: int | None = None

    def __str__(self) -> str:
        opening = {"right": "Right.", "wrong": NOT_YET, "unreadable": ""}
        return " ".join(filter(None, (opening[self.outcome], self.text)))


class Question(ABC):
    """A question whose answer can be checked.

    Prompts, options and hints are Markdown with formulas between dollar signs.
    """

    kind: str
    prompt: str

    @abstractmethod
    def judge(self, answer: object) -> Reply:
        """What is said to an answer."""

    @property
    @abstractmethod
    def options(self) -> Sequence[str]:
        """What is shown below the prompt under the letters a, b, c, ..."""

    @property
    @abstractmethod
    def said(self) -> Sequence[str]:
        """All hints that a reply may name."""

    @abstractmethod
    def key(self) -> dict[str, object]:
        """What the page needs to judge an answer, as JSON."""

    @property
    @abstractmethod
    def wanted(self) -> str:
        """In words, what an answer looks like in a notebook."""


LETTERS = "abcdefghijklmnopqrstuvwxyz"


def letters(answer: object) -> list[int] | None:
    """The places in the alphabet that "b", "bca", "b, c, a" or ["b", "c", "a"] names."""
    if isinstance(answer, str):
        text = answer
    elif isinstance(answer, list | tuple) and all(isinstance(x, str) for x in answer):
        text = "".join(answer)
    else:
        return None
    found = [LETTERS.find(sign) for sign in text.lower() if sign not in " ,;)>."]
    return found if found and min(found) >= 0 else None
