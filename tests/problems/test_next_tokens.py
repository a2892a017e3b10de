import math

import numpy as np
import pytest
import torch

from ibcore.problems.next_tokens import conflicting, counted, drawn_next_tokens
from ibcore.validation import InvalidInput


def draw(seed=0):
    return drawn_next_tokens(6, 5, (1, 2, 3, 2), torch.Generator().manual_seed(seed))


def test_a_text_is_counted():
    X = np.array([[1.0, 0], [0, 1], [1, 0], [1, 0], [0, 1]])
    data = counted(X, np.array([0, 2, 1, 0, 2]))
    assert data.contexts.tolist() == [[0, 1], [1, 0]]
    assert data.weights.tolist() == [0.4, 0.6]
    torch.testing.assert_close(
        data.shares, torch.tensor([[0, 0, 1], [2 / 3, 1 / 3, 0]]).double()
    )
    two = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert data.entropy == pytest.approx(0.6 * two)
    assert data.size == (3, 2)


def test_drawn_supports():
    data = draw()
    assert data.support.sum(1).tolist() == [1, 2, 3, 2]
    torch.testing.assert_close(data.shares.sum(1), torch.ones(4).double())
    assert float(data.weights.sum()) == pytest.approx(1)


def test_a_contradiction():
    data = draw()
    more = conflicting(data, 1.5, 2.0)
    torch.testing.assert_close(more.contexts[-1], 1.5 * data.contexts[-1])
    on = data.support[-1]
    assert more.support[-1].tolist() == on.tolist()
    old, new = (one.shares[-1, on].log().diff() for one in (data, more))
    torch.testing.assert_close(new, 1.5 * old - 2.0)
    assert float(more.weights.sum()) == pytest.approx(1)
    none = conflicting(data, 1.5, 0.0).shares[-1, on].log().diff()
    torch.testing.assert_close(none, 1.5 * old)


def test_data_that_are_no_text():
    X = np.eye(3)
    with pytest.raises(InvalidInput, match="next token"):
        counted(X, np.array([0, 1]))
    with pytest.raises(InvalidInput, match="every token follows"):
        counted(np.ones((2, 1)), np.array([0, 1]))
    with pytest.raises(InvalidInput, match="integers"):
        counted(X, np.array([0.5, 1, 2]))
    with pytest.raises(InvalidInput, match="followed by one token"):
        conflicting(counted(X, np.array([0, 1, 2])), 1.5, 2.0)
    with pytest.raises(InvalidInput, match="supports"):
        drawn_next_tokens(3, 2, (4,), torch.Generator())
