"""Stops of explicit methods: what is taken as one, and what is refused in words."""

from types import SimpleNamespace

import pytest
import torch

from ibcore.dynamics.step_stops import MOST_STEPS, StepStops
from ibcore.validation import InvalidInput


def stops(steps=None, log_loss=None, max_steps=None, *, needed=True):
    return StepStops.checked(steps, log_loss, max_steps, needed=needed)


def test_numbers_of_steps_end_at_the_last_of_them_or_at_the_limit():
    assert stops([0, 3, 10]) == StepStops((0, 3, 10), levels=False, limit=10)
    assert stops([0, 3, 10], max_steps=7).limit == 7
    assert stops([0, 3, 10], max_steps=70).limit == 10
    assert stops(range(1, 3)).values == (1, 2)
    assert stops([0]).limit == 0


def test_levels_end_at_the_limit():
    assert stops(log_loss=[2.0, -1]) == StepStops(
        (2.0, -1.0), levels=True, limit=MOST_STEPS
    )
    assert stops(log_loss=[-1.0], max_steps=7).limit == 7


def test_without_stops_there_must_be_another_end():
    assert stops(needed=False) == StepStops((), levels=False, limit=MOST_STEPS)
    assert stops(max_steps=4, needed=False).limit == 4
    for given in ({}, {"steps": [1], "log_loss": [-1.0]}):
        with pytest.raises(InvalidInput, match="either steps"):
            stops(**given)
    with pytest.raises(InvalidInput, match="either steps"):
        stops([1], [-1.0], needed=False)


@pytest.mark.parametrize("steps", [[], [1, 1], [3, 2], [0, 5, 4]])
def test_steps_must_rise(steps):
    with pytest.raises(InvalidInput, match="rising list"):
        stops(steps)


@pytest.mark.parametrize("levels", [[], [-1.0, -1.0], [-2.0, -1.0]])
def test_levels_must_fall(levels):
    with pytest.raises(InvalidInput, match="falling list"):
        stops(log_loss=levels)


@pytest.mark.parametrize(
    "given",
    [
        {"steps": [-1, 2]},
        {"steps": [0.5]},
        {"steps": [1], "max_steps": 0},
        {"log_loss": [float("nan")]},
        {"log_loss": ["low"]},
    ],
)
def test_what_is_no_number_is_refused(given):
    with pytest.raises(InvalidInput):
        stops(**given)


def start(*log_loss):
    return SimpleNamespace(log_loss=torch.tensor(log_loss))


def test_a_loss_in_place_of_its_logarithm_is_refused_where_all_start_below_it():
    with pytest.raises(InvalidInput, match=r"0\.5"):
        stops(log_loss=[0.5]).look(start(-1.0, 0.4))
    with pytest.raises(InvalidInput, match=r"0\.125"):
        stops(log_loss=[0.5, 0.125]).look(start(-1.0))
    stops(log_loss=[0.5]).look(start(-1.0, 0.6))
    stops(log_loss=[0.5]).look(start(-1.0, 0.5))
    stops(log_loss=[0.5, -1.0]).look(start(-2.0))
    stops(log_loss=[0.0]).look(start(-2.0))
    stops([5]).look(start(-2.0))
