import pytest
import torch

from ibcore.problems.labelings import LABELINGS, labelings
from ibcore.validation import InvalidInput


def test_the_same_digits_come_with_true_and_random_labels():
    data = labelings(2, 300, torch.Generator().manual_seed(0))
    assert data.X.shape == (2, len(LABELINGS), 300, 64)
    assert torch.equal(data.X[:, 0], data.X[:, 2])
    assert torch.equal(data.y[:, 0], data.y[:, 1])
    assert float((data.y[:, 0] == data.y[:, 2]).double().mean()) == pytest.approx(
        0.1, abs=0.06
    )
    assert float(data.X[0, 0].norm(dim=1).mean()) == pytest.approx(1, rel=1e-5)
    assert not torch.equal(data.X[0], data.X[1])


def test_sizes_are_checked():
    with pytest.raises(InvalidInput):
        labelings(0, 100, torch.Generator())
