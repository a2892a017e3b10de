"""Orbits of period two: that they return, what their multipliers are, and how large
they are.
"""

import math

import pytest
import torch

from ibcore.oracles.two_step import (
    LARGEST_STEP,
    double_well_multiplier,
    double_well_orbit,
    flip_amplitude,
    flip_condition,
    transverse_multiplier,
)

STEPS = torch.tensor([1.001, 1.1, 1.2, 1.5, 3.0]).double()


def descend(x, step):
    return x - step * (x**3 - x)


def test_the_orbit_returns_and_is_the_other_point():
    low, high = double_well_orbit(STEPS).unbind(-1)
    torch.testing.assert_close(descend(low, STEPS), high, rtol=1e-12, atol=0)
    torch.testing.assert_close(descend(high, STEPS), low, rtol=1e-12, atol=1e-12)
    assert bool((low < high).all())
    assert bool(double_well_orbit(torch.tensor([0.9, 1.0])).isnan().all())


def test_the_multiplier_is_the_derivative_of_two_steps():
    x = double_well_orbit(STEPS)[:, 0].requires_grad_()
    twice = descend(descend(x, STEPS), STEPS)
    (slope,) = torch.autograd.grad(twice.sum(), x)
    torch.testing.assert_close(
        slope, double_well_multiplier(STEPS), rtol=1e-12, atol=1e-12
    )
    edge = double_well_multiplier(
        torch.tensor([1.0, LARGEST_STEP], dtype=torch.float64)
    )
    torch.testing.assert_close(edge, torch.tensor([1.0, -1.0]).double())


def test_two_steps_beside_the_diagonal_shrink_the_difference_as_derived():
    points = double_well_orbit(STEPS)
    factor = (1 + STEPS[:, None] * (points.square() - 1)).prod(-1)
    torch.testing.assert_close(factor, transverse_multiplier(STEPS), rtol=0, atol=1e-12)


def test_the_small_orbit_of_the_double_well_has_the_predicted_size():
    f2, f3, f4 = (torch.tensor(v, dtype=torch.float64) for v in (2.0, 6.0, 6.0))
    assert float(flip_condition(f2, f3, f4)) == 96
    for excess in (1e-2, 1e-4):
        orbit = double_well_orbit(torch.tensor((2 + excess) / 2, dtype=torch.float64))
        half = float(orbit[1] - orbit[0]) / 2
        found = float(
            flip_amplitude(f2, f3, f4, torch.tensor(excess, dtype=torch.float64))
        )
        assert found == pytest.approx(half, rel=excess)


def test_where_the_condition_is_reversed_the_orbit_is_below_the_threshold():
    """On x^2 / 2 + x^4 / 4 it is x^2 = (2 - eta) / eta."""
    one, zero, six = (torch.tensor(v, dtype=torch.float64) for v in (1.0, 0.0, 6.0))
    assert math.isnan(
        float(flip_amplitude(one, zero, six, torch.tensor(0.01, dtype=torch.float64)))
    )
    below = float(
        flip_amplitude(one, zero, six, torch.tensor(-0.01, dtype=torch.float64))
    )
    assert below == pytest.approx(math.sqrt(0.01 / 1.99), rel=0.01)
