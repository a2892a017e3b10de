"""Slopes of straight lines, and of others by least squares."""

import numpy as np
import torch

from ibcore.measures.rates import slope
from tests.cases import normal


def test_a_power_of_a_variable_is_the_slope_of_logarithms():
    t = torch.tensor([1.0, 3.0, 10.0, 700.0]).double()
    powers = torch.tensor([[-0.5], [2.0], [0.0]]).double()
    values = 7 * t**powers
    torch.testing.assert_close(slope(t.log(), values.log()), powers[:, 0])


def test_of_points_off_a_line_it_is_that_of_numpy():
    x, y = normal(3, 9, seed=1), normal(3, 9, seed=2)
    found = slope(x, y)
    for k in range(3):
        expected = np.polyfit(x[k].numpy(), y[k].numpy(), 1)[0]
        torch.testing.assert_close(float(found[k]), expected)


def test_shifts_change_nothing_and_a_line_adds_its_slope():
    x, y = normal(9, seed=3), normal(9, seed=4)
    torch.testing.assert_close(slope(x + 5, y - 3), slope(x, y))
    torch.testing.assert_close(slope(x, y + 2 * x), slope(x, y) + 2)
