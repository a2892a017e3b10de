import pytest
import torch

from ibcore.measures.polylines import distances
from ibcore.validation import InvalidInput


def test_distance_to_corners_and_to_the_inside_of_segments():
    line = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]], dtype=torch.float64)
    points = torch.tensor(
        [[0.5, 0.3], [-3.0, 4.0], [1.5, 1.0], [1.0, 0.0]], dtype=torch.float64
    )
    expected = torch.tensor([0.3, 20**0.5, 0.5, 0.0], dtype=torch.float64)
    torch.testing.assert_close(distances(points, line), expected)


def test_it_agrees_with_a_fine_sampling_of_the_segments():
    draw = torch.Generator().manual_seed(0)
    line, points = (
        torch.randn(count, 3, 3, generator=draw, dtype=torch.float64)
        for count in (6, 40)
    )
    shares = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None, None, None]
    dense = (line[:-1] + shares * line.diff(dim=0)).flatten(0, 1)
    sampled = torch.cdist(points.flatten(1), dense.flatten(1)).amin(1)
    torch.testing.assert_close(distances(points, line), sampled, atol=1e-5, rtol=0)


def test_small_distances_far_from_the_origin_keep_their_digits():
    line = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    point = torch.tensor([[0.5, 0.5 + 1e-9]], dtype=torch.float64)
    torch.testing.assert_close(
        distances(point, line),
        torch.tensor([1e-9 / 2**0.5], dtype=torch.float64),
        rtol=1e-6,
        atol=0,
    )


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="two points"):
        distances(torch.zeros(2, 3), torch.zeros(1, 3))
