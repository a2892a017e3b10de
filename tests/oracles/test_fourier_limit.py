import pytest
import torch

from ibcore.models.random_features import draw_fourier
from ibcore.oracles.fourier_limit import gaussian_kernel
from ibcore.oracles.kernels import kernel_interpolant
from ibcore.oracles.least_squares import minimum_norm
from ibcore.validation import InvalidInput


def test_kernel_at_known_distances():
    kernel = gaussian_kernel(2.0)(
        torch.zeros(1, 2).double(), torch.tensor([[0.0, 0.0], [0.0, 2.0]]).double()
    )
    assert kernel[0].tolist() == pytest.approx([1.0, 2.718281828**-0.5])


def test_minimum_norm_random_features_tend_to_its_interpolant_as_one_over_root_count():
    generator = torch.Generator().manual_seed(0)
    X, Z = (
        torch.randn(count, 4, generator=generator, dtype=torch.float64)
        for count in (15, 10)
    )
    y = torch.randn(15, generator=generator, dtype=torch.float64)
    limit = kernel_interpolant(gaussian_kernel(1.0), X, y)(Z)
    gaps = []
    for count in (1000, 64_000):
        squares = []
        for seed in range(4):
            model = draw_fourier(4, count, 1.0, torch.Generator().manual_seed(seed))
            values = model.features(Z) @ minimum_norm(model.features(X), y).weights
            squares.append((values - limit).square().mean())
        gaps.append(float(torch.stack(squares).mean().sqrt()))
    assert gaps[1] == pytest.approx(gaps[0] / 8, rel=0.3)


def test_neither_units_nor_an_offset_matter():
    """40 points: from 26 on PyTorch would take distances as differences of squares,
    which the offset spoils.
    """
    X = torch.randint(-8, 8, (40, 3), generator=torch.Generator().manual_seed(1))
    X = X.double() / 4
    expected = gaussian_kernel(1.0)(X, X)
    torch.testing.assert_close(
        gaussian_kernel(1.0)(X + 2.0**30, X + 2.0**30), expected, rtol=1e-13, atol=0
    )
    for unit in (1e-12, 1e12):
        torch.testing.assert_close(
            gaussian_kernel(unit)(unit * X, unit * X), expected, rtol=1e-9, atol=0
        )


def test_length_scale_must_be_positive():
    with pytest.raises(InvalidInput, match="length_scale is -1"):
        gaussian_kernel(-1.0)
