import pytest
import torch

from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.support_vectors import distinctness, offset_at_loss, spans
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput


def test_distinctness_is_the_loss_of_margin_when_a_support_vector_is_left_out():
    data = planted_margin(12, 6, 0.1, torch.Generator().manual_seed(2))
    solution = max_margin(data.X, data.y)
    values = (
        distinctness(data.signed, solution.dual)
        * solution.primal.norm()
        * data.signed.norm(dim=1)
    )
    on = torch.nonzero(solution.support)[:, 0].tolist()
    for i in on:
        others = data.signed[[j for j in on if j != i]]
        shortest = torch.linalg.lstsq(
            others, torch.ones(len(others), 1).double(), driver="gelsd"
        ).solution[:, 0]
        assert float(values[i]) == pytest.approx(
            1 - float(data.signed[i] @ shortest), abs=1e-9
        )
    off = ~solution.support
    torch.testing.assert_close(values[off], data.signed[off] @ solution.primal - 1)
    assert bool((values >= 0).all())


def test_the_only_point_is_all_there_is_and_spans_a_line():
    point = torch.tensor([[3.0, 4.0]]).double()
    dual = max_margin(point, [1.0]).dual
    assert float(distinctness(point, dual)) == pytest.approx(1)
    assert not spans(point, dual)
    assert spans(point[:, :1], torch.ones(1).double())


def test_repeated_support_vectors_are_refused():
    twice = torch.tensor([[1.0, 0.0], [1.0, 0.0]]).double()
    with pytest.raises(InvalidInput, match="dependent"):
        distinctness(twice, torch.tensor([0.5, 0.5]).double())


def test_offset_has_the_margins_of_the_limiting_shares():
    data = planted_margin(12, 6, 0.1, torch.Generator().manual_seed(2))
    solution = max_margin(data.X, data.y)
    offset = offset_at_loss(data.signed, solution.dual)
    level = 50.0
    margins = data.signed @ (level * solution.primal + offset)
    losses = torch.exp(-margins[solution.support])
    shares = solution.dual[solution.support] / solution.dual.sum()
    torch.testing.assert_close(losses / losses.sum(), shares)
    assert float(losses.sum()) / 12 == pytest.approx(
        torch.tensor(-level).exp().item(), rel=1e-9
    )
