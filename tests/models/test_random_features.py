import math

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


def test_frequencies_are_normal_and_phases_fill_the_circle_evenly():
    model = draw_fourier(2, 50_000, 4.0, torch.Generator().manual_seed(2))
    assert float(model.frequencies.square().mean()) == pytest.approx(1 / 16, rel=0.03)
    phases = model.phases
    assert 0 <= float(phases.min()) < 1e-3
    assert 2 * math.pi - 1e-3 < float(phases.max()) <= 2 * math.pi
    assert float(phases.mean()) == pytest.approx(math.pi, rel=0.02)


def test_all_of_its_features_are_a_model_within():
    model, X = (
        draw_fourier(3, 4, 1.0, torch.Generator().manual_seed(3)),
        torch.ones(2, 3),
    )
    assert model.first(4).count == 4
    features = model.features(X.double())
    torch.testing.assert_close(model.rescaled(features, 4), features)
