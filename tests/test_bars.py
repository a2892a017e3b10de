"""Bars: what meets them, how far the rest is beyond, and what a wider one allows."""

import math

import numpy as np
import pytest
import torch

from ibcore.bars import Bar, array_of
from ibcore.validation import InvalidInput


def bar(**options):
    return Bar.of(options)[0]


@pytest.mark.parametrize(
    ("options", "met", "missed"),
    [
        ({"at_most": 2.0}, [2.0, -5.0], [2.5]),
        ({"at_least": 2.0}, [2.0, 5.0], [1.5]),
        ({"equals": 2.0}, [2.0], [1.999, 2.001]),
        ({"equals": 2.0, "atol": 0.5}, [1.5, 2.5], [1.25, 2.75]),
        ({"equals": -2.0, "rtol": 0.25}, [-1.5, -2.5], [-1.25, -2.75]),
        ({"equals": 4.0, "atol": 1.0, "rtol": 0.25}, [2.0, 6.0], [1.5, 6.5]),
    ],
)
def test_what_meets_a_bar_is_not_beyond_it(options, met, missed):
    made = bar(**options)
    assert (made.excess(np.array(met)) <= 0).all()
    assert (made.excess(np.array(missed)) > 0).all()


def test_the_excess_is_a_distance_in_units_of_the_measurement():
    assert bar(at_most=2.0).excess(np.array([5.0, 1.0])).tolist() == [3, -1]
    assert bar(at_least=2.0).excess(np.array([5.0, 1.0])).tolist() == [-3, 1]
    assert bar(equals=2.0, atol=0.5).excess(np.array([5.0, 1.75])).tolist() == [
        2.5,
        -0.25,
    ]


@pytest.mark.parametrize("options", [{"at_most": 1}, {"at_least": 1}, {"equals": 1}])
def test_what_is_not_known_is_not_met(options):
    excess = bar(**options).excess(np.array([math.nan]))
    assert np.isnan(excess).all()


@pytest.mark.parametrize(
    "options",
    [
        {"at_most": 2.0},
        {"at_most": -2.0},
        {"at_least": 2.0},
        {"at_least": -2.0},
        {"equals": 3.0, "atol": 1.0},
    ],
)
def test_a_wider_bar_is_met_by_all_that_met_it_and_by_some_more(options):
    measured = np.linspace(-9, 9, 721)
    made = bar(**options)
    narrow, wide = made.excess(measured) <= 0, made.widened(2.0).excess(measured) <= 0
    assert (wide >= narrow).all()
    assert wide.sum() > narrow.sum()
    same = made.widened(1.0)
    assert (same.excess(measured) == made.excess(measured)).all()


def test_a_bar_for_each_member():
    made = bar(at_most=torch.tensor([1.0, 2.0]))
    assert made.excess(np.array([1.5, 1.5])).tolist() == [0.5, -0.5]
    assert bar(equals=[1.0, 10.0], rtol=0.1).tolerance.tolist() == pytest.approx(
        [0.1, 1.0]
    )


@pytest.mark.parametrize(
    "options",
    [
        {"at_most": 2.0},
        {"at_least": [1.0, 2.0]},
        {"equals": 4.0, "atol": 1, "rtol": 0.5},
    ],
)
def test_its_options_make_it_again(options):
    made = bar(**options)
    again = bar(**made.options())
    assert again.relation == made.relation
    assert again.predicted.tolist() == made.predicted.tolist()
    assert again.tolerance.tolist() == made.tolerance.tolist()


def test_other_options_are_left_alone():
    _, rest = Bar.of({"equals": 1.0, "atol": 0.1, "tag": "proved"})
    assert rest == {"tag": "proved"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "one of equals"),
        ({"at_most": 1.0, "at_least": 0.0}, "one of equals"),
        ({"at_most": 1.0, "atol": 0.1}, "go with equals"),
        ({"at_least": 1.0, "rtol": 0.1}, "go with equals"),
    ],
)
def test_bars_that_say_nothing_or_two_things_are_refused(options, words):
    with pytest.raises(InvalidInput, match=words):
        Bar.of(options)


def test_numbers_of_any_kind_become_one_row():
    tensor = torch.tensor([[1.0, 2.0]], requires_grad=True)
    for values in (tensor, [[1.0, 2.0]], np.array([1.0, 2.0])):
        assert array_of(values).tolist() == [1, 2]
    assert array_of(3).shape == (1,)
