"""Measured numbers of a page against the stored ones: processors may differ, a factor
of two may not.
"""

from __future__ import annotations

import json
import math

import pytest
from compare_numbers import (
    KEY,
    agree,
    last_unit,
    printed,
    printed_differences,
    shown_differences,
    shown_numbers,
)


@pytest.mark.parametrize(
    ("found", "stored", "same"),
    [
        (1.0, 1.09, True),
        (1.0, 1.2, False),
        (1e-9, 2e-9, False),
        (-1.0, 1.0, False),
        (0.0, 0.0, True),
        (0.0, 1e-12, False),
        (math.nan, math.nan, False),
        (None, 1.0, False),
        (math.inf, math.inf, True),
        (math.inf, 1.0, False),
    ],
)
def test_numbers_agree_within_a_tenth(found, stored, same):
    assert agree(found, stored, 0.1) is same


@pytest.mark.parametrize("exponent", range(-12, 13))
@pytest.mark.parametrize("digits", [0, 1, 2])
def test_a_factor_of_two_is_noticed_in_every_printed_number(exponent, digits):
    for mantissa in (1, 1.5, 2.5, 4):
        one, other = (
            f"{m * 10.0**exponent:.{digits}e}" for m in (mantissa, 2 * mantissa)
        )
        assert list(printed_differences([one], [other])) != []
        assert list(printed_differences([other], [one])) != []


def test_rounding_to_the_next_digit_is_no_difference():
    assert list(printed_differences(["0.35", "8.9e-02"], ["0.34", "9.0e-02"])) == []


def test_units_of_the_last_digit():
    assert last_unit("0.125") == pytest.approx(1e-3)
    assert last_unit("8.9e-02") == pytest.approx(1e-3)
    assert last_unit("-1e+06") == pytest.approx(1e6)


def test_numbers_are_read_from_every_kind_of_text():
    outputs = [
        {"text": "log L = -1e+06   sin 8.9e-02, 20 problems of 3x4"},
        {"data": {"text/plain": "risk 0.5"}},
        {"data": {"image/png": "", "text/plain": "<object at 0x7e23a1.5>"}},
    ]
    assert printed(outputs) == ["-1e+06", "8.9e-02", "0.5"]


def test_a_number_more_or_less_is_a_difference():
    assert list(printed_differences(["0.5"], [])) != []


ROW = {"measured": 0.5, "repeats": 0.1}


@pytest.mark.parametrize(
    ("found", "stored", "differs"),
    [
        (ROW, {**ROW, "measured": 0.52}, False),
        (ROW, {**ROW, "measured": 1.0}, True),
        ({**ROW, "repeats": 0.4}, {**ROW, "measured": 0.8}, False),
        ({**ROW, "typical": 1.0}, {**ROW, "typical": 2.0}, True),
        ({**ROW, "typical": 1.0}, ROW, True),
        ({"precision": True}, {"precision": True}, False),
        ({"precision": True}, ROW, True),
        (ROW, {"precision": True}, True),
        ({**ROW, "measured": math.nan}, ROW, True),
    ],
)
def test_rows_of_verdicts_are_compared_at_their_own_tolerance(found, stored, differs):
    assert bool(list(shown_differences({"row": found}, {"row": stored}))) is differs


def test_a_row_that_is_not_stored_is_a_difference():
    assert list(shown_differences({"row": ROW}, {})) == ["row: nothing is stored"]


def test_numbers_survive_their_way_through_a_file():
    outputs = [{"metadata": {KEY: {"row": ROW}}}, {"metadata": {}}, {}]
    assert json.loads(json.dumps(shown_numbers(outputs))) == {"row": ROW}
