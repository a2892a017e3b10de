"""Newton steps with their residuals, and searches on barriers that are known."""

from dataclasses import dataclass

import numpy as np
import pytest

from ibcore.oracles.central_path import line_search, newton_step


def definite(seed, n, spread):
    """A positive definite matrix with eigenvalues from 1 to 1/spread in a random
    frame.
    """
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    return (basis * np.geomspace(1, 1 / spread, n)) @ basis.T


@pytest.mark.parametrize("spread", [1.0, 1e4, 1e10])
def test_a_step_solves_newtons_equation(spread):
    H, g = definite(1, 5, spread), np.random.default_rng(2).normal(size=5)
    step = newton_step(H, g)
    assert np.linalg.norm(H @ step + g) <= 1e-12 * (
        np.linalg.norm(H) * np.linalg.norm(step)
    )
    assert g @ step < 0


def test_a_step_follows_the_units_of_its_variables():
    H, g = definite(3, 4, 10.0), np.random.default_rng(4).normal(size=4)
    units = 2.0 ** np.array([-60, 0, 30, 90])
    step = newton_step(H * units * units[:, None], g * units)
    np.testing.assert_allclose(step * units, newton_step(H, g), rtol=1e-12)


def test_rounding_of_a_singular_matrix_leaves_a_step_where_there_is_one():
    """Two equal rows and columns: H s = -g holds for g in the range."""
    H = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    H -= 1e-16 * np.ones((3, 3)) * np.array([1, -1, 0]) * np.array([[1], [-1], [0]])
    g = np.array([3.0, 3.0, -4.0])
    step = newton_step(H, g)
    np.testing.assert_allclose(H @ step, -g, atol=1e-9)
    for units in (2.0**-60, 2.0**60):
        scales = np.array([units, units, 1.0])
        step = newton_step(H * scales * scales[:, None], g * scales)
        np.testing.assert_allclose(H @ (step * scales), -g, atol=1e-9)


@pytest.mark.parametrize("diagonal", [[1.0, -1.0], [1.0, 0.0], [1.0, np.nan]])
def test_what_is_not_positive_has_no_step(diagonal):
    assert newton_step(np.diag(diagonal), np.ones(2)) is None


def test_an_indefinite_matrix_of_positive_diagonal_has_no_step():
    assert newton_step(np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones(2)) is None


@dataclass
class Made:
    """A barrier in one dimension, inside below `wall`, and what was tried."""

    wall: float
    of: object
    tried: list

    def __call__(self, _places, dual):
        x = float(dual[0])
        self.tried.append(x)
        return Point(x < self.wall, float(self.of(x)), x)


@dataclass
class Point:
    inside: bool
    value: float
    x: float


def search(barrier, step, pull=0.0, decrement=1.0):
    start = barrier(None, np.zeros(1))
    barrier.tried.clear()
    return line_search(
        None, barrier, start, np.zeros(1), np.array([step]), np.array([pull]), decrement
    )


def test_a_full_step_that_descends_is_taken():
    barrier = Made(np.inf, lambda x: (x - 1) ** 2, [])
    point, dual = search(barrier, 1.0)
    assert (point.x, dual.tolist(), barrier.tried) == (1.0, [1.0], [1.0])


def test_steps_shrink_until_they_are_inside():
    barrier = Made(0.5, lambda x: -x, [])
    point, dual = search(barrier, 1.0)
    assert barrier.tried == pytest.approx([1.0, 0.6, 0.36])
    assert dual.tolist() == [point.x] == [barrier.tried[-1]]


def test_steps_shrink_until_they_descend_by_a_tenth_of_what_the_slope_says():
    """f = a x^2 - x: descent of a share s is s - a s^2 >= s / 10 for s <= 0.9 / a."""
    for a, share in ((0.85, 1.0), (0.95, 0.6), (1.45, 0.6), (1.55, 0.36)):
        for length in (1.0, 3.0):

            def value(x, a=a, length=length):
                s = x / length
                return length**2 * (a * s * s - s)

            barrier = Made(np.inf, value, [])
            point, dual = search(barrier, length, decrement=length)
            assert point.x == pytest.approx(share * length), a
            assert dual.tolist() == [point.x]


def test_the_pull_of_the_objective_counts_as_descent():
    """The barrier rises by x and the objective y.nu pulls with 2 x."""
    barrier = Made(np.inf, lambda x: x, [])
    assert search(barrier, 1.0, pull=2.0)[0].x == 1.0
    assert search(Made(np.inf, lambda x: x, []), 1.0, pull=1.0)[0].x == 0.0


def test_near_the_path_the_full_step_needs_no_descent_but_stays_inside():
    barrier = Made(np.inf, lambda x: x, [])
    assert search(barrier, 1.0, decrement=0.24)[0].x == 1.0
    assert search(Made(0.7, lambda x: x, []), 1.0, decrement=0.24)[0].x == 0.6
    assert search(barrier, 1.0, decrement=0.25)[0].x == 0.0


def test_where_nothing_descends_the_start_stays():
    barrier = Made(np.inf, lambda x: x, [])
    point, dual = search(barrier, 1.0)
    assert (point.x, dual.tolist()) == (0.0, [0.0])
    assert 1e-9 < barrier.tried[-1] < 1e-8
