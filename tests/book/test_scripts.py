"""The scripts of the pages against the package: they read the same expressions and say
the same to an answer.
"""

from __future__ import annotations

import itertools
import math
import random

import pytest
from environment import ROOT

from ibcore.exercises import exercises
from ibcore.questions import Choice, Order
from ibcore.questions.base import LETTERS
from ibcore.questions.grammar import FUNCTIONS, NotAnExpression, parse

SCRIPTS = ROOT / "book" / "_static" / "checks"
POINT = {"x": 0.75, "eta": 1.5, "lambda": -2.0}
PARSED = """([texts, point]) => texts.map((text) => {
  try {
    return ibChecks.parse(text, Object.keys(point))(point);
  } catch (error) {
    if (error instanceof ibChecks.NotAnExpression) return error.message;
    throw error;
  }
})"""
JUDGED = (
    "(cases) => cases.map(([kind, key, answer]) => ibChecks.judges[kind](key, answer))"
)


@pytest.fixture(scope="module")
def scripts(chromium):
    """An empty page with the scripts that have no part in it."""
    page = chromium.new_page()
    for name in ("expression", "judge"):
        page.add_script_tag(path=SCRIPTS / f"{name}.js")
    yield page
    page.close()


def written(rng: random.Random, depth: int) -> str:
    """A random expression."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(
            [*POINT, "pi", "e", "η", "2", "0", "1.5", ".5", "3.", "1e-3", "2E+2", "007"]
        )
    parts = [written(rng, depth - 1) for _ in range(2)]
    kind = rng.randrange(5)
    if kind == 0:
        name = rng.choice(sorted(FUNCTIONS))
        return f"{name}({', '.join(parts[: FUNCTIONS[name][0]])})"
    if kind == 1:
        return f"({parts[0]})"
    if kind == 2:
        return rng.choice("+-") + parts[0]
    gap = rng.choice(["", " "])
    sign = rng.choice(["+", "-", "*", "/", "^", "**", "·", "\N{MINUS SIGN}"])
    return gap.join([parts[0], sign, parts[1]])


def damaged(rng: random.Random, text: str) -> str:
    """The text with a sign more or less."""
    place = rng.randrange(len(text) + 1)
    if rng.random() < 0.4:
        return text[:place] + text[place + 1 :]
    return text[:place] + rng.choice("()[],+-*/^.= e1xy²_@") + text[place:]


def in_python(text: str) -> list[float | str] | str:
    try:
        return parse(text, POINT).at(POINT)
    except NotAnExpression as error:
        return str(error)


def test_both_read_the_same_expressions(scripts):
    rng = random.Random(7)  # noqa: S311
    sound = [written(rng, rng.randrange(1, 5)) for _ in range(1500)]
    lists = [f"{a}, {b}" for a, b in itertools.pairwise(sound[:100])]
    texts = [*sound, *lists, *(f"[{text}]" for text in lists)]
    texts += [damaged(rng, text) for text in texts for _ in range(2)]
    texts += [
        "",
        " ",
        "()",
        "(1,)",
        "((1,2))",
        "([1,2])",
        "[(1,2)]",
        "(1,2)+3",
        "1" * 201,
    ]
    refused = finite = 0
    for text, theirs in zip(
        texts, scripts.evaluate(PARSED, [texts, POINT]), strict=True
    ):
        ours = in_python(text)
        if isinstance(ours, str):
            refused += 1
            assert isinstance(theirs, str), text
        else:
            finite += all(map(math.isfinite, ours))
            same = pytest.approx(ours, rel=1e-9, abs=1e-12, nan_ok=True)
            assert theirs == same, text
    assert refused > 500
    assert finite > 1500


@pytest.mark.parametrize("text", ["2 x", "x(2)", "y", "(1", "sqrt(1, 2)", "x = 1", ""])
def test_both_refuse_in_the_same_words(scripts, text):
    assert scripts.evaluate(PARSED, [[text], POINT]) == [in_python(text)]


def answers(question) -> list[tuple[object, object]]:
    """Answers as they are given in a notebook, and as the page gives them."""
    if isinstance(question, Choice):
        return [(LETTERS[at], at) for at in range(len(question.options))]
    if isinstance(question, Order):
        orders = itertools.permutations(range(len(question.options)))
        return [("".join(LETTERS[at] for at in order), list(order)) for order in orders]
    texts = [
        question.answer,
        *question.hints,
        "7.25",
        "0",
        "1, 2, 3",
        "huh",
        "1/0",
        "2 x",
    ]
    texts += [
        f"1.005*({question.answer})",
        f"-({question.answer})",
        f"({question.answer})/2",
    ]
    return [(text, text) for text in map(str, texts)]


def test_both_say_the_same_to_an_answer(scripts):
    cases, replies = [], []
    for question in itertools.chain.from_iterable(exercises().values()):
        for ours, theirs in answers(question):
            cases.append([question.kind, question.key(), theirs])
            replies.append(question.judge(ours))
    for case, said, reply in zip(
        cases, scripts.evaluate(JUDGED, cases), replies, strict=True
    ):
        assert said["outcome"] == reply.outcome, case
        assert said.get("hint") == reply.hint, case
        assert reply.outcome == "unreadable" or reply.text.startswith(
            said.get("text", "")
        ), case
    assert {reply.outcome for reply in replies} == {"right", "wrong", "unreadable"}
