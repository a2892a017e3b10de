"""Newton's method with safeguards, on equations whose solution is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ibcore.oracles.newton import exponential_share, lowering, newton, turning


def root_of(value, slope, share, start, **settings):
    """The zero of value(x) / slope(x)-steps, for one unknown."""

    def look(x):
        return float(abs(value(x[0]))), value(x[0])

    def advance(x, rest):
        step = np.array([-rest / slope(x[0])])
        return step, share(x[0], step[0], rest)

    return newton(np.array([start]), look, advance, **{"floor": 1e-12, **settings})


def full(_x, _step, _rest):
    return 1.0


@pytest.mark.parametrize("start", [-30.0, 0.0, 30.0])
def test_the_share_for_exponentials_leads_home_from_anywhere(start):
    found = root_of(
        lambda x: math.sinh(x) - 3,
        math.cosh,
        lambda _x, step, _rest: exponential_share(np.array([step])),
        start,
    )
    assert found.point[0] == pytest.approx(math.asinh(3), rel=1e-14)
    assert found.residual <= 1e-14
    assert found.steps < 60


def test_it_ends_with_the_least_residual_where_rounding_decides():
    found = root_of(lambda x: x**3 - 2, lambda x: 3 * x**2, full, 1.0)
    assert found.point[0] == pytest.approx(2 ** (1 / 3), rel=1e-15)
    assert found.residual == abs(found.point[0] ** 3 - 2)
    assert found.steps < 12


def test_an_equation_without_solution_keeps_its_best_point():
    found = root_of(lambda x: x**2 + 1, lambda x: 2 * x, full, 3.0, most=50)
    assert 1 <= found.residual < 1.2
    assert found.residual == found.point[0] ** 2 + 1


def test_the_number_of_steps_is_limited():
    found = root_of(lambda x: x**3, lambda x: 3 * x**2, full, 1.0, most=7, floor=0)
    assert found.steps == 7
    assert found.point[0] == pytest.approx((2 / 3) ** 7)


def test_a_step_that_is_not_finite_is_not_taken():
    found = root_of(lambda x: x - 1, lambda _x: math.nan, full, 5.0)
    assert found.point[0] == 5
    assert found.steps == 0


def test_patience_goes_through_residuals_that_do_not_halve():
    """The steps go a third of the way, and call themselves whole."""
    eager, calm = (
        root_of(lambda x: x, lambda _x: 3.0, full, 1.0, patience=patience)
        for patience in (0, 100)
    )
    assert eager.steps == 1
    assert calm.residual < 1e-12


def test_below_the_floor_two_residuals_decide():
    found = root_of(lambda x: x, lambda _x: 5.0, full, 1.0, floor=1e-3)
    assert 1e-4 < found.residual < 1e-3


def test_a_short_move_is_taken_whole_and_a_long_one_in_part():
    assert exponential_share(np.array([0.1, -0.1])) == 1
    assert exponential_share(np.array([0.0, -3.0])) == pytest.approx(math.log(4) / 3)


def test_lowering_halves_until_the_value_falls():
    assert lowering(lambda t: (t - 1) ** 2, -2) == 1
    assert lowering(lambda t: (t - 0.2) ** 2, -0.4) == 0.25
    assert lowering(lambda t: math.inf if t > 0.3 else -t, -1) == 0.25
    assert lowering(lambda t: math.nan if t > 0.3 else -t, -1) == 0.25
    assert lowering(lambda t: t, -1) < 1e-11
    assert lowering(lambda t: 1e16 + (t > 0), -1.0) == 1


def test_turning_stops_before_the_slope_has_turned_far():
    assert turning(lambda t: t - 1, -1.0) == 1
    assert turning(lambda t: 4 * t - 1, -1.0) == 0.25
    assert turning(lambda t: math.nan if t > 0.6 else t - 1, -1.0) == 0.5
