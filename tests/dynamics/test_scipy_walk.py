"""Walks over flows in closed form, and why each of them ends."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from ibcore.dynamics.scipy_walk import SOLVERS, Walk
from ibcore.dynamics.trajectory import (
    BROKE_DOWN,
    NOT_FINITE,
    UNDERFLOW,
    broke_down,
    step_limit,
    wall_limit,
)
from ibcore.validation import InvalidInput

RATES = np.array([1.0, 0.3])


def decay(_, x):
    return -RATES * x


def follow(walk, method="LSODA", field=decay, **options):
    settings = {
        "tolerance": 1e-9,
        "floor": 1e-12,
        "arrived": lambda _: "",
        "accept": lambda _: "",
    }
    return walk.follow(method, field, np.array([1.0, 2.0]), **{**settings, **options})


@pytest.mark.parametrize("method", SOLVERS)
@pytest.mark.parametrize("jacobian", [None, lambda *_: np.diag(-RATES)])
def test_a_decay_arrives_where_it_should(method, jacobian):
    walk, seen = Walk(10_000, math.inf), []

    def accept(solver):
        seen.append((solver.t, solver.y.copy()))
        return ""

    why = follow(
        walk,
        method,
        end=5.0,
        jacobian=jacobian,
        arrived=lambda solver: "there" if solver.t >= 5 else "",
        accept=accept,
    )
    assert why == "there"
    assert walk.steps == len(seen)
    times = np.array([t for t, _ in seen])
    assert times[-1] == 5
    assert (np.diff(times) > 0).all()
    for t, x in seen:
        np.testing.assert_allclose(x, [1, 2] * np.exp(-RATES * t), rtol=1e-5)


@pytest.mark.parametrize("method", SOLVERS)
def test_every_evaluation_is_counted_and_a_jacobian_is_used_where_one_is_taken(method):
    count, asked = [0], [0]

    def field(t, x):
        count[0] += 1
        return decay(t, x)

    def jacobian(_t, _x):
        asked[0] += 1
        return np.diag(-RATES)

    walk = Walk(5, math.inf)
    assert follow(walk, method, field, jacobian=jacobian) == step_limit(5)
    assert walk.evaluations == count[0] > 0
    if method != "LSODA":  # begins without stiffness, and needs none
        assert (asked[0] > 0) == (method != "DOP853")


def test_a_walk_takes_all_of_its_steps_and_looks_once_more():
    walk = Walk(3, math.inf)
    looked = []
    why = follow(walk, arrived=lambda solver: looked.append(solver.t) or "")
    assert why == step_limit(3)
    assert walk.steps == 3
    assert len(looked) == 4
    last = looked[-1]
    walk = Walk(3, math.inf)
    assert follow(walk, arrived=lambda s: "at last" * (s.t >= last)) == "at last"


def test_who_is_there_takes_no_step():
    walk = Walk(3, math.inf)
    assert follow(walk, arrived=lambda _: "here") == "here"
    assert walk.steps == 0


def test_a_step_that_is_not_accepted_ends_the_walk_and_does_not_count():
    walk = Walk(100, math.inf)
    why = follow(walk, accept=lambda _: "worse" if walk.steps == 2 else "")
    assert (why, walk.steps) == ("worse", 2)


def test_two_walks_share_the_steps_of_one():
    walk = Walk(5, math.inf)
    follow(walk, accept=lambda _: "turn" if walk.steps == 3 else "")
    assert walk.steps == 3
    assert follow(walk) == step_limit(5)
    assert walk.steps == 5


def test_without_time_there_is_no_step():
    walk = Walk(100, 0.0)
    assert follow(walk) == wall_limit(0.0)
    assert walk.steps == 0
    assert walk.seconds > 0


@pytest.mark.parametrize("error", [ValueError, np.linalg.LinAlgError])
def test_a_solver_that_stops_is_quoted(error):
    def field(t, x):
        if t > 0:
            raise error("the reason")
        return decay(t, x)

    why = follow(Walk(100, math.inf), "DOP853", field)
    assert why == broke_down("the solver stopped (the reason)")


def test_bad_input_is_not_taken_for_a_failure():
    def field(_t, _x):
        raise InvalidInput("no data")

    with pytest.raises(InvalidInput, match="no data"):
        follow(Walk(100, math.inf), field=field)


def test_a_variable_that_comes_to_its_end_without_arriving_overflowed():
    why = follow(Walk(10_000, math.inf), end=1.0)
    assert why.startswith(BROKE_DOWN)
    assert "overflowed" in why


@pytest.mark.parametrize("method", ["DOP853", "Radau"])
def test_a_state_that_leaves_the_numbers_says_so(method):
    """x' = x^2 blows up at t = 1/2, and a step across it fails."""
    walk = Walk(10_000, math.inf)
    with np.errstate(all="ignore"):
        why = follow(walk, method, lambda _, x: x * x)
    assert why.startswith((UNDERFLOW, NOT_FINITE, BROKE_DOWN))
    assert 0 < walk.steps < 10_000


@pytest.mark.parametrize("method", SOLVERS)
@pytest.mark.parametrize("first", [0.0, 0.1])
def test_a_field_that_is_not_finite_ends_the_walk_in_words(method, first):
    """Also that of DOP853, whose error control is never done with NaN."""
    walk = Walk(1000, math.inf)
    with np.errstate(all="ignore"):
        why = follow(
            walk, method, lambda t, x: decay(t, x) / (1.0 if t < first else math.nan)
        )
    assert why.startswith((NOT_FINITE, BROKE_DOWN, UNDERFLOW))
    assert walk.steps < 1000
    assert (walk.steps == 0) == (first == 0)


def test_the_state_is_looked_at_where_a_solver_does_not():
    with np.errstate(all="ignore"):
        why = follow(Walk(9, math.inf), "LSODA", lambda _, x: x * math.nan)
    assert why == NOT_FINITE


def test_time_is_counted_from_the_beginning_of_a_walk(monkeypatch):
    """On a clock that shows one second more at every look."""
    clock = SimpleNamespace(perf_counter=iter(range(1000, 2000)).__next__)
    monkeypatch.setattr("ibcore.dynamics.scipy_walk.time", clock)
    walk = Walk(100, 5)
    assert [walk.seconds, walk.seconds] == [1, 2]
    assert follow(walk, "DOP853") == wall_limit(5)
    assert walk.evaluations == 4
