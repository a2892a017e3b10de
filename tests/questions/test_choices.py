"""Options and orders: letters, hints, and which orders of steps are right."""

from __future__ import annotations

import itertools

import pytest

from ibcore.questions import RIGHT, Choice, Order
from ibcore.questions.base import LETTERS
from ibcore.validation import InvalidInput

CHOICE = Choice("?", {"one": "too few", "two": RIGHT, "three": "too many"})
CHAIN = Order(
    "?",
    """
    - first
    - second, on
      two lines
    - third
    - fourth
    """,
)
TWO_ROOTS = Order("?", "- a\n- b\n- c\n- d", needs={1: (), 2: (0, 1)}, hint="Hm.")


@pytest.mark.parametrize("answer", ["b", "B", "b)", ["b"]])
def test_an_option_goes_by_its_letter(answer):
    assert CHOICE.judge(answer).outcome == "right"


def test_every_other_option_has_its_hint():
    assert [str(CHOICE.judge(letter)) for letter in "ac"] == [
        "Not yet. too few",
        "Not yet. too many",
    ]


@pytest.mark.parametrize("answer", ["d", "ab", "", 1, None, "two", ["b", 1]])
def test_what_is_no_letter_is_asked_for(answer):
    assert CHOICE.judge(answer).text == "Expected is a, b or c."


@pytest.mark.parametrize(
    "choices", [{"one": "no", "two": "no"}, {"one": RIGHT, "two": RIGHT}]
)
def test_one_option_is_right(choices):
    with pytest.raises(InvalidInput, match="exactly one"):
        Choice("?", choices)


def spelled(order, steps):
    """The letters that name these steps."""
    return "".join(LETTERS[order.shown.index(step)] for step in steps)


def test_steps_are_read_from_lines():
    assert list(CHAIN.steps) == ["first", "second, on two lines", "third", "fourth"]
    assert sorted(CHAIN.options) == sorted(CHAIN.steps)


@pytest.mark.parametrize(
    ("order", "right"),
    [(CHAIN, {(0, 1, 2, 3)}), (TWO_ROOTS, {(0, 1, 2, 3), (1, 0, 2, 3)})],
)
def test_an_order_is_right_if_each_step_has_what_it_needs(order, right):
    for steps in itertools.permutations(range(4)):
        outcome = order.judge(spelled(order, steps)).outcome
        assert (outcome == "right") == (steps in right)


def test_an_order_is_not_shown_with_its_beginning():
    for order in (CHAIN, TWO_ROOTS):
        assert str(order.judge("abcd")).startswith(
            "Not yet. Step a needs one that comes"
        )


def test_a_wrong_order_is_told_how_far_it_is_right():
    letters = spelled(TWO_ROOTS, (1, 0, 3, 2))
    assert str(TWO_ROOTS.judge(letters)) == (
        f"Not yet. The first 2 can stand. Step {letters[2]} needs one that comes later. "
        "Hm."
    )
    assert "The first can stand." in str(CHAIN.judge(spelled(CHAIN, (0, 2, 1, 3))))


@pytest.mark.parametrize("answer", ["abc", "aabc", "abce", 3, None])
def test_an_order_names_every_step_once(answer):
    assert CHAIN.judge(answer).outcome == "unreadable"


def test_steps_come_in_an_order_that_is_right():
    with pytest.raises(InvalidInput, match="in an order that is right"):
        Order("?", "- a\n- b\n- c", needs={0: (2,)})
    with pytest.raises(InvalidInput, match="2 steps"):
        Order("?", "- a\n- b")
