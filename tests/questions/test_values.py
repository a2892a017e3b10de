"""Numbers and formulas: what is right, what is close, what has a hint."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from ibcore.questions import Formula, Number
from ibcore.questions.values import FACTOR, SIGN
from ibcore.validation import InvalidInput

HALF = Number("?", "1/2", {0.25: "a quarter", "2": "upside down"})
PAIR = Number("?", [1, "sqrt(4)"], {"2, 1": "swapped"})
LAW = Formula(
    "?",
    "2*eta*x^2",
    {"2*eta*x": "squared"},
    variables={"eta": (0.1, 1), "x": (-2, 2)},
)


@pytest.mark.parametrize(
    "answer",
    [
        *(0.5, Fraction(1, 2), "1/2", "0.5", "5e-1", "sqrt(1/4)", np.float32(0.5)),
        *([0.5], np.array(0.5), np.array([[0.5]]), torch.tensor([0.5]), 0.502),
        torch.tensor(0.5, requires_grad=True),
    ],
)
def test_a_number_has_many_forms(answer):
    assert HALF.judge(answer).outcome == "right"


@pytest.mark.parametrize(
    "answer", [[1, 2], (1, 2.0), "1, 2", ["1", "2"], "(1, 2)", np.array([1, 2])]
)
def test_a_list_has_many_forms(answer):
    assert PAIR.judge(answer).outcome == "right"


@pytest.mark.parametrize(
    ("question", "answer", "text"),
    [
        (HALF, 0.51, ""),
        (HALF, 0.25, "a quarter"),
        (HALF, "2", "upside down"),
        (HALF, -0.5, SIGN),
        (HALF, 1, FACTOR),
        (PAIR, [2, 1], "swapped"),
        (LAW, "2*eta*x", "squared"),
        (LAW, "-2*eta*x^2", SIGN),
        (LAW, "eta*x^2", FACTOR),
        (LAW, "2*x^2", ""),
        (LAW, "2.01*eta*x^2", ""),
    ],
)
def test_a_wrong_answer_is_told_apart(question, answer, text):
    reply = question.judge(answer)
    assert (reply.outcome, reply.text) == ("wrong", text)
    assert text == ("" if reply.hint is None else question.said[reply.hint])


@pytest.mark.parametrize("answer", ["2*η*x²", "eta*(x*x + x*x)", "eta*(2*x)^2/2"])
def test_a_formula_is_what_it_computes(answer):
    assert LAW.judge(answer).outcome == "right"


@pytest.mark.parametrize(
    ("question", "answer", "part"),
    [
        (HALF, "half", "not known"),
        (HALF, "0,5", "decimal point"),
        (HALF, "1/0", "finite"),
        (HALF, float("nan"), "finite"),
        (HALF, float("inf"), "finite"),
        (HALF, None, "array of numbers"),
        (HALF, 1j, "complex"),
        (PAIR, 1, "2 values"),
        (PAIR, "1", "2 values"),
        (LAW, "y", "variables are eta, x"),
        (LAW, "1/(x - x)", "finite"),
    ],
)
def test_what_cannot_be_read_is_no_wrong_answer(question, answer, part):
    reply = question.judge(answer)
    assert reply.outcome == "unreadable"
    assert part in reply.text


def test_zero_has_an_absolute_tolerance():
    zero = Number("?", 0)
    assert zero.judge(0.005).outcome == "right"
    assert zero.judge(0.02).outcome == "wrong"


def test_where_a_formula_vanishes_it_is_compared_with_its_size_elsewhere():
    crossing = Formula("?", "x - 1", variables={"x": (0.5, 1.5)})
    assert crossing.judge("x - 1.000001").outcome == "right"
    assert crossing.judge("x - 1.01").outcome == "wrong"


def test_a_hint_that_would_never_be_given_is_refused():
    with pytest.raises(InvalidInput, match=r"hints for \['0.501'\]"):
        Number("?", 0.5, {"0.501": "too close"})
    with pytest.raises(InvalidInput, match=r"hints for \[3\.001\]"):
        Number("?", 0.5, {3: "first", 3.001: "never"})


def test_points_fill_the_ranges():
    eta, x = (
        np.array([point[name] for point in LAW.points()]) for name in ("eta", "x")
    )
    assert len(set(eta)) == len(set(x)) == len(LAW.points())
    assert eta.min() >= 0.1
    assert eta.max() <= 1
    assert x.min() < 0 < x.max()


def test_what_is_wanted_is_said_in_words():
    assert HALF.wanted == "a number"
    assert PAIR.wanted == "2 numbers"
    assert LAW.wanted == "an expression in eta, x"
