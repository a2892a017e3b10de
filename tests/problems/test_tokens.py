import pytest
import torch

from ibcore.problems.tokens import TokenSet, drawn_tokens, one_input, with_gap
from ibcore.validation import InvalidInput


def draw(seed=0):
    return drawn_tokens(3, 4, 12, torch.Generator().manual_seed(seed))


def test_differences_are_those_of_the_best_token():
    tokens = torch.arange(12.0).reshape(2, 3, 2)
    data = TokenSet(tokens, torch.tensor([1, 0]))
    assert data.scores.tolist() == [[0, 1, 0], [1, 0, 0]]
    expected = [[[2.0, 2.0], [-2.0, -2.0]], [[-2.0, -2.0], [-4.0, -4.0]]]
    assert data.differences.tolist() == expected
    assert data.only(torch.tensor([1])).best.tolist() == [0]


def test_the_best_of_one_input_is_farthest_somewhere():
    for seed in range(5):
        data = one_input(6, 4, torch.Generator().manual_seed(seed))
        again = torch.Generator().manual_seed(seed)
        torch.randn(1, 6, 4, generator=again, dtype=torch.float64)
        teacher = torch.randn(4, generator=again, dtype=torch.float64)
        assert float((data.differences @ teacher).min()) > 0


@pytest.mark.parametrize("gap", [0.75, 1.25])
def test_a_planted_gap(gap):
    data, direction = draw(), torch.randn(12).double()
    heights = with_gap(data, direction, gap).tokens[-1] @ direction
    torch.testing.assert_close(
        heights - heights[0], torch.tensor([0, gap, 0, 0]).double()
    )
    torch.testing.assert_close(
        with_gap(data, direction, gap).tokens[:-1], data.tokens[:-1]
    )


@pytest.mark.parametrize("best", [[0, 1], [0, 1, 4], [0, 1, -1], [0.5, 0, 0]])
def test_tokens_that_are_none(best):
    with pytest.raises(InvalidInput, match="best"):
        TokenSet(draw().tokens, torch.tensor(best))
