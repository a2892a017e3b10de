import pytest
import torch

from ibcore.problems.spectra import mirrored, spectral_regression
from ibcore.validation import InvalidInput


@pytest.mark.parametrize("d", [9, 12])
def test_even_signals_have_real_spectra_and_predictors_few_frequencies(d):
    data = spectral_regression(3, d, 2, torch.Generator().manual_seed(0), even=True)
    for rows in (data.X, data.beta[None]):
        torch.testing.assert_close(rows[:, 1:], rows[:, 1:].flip(1))
    sizes = torch.fft.rfft(data.beta, norm="ortho").abs()
    torch.testing.assert_close(
        sizes.sort(descending=True).values[:3], torch.tensor([1.0, 1.0, 0.0]).double()
    )
    torch.testing.assert_close(data.X @ data.beta, data.y)


def test_generic_signals_are_not_even():
    data = spectral_regression(3, 12, 2, torch.Generator().manual_seed(0), even=False)
    assert float(torch.fft.rfft(data.X).imag.abs().max()) > 0.1


def test_mirrored_signals_are_even():
    rows = mirrored([[1.0, 2.0, 3.0, 4.0]])
    assert rows.tolist() == [[1, 2, 3, 4, 3, 2]]
    assert float(torch.fft.rfft(rows).imag.abs().max()) < 1e-12


def test_labels_that_determine_the_predictor_are_refused():
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(InvalidInput, match="less than"):
        spectral_regression(7, 12, 2, generator, even=True)
    with pytest.raises(InvalidInput, match="used is 9"):
        spectral_regression(2, 12, 9, generator, even=True)
    with pytest.raises(InvalidInput, match="at least 3"):
        mirrored([[1.0, 2.0]])
