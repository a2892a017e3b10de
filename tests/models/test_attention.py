import math

import pytest
import torch

from ibcore.models.attention import Attention
from ibcore.validation import InvalidInput


def layer(seed=0, batch=()):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(*batch, 5, 4, 3, generator=generator).double()
    return Attention(tokens, torch.randn(*batch, 5, 4, generator=generator))


def test_attention_is_a_softmax_of_products():
    model, p = layer(), torch.tensor([[0.3, -1.0, 2.0]]).double()
    by_hand = torch.softmax(torch.einsum("itd,d->it", model.tokens, p[0]), -1)
    torch.testing.assert_close(model.attention(p)[0], by_hand)
    torch.testing.assert_close(model.outputs(p)[0], (by_hand * model.scores).sum(-1))


def test_the_gradient_survives_a_saturated_softmax():
    """Two tokens: f = 1/(1 + e^-p), whose slope at p = 200 is e^-200; the usual
    backward pass gives rounding.
    """
    model = Attention([[[1.0], [0.0]]], [[1.0, 0.0]])
    p = torch.tensor([[200.0]]).double()
    pulled = model.pullback(p, torch.ones(1, 1).double())
    assert float(pulled) == pytest.approx(math.exp(-200), rel=1e-12)


def test_each_member_has_its_own_tokens():
    model, p = layer(1, (2,)), torch.randn(2, 3).double()
    for member in (0, 1):
        alone = Attention(model.tokens[member], model.scores[member])
        torch.testing.assert_close(
            model.outputs(p)[member : member + 1], alone.outputs(p[member : member + 1])
        )
    part = model.select(torch.tensor([1]))
    torch.testing.assert_close(part.outputs(p[1:]), model.outputs(p)[1:])
    rows = model.minibatch(torch.tensor([3, 0]))
    torch.testing.assert_close(rows.outputs(p), model.outputs(p)[:, [3, 0]])


@pytest.mark.parametrize(
    ("tokens", "scores"),
    [
        (torch.ones(4, 3), torch.ones(4)),
        (torch.ones(5, 4, 3), torch.ones(5, 3)),
        (torch.full((5, 4, 3), math.nan), torch.ones(5, 4)),
    ],
)
def test_data_that_do_not_fit(tokens, scores):
    with pytest.raises(InvalidInput, match=r"tokens|scores"):
        Attention(tokens, scores)
