import pytest
import torch

from ibcore.problems.random_labels import random_labels
from ibcore.validation import InvalidInput


def test_points_lie_on_the_sphere_and_labels_are_fair():
    X, y = random_labels(4000, 3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(X.norm(dim=1), torch.ones(4000).double())
    assert set(y.tolist()) == {-1.0, 1.0}
    assert abs(float(y.mean())) < 4 / 4000**0.5
    assert float(X.mean(0).norm()) < 4 / 4000**0.5


def test_sizes_are_checked():
    with pytest.raises(InvalidInput, match="n is 0"):
        random_labels(0, 3, torch.Generator())
