import math

import torch

from ibcore.measures.roughness import roughness
from ibcore.models.two_layer import TwoLayerReLU


def one(positions, jumps, left=-1.0, right=1.0):
    tensors = (
        torch.tensor([values], dtype=torch.float64) for values in (positions, jumps)
    )
    return float(roughness(*tensors, torch.tensor([left]), torch.tensor([right]))[0])


def test_jumps_add_up_in_absolute_value():
    assert one([0.5, -0.5, 0.0], [1.0, -2.0, 3.0]) == 6.0


def test_only_bends_inside_count():
    assert one([-2.0, -1.0, 1.0, 0.2, math.inf], [5.0, 5.0, 5.0, 1.5, 5.0]) == 1.5


def test_jumps_at_one_place_are_one_jump():
    assert one([0.3, 0.1, 0.3, 0.3], [2.0, 1.0, -1.5, 0.25]) == 1.75


def test_a_shift_of_one_of_two_opposite_bends_shows():
    assert one([0.3, 0.3], [2.0, -2.0]) == 0.0
    assert one([0.3, 0.3 + 1e-12], [2.0, -2.0]) == 4.0


def test_agrees_with_second_differences_on_a_fine_grid():
    generator = torch.Generator().manual_seed(0)
    grid = torch.linspace(-1, 1, 10_001, dtype=torch.float64)
    net = TwoLayerReLU(grid[:, None], 12)
    theta = torch.randn(3, net.dimension, generator=generator, dtype=torch.float64)
    on_grid = (net.outputs(theta).diff() / grid.diff()).diff().abs().sum(-1)
    ends = torch.full((3,), 1.0, dtype=torch.float64)
    torch.testing.assert_close(
        roughness(*net.kinks(theta), -ends, ends), on_grid, rtol=1e-6, atol=0
    )
