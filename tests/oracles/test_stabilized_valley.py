import numpy as np
import pytest
from scipy.optimize import minimize

from ibcore.oracles.stabilized_valley import (
    Valley,
    constrained,
    critical_step,
    orbit_jacobian,
    orbit_radius,
)
from ibcore.validation import InvalidInput

VALLEY = Valley(np.array([1.5, 2.5]), np.array([2.0, -1.5]), 0.6)


def test_the_program_is_solved():
    """Against SciPy's method for general constraints, and its conditions."""
    bound = 0.8 * VALLEY.sharpness(VALLEY.target)
    found = constrained(VALLEY, bound)
    other = minimize(
        lambda y: ((y - VALLEY.target) ** 2).sum(),
        0.5 * VALLEY.target,
        constraints={"type": "ineq", "fun": lambda y: bound - VALLEY.sharpness(y)},
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(found.y, other.x, rtol=1e-6)
    slope = 0.6 * (found.y - VALLEY.target)
    slope = slope + found.multiplier * 2 * VALLEY.widths * found.y
    np.testing.assert_allclose(slope, 0, atol=1e-12)
    assert VALLEY.sharpness(found.y) == pytest.approx(bound, rel=1e-13)
    assert found.gap < 1e-12
    assert found.violation < 1e-12


def test_a_constraint_that_is_not_active_has_no_multiplier():
    found = constrained(VALLEY, 1.1 * VALLEY.sharpness(VALLEY.target))
    np.testing.assert_array_equal(found.y, VALLEY.target)
    assert (found.multiplier, found.gap, found.violation) == (0, 0, 0)


def test_a_bound_below_every_sharpness_is_refused():
    with pytest.raises(InvalidInput, match="at least 1"):
        constrained(VALLEY, 1.0)


def step(valley, eta, state):
    x, y = state[0], state[1:]
    slope = valley.pull * (y - valley.target) + x**2 * valley.widths * y
    return np.concatenate([[(1 - eta * valley.sharpness(y)) * x], y - eta * slope])


def test_the_jacobian_is_that_of_a_mirrored_step():
    eta = 1.15 * VALLEY.stable_step
    found = constrained(VALLEY, 2 / eta)
    orbit = np.concatenate([[np.sqrt(2 * found.multiplier)], found.y])
    mirror = np.array([-1, 1, 1])
    np.testing.assert_allclose(mirror * step(VALLEY, eta, orbit), orbit, rtol=1e-12)
    columns = []
    for axis in 1e-6 * np.eye(3):
        ahead, behind = (step(VALLEY, eta, orbit + s * axis) for s in (1, -1))
        columns.append(mirror * (ahead - behind) / 2e-6)
    expected = np.array(columns).T
    np.testing.assert_allclose(orbit_jacobian(VALLEY, eta, found), expected, atol=1e-7)


def test_the_critical_step_is_where_the_radius_is_one():
    critical = critical_step(VALLEY)
    assert critical > VALLEY.stable_step
    assert orbit_radius(VALLEY, critical) == pytest.approx(1, abs=1e-9)
    assert (
        orbit_radius(VALLEY, 0.99 * critical)
        < 1
        < orbit_radius(VALLEY, 1.01 * critical)
    )


@pytest.mark.parametrize("width", [1e4, 1e5])
def test_without_the_one_the_critical_step_has_a_closed_form(width):
    """S = a y^2: the factor is 64 / 49 (an exercise of the page)."""
    valley = Valley(np.array([width]), np.array([1.0]), 0.1)
    ratio = critical_step(valley) / valley.stable_step
    assert ratio == pytest.approx(64 / 49, rel=20 / width)


def test_where_no_step_is_critical_it_is_said():
    """All sharpness is between 1 and 1.01."""
    with pytest.raises(InvalidInput, match="as far as its steps"):
        critical_step(Valley(np.array([1e-2]), np.array([1.0]), 0.1))
