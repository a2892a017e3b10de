"""The exercises of all pages, and `check`, which judges a reader's answers to them.

The questions of a page stand in the module `exercises` of its room, as a dictionary
EXERCISES from the label of an exercise to a question or a list of questions. The built
page shows them as fields to fill in, and a notebook asks them with `check`: the answers
are the same.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
import re
from collections.abc import Mapping, Sequence

from ibcore import pages
from ibcore.output import put
from ibcore.questions import Question
from ibcore.questions.base import LETTERS
from ibcore.validation import InvalidInput

ROLE = re.compile(r"\{[\w:]+\}`([^`]+)`")


@functools.cache
def exercises() -> Mapping[str, Sequence[Question]]:
    """The questions of all exercises by their labels."""
    found: dict[str, Sequence[Question]] = {}
    for module in pkgutil.walk_packages(pages.__path__, f"{pages.__name__}."):
        if module.name.rpartition(".")[2] != "exercises":
            continue
        own = importlib.import_module(module.name).EXERCISES
        for label, asked in own.items():
            if label in found:
                raise InvalidInput(f"Two exercises are called {label!r}.")
            found[label] = [asked] if isinstance(asked, Question) else list(asked)
    return found


def check(label: str, *answers: object) -> None:
    """Say whether answers to the exercise `label` are right; without answers, ask.

    answers: one for each question, in order; None leaves one out. A number may be a
    float, a Fraction, an expression such as "1 + sqrt(2)", a list, an array or a
    tensor; an expression is text, such as "2*eta*x^2"; options and steps go by their
    letters.

    >>> from ibcore.exercises import check
    >>> check("balance-ex-limit", 2**0.5 + 1, "b")
    1. Right.
    2. Right.
    """
    questions = exercises().get(label)
    if questions is None:
        near = difflib.get_close_matches(label, exercises(), n=3)
        raise InvalidInput(
            f"No exercise is called {label!r}. "
            + (f"Near are: {', '.join(near)}." if near else "Its page names it.")
        )
    if answers and len(answers) != len(questions):
        raise InvalidInput(
            f"{label} has {len(questions)} question(s), got {len(answers)} answer(s). "
            "Give None for those that you leave out."
        )
    put(
        "\n".join(
            _asked(label, questions) if not answers else _judged(questions, answers)
        )
    )


def _asked(label: str, questions: Sequence[Question]) -> list[str]:
    lines = []
    for number, question in enumerate(questions, 1):
        opening = f"{number}. " if len(questions) > 1 else ""
        lines.append(f"{opening}{plain(question.prompt)} ({question.wanted})")
        lines += [
            f"   {letter}) {plain(option)}"
            for letter, option in zip(LETTERS, question.options, strict=False)
        ]
    wanted = ", ".join(["your answer", *["the next"] * (len(questions) - 1)])
    return [*lines, f'Answer with check("{label}", {wanted}).']


def _judged(questions: Sequence[Question], answers: Sequence[object]) -> list[str]:
    several = len(questions) > 1
    return [
        (f"{number}. " if several else "") + plain(str(question.judge(answer)))
        for number, (question, answer) in enumerate(
            zip(questions, answers, strict=True), 1
        )
        if answer is not None
    ]


def plain(text: str) -> str:
    """Markdown for a terminal: formulas without dollar signs, references by name."""
    return ROLE.sub(r"\1", text.replace("$", ""))
