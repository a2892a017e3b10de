"""`check` in a notebook, and the answers of the book against what the package computes."""

from __future__ import annotations

import math

import pytest

from ibcore.exercises import check, exercises
from ibcore.questions import Choice, Formula, Order
from ibcore.questions.base import LETTERS
from ibcore.validation import InvalidInput


def right(question):
    """An answer that is right."""
    if isinstance(question, Choice):
        return LETTERS[question.key()["right"]]
    if isinstance(question, Order):
        return "".join(
            LETTERS[question.shown.index(step)] for step in range(len(question.steps))
        )
    return question.answer


@pytest.mark.parametrize("label", exercises())
def test_the_answers_of_the_book_are_right_and_others_are_not(label, capsys):
    questions = exercises()[label]
    check(label, *map(right, questions))
    assert capsys.readouterr().out.count("Right.") == len(questions)
    check(label, *("zzz" for _ in questions))
    assert "Right." not in capsys.readouterr().out


@pytest.mark.parametrize("label", exercises())
def test_without_answers_the_questions_are_asked(label, capsys):
    check(label)
    asked = capsys.readouterr().out
    assert asked.endswith(".\n")
    assert f'check("{label}", your answer' in asked
    assert "$" not in asked
    for question in exercises()[label]:
        assert f"({question.wanted})" in asked


def test_an_answer_may_be_left_out(capsys):
    check("balance-ex-limit", None, "b")
    assert capsys.readouterr().out == "2. Right.\n"


def test_a_hint_names_an_equation_without_marks(capsys):
    check("ex-another-start", None, "a")
    assert "Look at eq-remainder: which" in capsys.readouterr().out


def test_a_label_that_is_mistyped_is_suggested():
    with pytest.raises(InvalidInput, match="Near are: balance-ex-limit"):
        check("balance-ex-limits", 1)
    with pytest.raises(InvalidInput, match=r"2 question\(s\), got 1"):
        check("balance-ex-limit", 1)


def test_label_noise_shrinks_the_imbalance_as_the_exact_factor_of_a_step_does():
    [law] = exercises()["balance-ex-noise"]
    assert isinstance(law, Formula)
    exact = "D*(1 - 4*eta^2*sigma^2)^N"
    assert law.judge(exact).outcome == "right"


def test_the_one_example_follows_its_flow():
    law, product = exercises()["ex-one-example"]
    for point, *w in zip(law.points(), *law.values(law.answer), strict=True):
        margin = 3 * w[0] + 4 * w[1]
        slope = [x / (1 + 25 * point["t"]) for x in (3, 4)]
        assert [x * math.exp(-margin) for x in (3, 4)] == pytest.approx(slope)
    loss = 1 / (1 + 25)
    assert product.judge(1 * loss * 25).outcome == "right"
