import pytest
import torch

from ibcore.problems.sparse_regression import runners_up, sparse_regression
from ibcore.validation import InvalidInput


def test_the_truth_is_sparse_and_explains_the_targets():
    data = sparse_regression(6, 20, 3, torch.Generator().manual_seed(0))
    assert int((data.truth != 0).sum()) == 3
    assert bool(
        (
            (data.truth.abs() >= 0.5) & (data.truth.abs() <= 1.5) | (data.truth == 0)
        ).all()
    )
    assert torch.equal(data.X @ data.truth, data.y)
    assert data.first(2).X.shape == (2, 20)
    assert torch.equal(data.first(2).y, data.y[:2])


def test_the_first_coordinate_is_ahead():
    data = runners_up(4, 0.25)
    assert data.X.tolist() == [[1.0, 0.75, 0.75, 0.75]]
    assert torch.equal(data.X @ data.truth, data.y)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInput, match="only 4 dimensions"):
        sparse_regression(2, 4, 5, torch.Generator())
    with pytest.raises(InvalidInput, match="lag"):
        runners_up(3, 1.0)
