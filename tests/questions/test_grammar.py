"""What a reader may type, and what it is worth."""

from __future__ import annotations

import math

import pytest

from ibcore.questions.grammar import LONGEST, NotAnExpression, parse

VALUES = {
    "0.5": 0.5,
    "1/2": 0.5,
    "1e-3": 1e-3,
    ".5e+1": 5,
    "2.": 2,
    "007": 7,
    "-2^2": -4,
    "2^-1": 0.5,
    "2^3^2": 512,
    "2**3": 8,
    "1 - 2 - 3": -4,
    "8/2/2": 2,
    "--3": 3,
    "2*-3": -6,
    "sqrt(2)^2": 2,
    "log(e)": 1,
    "ln(e)": 1,
    "max(1, 2) - min(1, 2)": 1,
    "sign(-3)": -1,
    "cos(π)": -1,
    "3·2 \N{MINUS SIGN} 1": 5,
    "3²": 9,
    "((1))": 1,
}


@pytest.mark.parametrize("text", VALUES)
def test_a_number_is_what_arithmetic_says(text):
    [value] = parse(text).at({})
    assert value == pytest.approx(VALUES[text], abs=1e-15)


def test_variables_may_be_greek_and_words_of_python():
    point = {"eta": 3.0, "lambda": 2.0, "e": 5.0}
    expression = parse("2*η*lambda^2 + λ + e", point)
    assert expression.at(point) == [31.0]


@pytest.mark.parametrize("text", ["1, 2", "(1, 2)", "[1, 2]", " ( 1 , 1 + 1 ) "])
def test_a_list_may_have_brackets(text):
    assert parse(text).at({}) == [1, 2]


@pytest.mark.parametrize(
    "text", ["1/0", "log(-1)", "log(0)", "(-8)^(1/3)", "10^400", "exp(1000)", "1e999"]
)
def test_what_is_no_finite_number_is_nan(text):
    assert math.isnan(parse(text).at({})[0])


def test_a_value_that_is_not_finite_is_so_for_the_whole():
    assert math.isnan(parse("1/(1/0)").at({})[0])


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "()", "1,", "(1,)", "[1", "1)", "2 3", "2x", "x y", "+", "1 +"),
        *("x(2)", "(2)(3)", "sqrt", "sqrt 2", "sqrt()", "sqrt(1, 2)", "max(1)", "y"),
        *("x = 2", "x; 2", "x.real", "x[0]", "'x'", "1j", "1_000", "0x10", "x if x"),
        *("lambda: 1", "__import__('os')", "log(x, base=2)", "sqrt(*x)", "x // 2"),
        *("[[1, 2], 3]", "(1, 2) + 1", "(1, 2), 3", "{1}", "x < 2", "not x", "@"),
        "1" * (LONGEST + 1),
        "(" * 150,
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(NotAnExpression):
        parse(text, ["x"])


def test_a_refusal_says_what_to_write():
    with pytest.raises(NotAnExpression, match=r"write products with \*"):
        parse("x(1 + x)", ["x"])
    with pytest.raises(
        NotAnExpression, match=r"y is not known here; the variables are x"
    ):
        parse("x + y", ["x"])
    with pytest.raises(NotAnExpression, match=r"with \* in products"):
        parse("2 x", ["x"])
