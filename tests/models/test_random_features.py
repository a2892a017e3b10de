import pytest
import torch

from ibcore.models.random_features import draw_fourier
from ibcore.validation import InvalidInput


def test_features_average_to_the_gaussian_kernel():
    X = torch.tensor([[0.0, 0.0], [0.3, -0.4], [2.0, 1.0]], dtype=torch.float64)
    phi = draw_fourier(2, 200_000, 1.5, torch.Generator().manual_seed(0)).features(X)
    kernel = torch.exp(-torch.cdist(X, X).square() / (2 * 1.5**2))
    torch.testing.assert_close(phi @ phi.T, kernel, atol=0.01, rtol=0)


def test_smaller_models_are_nested():
    model = draw_fourier(3, 20, 1.0, torch.Generator().manual_seed(0))
    X = torch.randn(
        5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(
        model.rescaled(model.features(X), 7), model.first(7).features(X)
    )
    assert model.first(7).count == 7


def test_bad_input_is_refused():
    model = draw_fourier(3, 20, 1.0, torch.Generator())
    with pytest.raises(InvalidInput, match="count is 21"):
        model.first(21)
    with pytest.raises(InvalidInput, match="count is 0"):
        model.rescaled(torch.ones(2, 20), 0)
    with pytest.raises(InvalidInput, match="length_scale is 0"):
        draw_fourier(3, 20, 0.0, torch.Generator())
    with pytest.raises(InvalidInput, match="count is -4"):
        draw_fourier(3, -4, 1.0, torch.Generator())
