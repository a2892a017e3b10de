import pytest
import torch

from ibcore.problems.several_classes import planted_classes
from ibcore.validation import InvalidInput


def test_the_teacher_separates_with_its_margin():
    data = planted_classes(40, 5, 4, 0.3, torch.Generator().manual_seed(0))
    assert data.X.shape == (40, 5)
    assert set(data.y.tolist()) <= set(range(4))
    assert float((data.pairs @ data.teacher.flatten()).min()) >= 0.3


def test_pairs_are_differences_of_scores():
    data = planted_classes(10, 3, 3, 0.1, torch.Generator().manual_seed(1))
    W = torch.randn(
        3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    scores = data.X @ W.T
    expected = [
        float(scores[i, data.y[i]] - scores[i, k])
        for i in range(10)
        for k in range(3)
        if k != int(data.y[i])
    ]
    torch.testing.assert_close(
        data.pairs @ W.flatten(), torch.tensor(expected, dtype=torch.float64)
    )


def test_draws_repeat_and_bad_input_is_refused():
    first, second = (
        planted_classes(8, 3, 3, 0.2, torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    assert torch.equal(first.X, second.X)
    with pytest.raises(InvalidInput, match="margin"):
        planted_classes(8, 3, 3, 2.0, torch.Generator())
    with pytest.raises(InvalidInput, match="count"):
        planted_classes(8, 3, 1, 0.2, torch.Generator())


def test_a_margin_that_no_point_keeps_is_refused():
    with pytest.raises(InvalidInput, match="Take a smaller margin"):
        planted_classes(3, 1, 12, 0.5, torch.Generator().manual_seed(0))
    with pytest.raises(InvalidInput, match="margin"):
        planted_classes(3, 2, 3, float("nan"), torch.Generator().manual_seed(0))
