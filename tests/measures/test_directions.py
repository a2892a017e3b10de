import math

import pytest
import torch

from ibcore.measures import margin, sin_angle, slope

AXIS = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-6, 0.3, math.pi / 2])
def test_sine_keeps_relative_precision(angle):
    vector = 5 * torch.tensor(
        [math.cos(angle), 0.0, math.sin(angle)], dtype=torch.float64
    )
    assert float(sin_angle(vector, AXIS)) == pytest.approx(
        math.sin(angle), rel=1e-12, abs=1e-300
    )


def test_an_opposite_direction_is_not_aligned():
    vectors = torch.tensor([[-1.0, 0.0, 0.0], [-1.0, 1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(
        sin_angle(vectors, AXIS),
        torch.tensor([2.0, 1 + math.sqrt(0.5)], dtype=torch.float64),
    )


def test_margin_is_the_least_distance_to_the_hyperplane():
    signed = torch.tensor([[3.0, 0.0], [1.0, 4.0]], dtype=torch.float64)
    vectors = torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]], dtype=torch.float64)
    assert margin(vectors, signed).tolist() == [1.0, 0.0, -3.0]


def test_slope_of_a_power():
    x = torch.logspace(0, 3, 7, dtype=torch.float64)
    y = torch.stack([3 * x.pow(-1.5), x.pow(2)])
    torch.testing.assert_close(
        slope(x.log()[None], y.log()), torch.tensor([-1.5, 2.0], dtype=torch.float64)
    )
