import pytest
import torch

from ibcore.problems.digit_parity import parity_splits
from ibcore.problems.digits import digits_split
from ibcore.validation import InvalidInput


def test_splits_hold_scaled_components_and_signs():
    data = parity_splits(3, 100, 50, 8, torch.Generator().manual_seed(0))
    assert data.X_train.shape == (3, 100, 8)
    assert data.X_test.shape == (3, 50, 8)
    torch.testing.assert_close(
        data.X_train.square().mean((1, 2)), torch.ones(3, dtype=torch.float64)
    )
    assert set(data.y_train.unique().tolist()) == {-1.0, 1.0}
    assert not torch.equal(data.X_train[0], data.X_train[1])


def test_labels_are_the_parity_of_the_same_digits():
    data = parity_splits(1, 100, 50, 8, torch.Generator().manual_seed(0))
    digits = digits_split(100, 50, torch.Generator().manual_seed(0))
    assert torch.equal(data.y_test[0] == 1, digits.y_test % 2 == 0)


def test_half_of_the_redrawn_labels_are_wrong_and_test_labels_none():
    clean, noisy = (
        parity_splits(1, 1500, 50, 8, torch.Generator().manual_seed(0), share)
        for share in (0.0, 1.0)
    )
    assert float((clean.y_train != noisy.y_train).double().mean()) == pytest.approx(
        0.5, abs=0.05
    )
    assert torch.equal(clean.y_test, noisy.y_test)


def test_components_are_uncorrelated_and_in_falling_order():
    X = parity_splits(1, 500, 10, 5, torch.Generator().manual_seed(0)).X_train[0]
    covariance = X.T @ X / 500
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-12
    assert bool((covariance.diag().diff() <= 0).all())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((1, 5, 5, 9), "components is 9"),
        ((1, 1790, 50, 9), "train \\+ test"),
        ((0, 5, 5, 2), "splits is 0"),
        ((1, 5, 5, 0), "components is 0"),
    ],
)
def test_bad_sizes_are_refused(sizes, message):
    with pytest.raises(InvalidInput, match=message):
        parity_splits(*sizes, torch.Generator())
