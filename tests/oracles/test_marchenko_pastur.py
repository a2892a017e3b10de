import numpy as np
import pytest
import torch

from ibcore.oracles.marchenko_pastur import (
    density,
    distribution,
    edges,
    least_eigenvalue_distribution,
)
from ibcore.validation import InvalidInput


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9, 1.0])
def test_distribution_is_the_integral_of_the_density(ratio):
    low, high = edges(ratio)
    u = (np.arange(200_000) + 0.5) / 200_000
    x = low + (high - low) * u**4  # dense at the left edge
    masses = density(x, ratio) * (high - low) * 4 * u**3 / 200_000
    assert float(masses.sum()) == pytest.approx(1, abs=1e-5)
    points = low + (high - low) * np.array([0.01, 0.2, 0.7])
    below = [float(masses[x <= point].sum()) for point in points]
    assert distribution(points, ratio) == pytest.approx(below, abs=2e-5)
    assert distribution([low - 1, low, high, 9.0], ratio) == pytest.approx([0, 0, 1, 1])


@pytest.mark.parametrize("ratio", [0.25, 0.6])
def test_moments(ratio):
    """Means of x, x^2 and 1/x: 1, 1 + c and 1/(1 - c)."""
    low, high = edges(ratio)
    grid = np.linspace(low, high, 100_001)
    middle = (grid[1:] + grid[:-1]) / 2
    mass = np.diff(distribution(grid, ratio))
    for power, expected in ((1, 1), (2, 1 + ratio), (-1, 1 / (1 - ratio))):
        assert float((mass * middle**power).sum()) == pytest.approx(expected, rel=1e-6)


def test_the_square_case_in_closed_form():
    """For c = 1, x = 4 sin^2 t has the distribution (2/pi)(t + sin t cos t)."""
    t = np.linspace(0, np.pi / 2, 50)
    expected = 2 / np.pi * (t + np.sin(t) * np.cos(t))
    assert distribution(4 * np.sin(t) ** 2, 1.0) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("ratio", [0.0, -1.0, 1.1])
def test_another_ratio_is_refused(ratio):
    with pytest.raises(InvalidInput):
        distribution([1.0], ratio)


def test_the_least_eigenvalue_of_one_row_is_chi_square_with_two_degrees():
    assert least_eigenvalue_distribution([-1.0, 2.0], 1) == pytest.approx(
        [0, 1 - np.exp(-1)]
    )


def test_the_least_eigenvalue_of_small_matrices():
    Z = torch.randn(
        20_000,
        3,
        4,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
    )
    least = torch.linalg.eigvalsh(Z @ Z.mT)[:, 0].numpy()
    for x in (0.1, 0.5, 1.5):
        share = float((least <= x).mean())
        expected = float(least_eigenvalue_distribution([x], 3)[0])
        assert share == pytest.approx(expected, abs=5 * 0.5 / 20_000**0.5)
