import pytest
import torch

from ibcore.measures.complexity import frobenius_complexity, spectral_complexity


def test_identity_layers_have_known_complexities():
    layers = [torch.eye(4).expand(2, 4, 4).double()] * 3
    assert spectral_complexity(layers).tolist() == pytest.approx([4 * 3**1.5] * 2)
    assert frobenius_complexity(layers).tolist() == pytest.approx([3**0.5 * 8] * 2)


def test_rows_are_counted_and_not_columns():
    layer = torch.zeros(1, 2, 3).double()
    layer[0, 0] = 1.0
    assert float(spectral_complexity([layer])) == pytest.approx(3**0.5)
    assert float(spectral_complexity([layer.mT])) == pytest.approx(3.0)


def test_both_are_homogeneous_and_rotating_the_outputs_of_a_layer_keeps_the_frobenius_one():
    generator = torch.Generator().manual_seed(0)
    layers = [
        torch.randn(3, *shape, generator=generator, dtype=torch.float64)
        for shape in ((5, 4), (2, 5))
    ]
    for measure in (spectral_complexity, frobenius_complexity):
        assert torch.allclose(
            measure([2 * layer for layer in layers]), 4 * measure(layers)
        )
        assert torch.allclose(measure([3 * layers[0], layers[1] / 3]), measure(layers))


def test_no_margin_exceeds_the_product_of_spectral_norms():
    generator = torch.Generator().manual_seed(1)
    layers = [
        torch.randn(1, *shape, generator=generator, dtype=torch.float64)
        for shape in ((6, 4), (3, 6))
    ]
    X = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    outputs = (X @ layers[0][0].T).relu() @ layers[1][0].T
    spread = (outputs.amax(1) - outputs.amin(1)) / X.norm(dim=1)
    assert float(spread.max()) <= 2 * float(spectral_complexity(layers)) / 2**1.5
