import math

import pytest
import torch

from ibcore.oracles.token_selection import KAPPA, token_selection
from ibcore.validation import InvalidInput, NotSeparable

PLANE = torch.tensor(
    [[[0.0, 0.0], [-1.0, 0.0]], [[0.0, 0.0], [2.0, -1.5]]], dtype=torch.float64
)


def test_one_input_of_two_tokens():
    """p = z / |z|^2."""
    z = torch.tensor([3.0, 4.0]).double()
    found = token_selection(torch.stack([z, 0 * z])[None], [0])
    torch.testing.assert_close(found.query, z / 25)
    assert found.gaps.tolist() == pytest.approx([-1])


def test_two_inputs_in_the_plane():
    """Rows (1, 0) and (-2, 3/2): p = (1, 2)."""
    found = token_selection(PLANE, [0, 0])
    torch.testing.assert_close(found.query, torch.tensor([1.0, 2.0]).double())
    assert found.gaps.tolist() == pytest.approx([-1, -1])


def test_the_gap_of_an_input_that_is_left_out():
    found = token_selection(PLANE, [0, 0], [True, False])
    torch.testing.assert_close(found.query, torch.tensor([1.0, 0.0]).double())
    assert found.gaps.tolist() == pytest.approx([-1, 2])


def test_the_number_of_the_best_token_counts():
    tokens = torch.randn(3, 4, 12, generator=torch.Generator().manual_seed(1)).double()
    first = token_selection(tokens, [0, 0, 0])
    turned = token_selection(tokens.roll(2, 1), [2, 2, 2])
    torch.testing.assert_close(first.query, turned.query)


def test_kappa_is_a_slope_of_the_logistic_loss():
    step = 1e-6

    def loss(m):
        return math.log1p(math.exp(-m))

    slope = (loss(1 - step) - loss(1 + step)) / (2 * step)
    assert pytest.approx(slope, rel=1e-8) == KAPPA


def test_selections_that_do_not_exist():
    inside = torch.tensor([[[0.0], [1.0], [-1.0]]])
    with pytest.raises(NotSeparable):
        token_selection(inside, [0])
    with pytest.raises(InvalidInput, match="best"):
        token_selection(inside, [3])
