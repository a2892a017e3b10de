import math

import pytest
import torch
from numpy.polynomial import chebyshev, legendre

from ibcore.problems.curves import (
    CUBIC,
    chebyshev_points,
    cubic,
    cubic_points,
    jittered_inputs,
    points,
    scattered_points,
    sine_points,
    zigzag,
)
from ibcore.validation import InvalidInput


def generator():
    return torch.Generator().manual_seed(4)


def test_inputs_increase_with_room_between_them():
    x = jittered_inputs(50, 8, generator())
    assert x.shape == (50, 8)
    assert float(x.diff().min()) >= 0.5 * 2 / 8
    assert float(x.abs().max()) < 1


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda g: sine_points(400, 8, g, noise=0.2), lambda x: torch.sin(math.pi * x)),
        (lambda g: cubic_points(400, 8, g, noise=0.2), lambda x: 2 * x**3 - x),
    ],
)
def test_labels_are_truth_plus_noise(draw, truth):
    data = draw(generator())
    noise = data.y - truth(data.x)
    assert abs(float(noise.std()) - 0.2) < 0.01
    assert abs(float(noise.mean())) < 0.015


def test_the_cubic_has_these_legendre_coefficients():
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)
    torch.testing.assert_close(
        torch.from_numpy(legendre.legval(x.numpy(), CUBIC)), cubic(x)
    )


def test_scattered_labels_are_standard_normal():
    y = scattered_points(400, 8, generator()).y
    assert abs(float(y.std()) - 1) < 0.05


def test_own_points_are_sorted():
    data = points([2.0, 0.0, 1.0], [20.0, 0.0, 10.0])
    assert data.x.tolist() == [[0.0, 1.0, 2.0]]
    assert data.y.tolist() == [[0.0, 10.0, 20.0]]
    assert data.inputs.shape == (1, 3, 1)
    assert data.first(0).x.shape == (0, 3)
    assert data.grid(5).tolist() == [[0.0, 0.5, 1.0, 1.5, 2.0]]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0.0, 1.0, 1.0], [0.0, 1.0, 2.0], "x = 1 occurs twice"),
        ([0.0, 1.0], [0.0, 1.0], "at least 3"),
        ([0.0, 1.0, 2.0], [0.0, 1.0], "one label a point"),
        ([0.0, 1.0, math.inf], [0.0, 1.0, 2.0], "infinite"),
        ([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0], "expected 1 dimension"),
        ([], [], "empty"),
    ],
)
def test_bad_points_are_refused(x, y, message):
    with pytest.raises(InvalidInput, match=message):
        points(x, y)


def test_zigzag_keeps_the_points_and_alternates_between_them():
    data = points([0.0, 1.0, 3.0], [0.0, 4.0, 2.0])
    dense = zigzag(data, between=2)
    expected_x = [0.0, 1 / 3, 2 / 3, 1.0, 1 + 2 / 3, 1 + 4 / 3, 3.0]
    line = [0.0, 4 / 3, 8 / 3, 4.0, 4 - 2 / 3, 4 - 4 / 3, 2.0]
    offsets = [0, 2, -2, 0, 2, -2, 0]
    torch.testing.assert_close(
        dense.x[0], torch.tensor(expected_x, dtype=torch.float64)
    )
    torch.testing.assert_close(
        dense.y[0],
        torch.tensor(line, dtype=torch.float64) + torch.tensor(offsets).double(),
    )


def test_zigzag_of_eight_points_has_thirty_six():
    assert zigzag(scattered_points(3, 8, generator())).x.shape == (3, 36)


@pytest.mark.parametrize("degree", [1, 3, 5])
def test_labels_of_the_chebyshev_task(degree):
    data = chebyshev_points(degree, 20)
    assert data.x.shape == data.y.shape == (1, 20)
    expected = chebyshev.Chebyshev.basis(degree)(data.x[0].numpy())
    torch.testing.assert_close(data.y[0], torch.from_numpy(expected))
