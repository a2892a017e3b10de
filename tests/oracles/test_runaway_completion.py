import math

import numpy as np
import pytest
from hypothesis import given
from scipy.integrate import solve_ivp

from ibcore.oracles import runaway_completion as law
from ibcore.validation import InvalidInput
from tests.oracles.scalings import FACTORS, few


@pytest.mark.parametrize("depth", [2, 3, 4, 7])
def test_the_law_solves_its_equation(depth):
    """d sigma/dt = (2/3) k sigma^(-1 - 2/k), integrated numerically from the law at t =
    1 to t = 1e6.
    """
    run = solve_ivp(
        lambda s, y: np.exp(s) * 2 / 3 * depth * y ** (-1 - 2 / depth),
        (0, math.log(1e6)),
        [law.entry(depth, 1)],
        rtol=1e-10,
    )
    assert run.y[0, -1] == pytest.approx(law.entry(depth, 1e6), rel=1e-7)
    assert law.entry(depth, 1e9) / law.entry(depth, 1e6) == pytest.approx(
        1e3 ** law.exponent(depth)
    )


def test_exponents_of_three_depths():
    assert [law.exponent(k) for k in (2, 3, 4)] == pytest.approx([1 / 3, 3 / 8, 2 / 5])


@pytest.mark.parametrize("depth", [3, 4, 6])
def test_the_second_singular_value_follows_from_the_first(depth):
    """d sigma_2/dt = -(2/3) k sigma_2^(2 - 2/k) / W_11: its slope at large t, less that
    of W_11.
    """
    power = 2 - 2 / depth
    run = solve_ivp(
        lambda s, x: [
            -np.exp(s)
            * 2
            / 3
            * depth
            * np.exp((power - 1) * x[0])
            / law.entry(depth, math.exp(s))
        ],
        (0, 100),
        [-1.0],
        t_eval=[90, 100],
        rtol=1e-9,
    )
    slope = (run.y[0, 1] - run.y[0, 0]) / 10 - law.exponent(depth)
    assert slope == pytest.approx(law.ratio_exponent(depth), rel=1e-6)


def test_at_depth_two_the_ratio_falls_faster_than_powers():
    assert law.log_ratio_at_depth_two(8.0) == pytest.approx(
        4 * law.log_ratio_at_depth_two(1.0)
    )


def test_the_bound_is_below_every_matrix_of_positive_determinant():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        w12, w21, w22 = (
            1 + rng.normal(scale=0.1),
            1 + rng.normal(scale=0.1),
            abs(rng.normal(scale=0.1)),
        )
        value = ((w12 - 1) ** 2 + (w21 - 1) ** 2 + w22**2) / 3
        assert w12 * w21 / w22 >= law.least_entry(value)


def of_positive_determinant(w12, w21, w22, beyond):
    """W_11 with det W = `beyond`, and the loss."""
    value = ((w12 - 1) ** 2 + (w21 - 1) ** 2 + w22**2) / 3
    return (w12 * w21 + beyond) / w22, value


@pytest.mark.parametrize(
    ("w11", "w12", "w21", "w22"),
    [(0.0711, 0.995, 0.005, 0.0707), (1.92, 0.894, 0.106, 0.05)],
)
def test_the_bound_holds_far_from_symmetry(w11, w12, w21, w22):
    """Here 1/6 < L < 1/3 and W_12 W_21 < (1 - sqrt(3 L / 2))^2, the least product of a
    symmetric matrix.
    """
    misses = ((w12 - 1) ** 2 + (w21 - 1) ** 2) / 3
    assert 1 / 6 < misses < 1 / 3
    assert w12 * w21 < (1 - math.sqrt(1.5 * misses)) ** 2
    assert w12 * w21 >= law.least_entry(misses) * math.sqrt(3 * misses)
    value = misses + w22**2 / 3
    assert value < 1 / 3
    assert w11 * w22 > w12 * w21
    assert w11 >= law.least_entry(value)


def test_the_bound_holds_for_every_loss_below_a_third():
    """(W_12 - 1, W_21 - 1, W_22) anywhere in the ball of radius 1 in which the loss is
    below 1/3, its rim included.
    """
    rng = np.random.default_rng(1107400)
    for draw in rng.uniform(size=(20_000, 3)):
        size, turn = 0.9999 * draw[0] ** 0.1, 2 * math.pi * draw[1]
        tilt = math.acos(1e-6 ** draw[2] * 0.99)
        w12 = 1 + size * math.sin(tilt) * math.cos(turn)
        w21 = 1 + size * math.sin(tilt) * math.sin(turn)
        w11, value = of_positive_determinant(w12, w21, size * math.cos(tilt), 1e-9)
        assert w11 >= law.least_entry(value)


def test_the_least_product_of_the_bound_is_attained():
    """On the circle of radius sqrt(3 L), by a search over all angles."""
    angles = np.linspace(0, 2 * math.pi, 200_001)
    for value in (0.01, 0.1, 0.16, 0.17, 0.25, 0.33):
        radius = math.sqrt(3 * value)
        products = (1 + radius * np.cos(angles)) * (1 + radius * np.sin(angles))
        assert products.min() == pytest.approx(
            law.least_entry(value) * radius, rel=1e-6, abs=1e-9
        )


def test_a_loss_too_large_for_the_bound_is_refused():
    with pytest.raises(InvalidInput, match="below 1/3"):
        law.least_entry(0.4)


@few
@given(factor=FACTORS)
def test_the_laws_are_powers_of_time(factor):
    for depth in (2, 3, 5):
        grown = law.entry(depth, factor) / law.entry(depth, 1.0)
        assert grown == pytest.approx(factor ** law.exponent(depth))
        assert law.loss(depth, factor) * grown**2 == pytest.approx(law.loss(depth, 1.0))
