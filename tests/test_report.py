"""The verdict table: one line a check, its numbers before its name, within the width of a page."""

from __future__ import annotations

import math

import torch

from ibcore.claims import Claim, Setting, Verdict
from ibcore.evidence import Check, Control, Evidence
from ibcore.report import verdict_table


def table(check: Check, failure: float = 1.0) -> list[str]:
    control = Control("broken", Check.at_least("failure", failure, 0.5))
    claim = Claim(
        "some-claim", "page", "theorem", "source", "statement", {}, lambda: None
    )
    setting = Setting("quick", 0, torch.device("cpu"))
    return verdict_table(
        Verdict(claim, setting, Evidence((check,), control), 0.0)
    ).splitlines()


def test_equalities_are_rounded_to_a_tenth_of_their_tolerance():
    row = table(Check.close("x", 1.0, 0.98765, atol=0.07))[1]
    assert row.split() == ["holds", "0.987", "=", "1", "+-", "0.07", "x"]


def test_bounds_show_two_digits_and_failures_are_capitals():
    lines = table(Check.at_most("x", 0.123, 0.1), failure=0.1)
    assert lines[0] == "some-claim (theorem): DOES NOT STAND"
    assert lines[1].split() == ["FAILS", "0.12", "<=", "0.1", "x"]
    assert lines[2].split()[:2] == ["NOT", "REFUTED"]


def test_a_result_that_is_not_a_number_fails_and_is_shown():
    assert table(Check.close("x", 1.0, math.nan, atol=0.1))[1].split()[:2] == [
        "FAILS",
        "nan",
    ]


def test_numbers_never_touch_the_name():
    assert " name" in table(Check.close("name", 1234.5, 1234.4, atol=12.34))[1]


def test_long_names_are_wrapped():
    lines = table(Check.at_most("word " * 30, 0.0, 1.0))
    assert max(map(len, lines)) <= 86
