"""What training needs on the page, against automatic differentiation and by hand."""

import math

import numpy as np
import pytest
import torch

from ibcore.dynamics.explicit import descend
from ibcore.dynamics.objective import Objective
from ibcore.dynamics.paces import constant
from ibcore.losses import Logistic
from ibcore.models.attention import Attention
from ibcore.pages.since.attention_and_language.decoding import (
    Decoder,
    Frozen,
    limit_of,
    train,
)
from ibcore.pages.since.attention_and_language.explorers import plane_tokens
from ibcore.pages.since.attention_and_language.selection import Layer, follow
from ibcore.pages.since.attention_and_language.ways import (
    Selected,
    data_selection,
    log_odds,
    outcomes,
    threshold_shares,
)
from ibcore.problems.next_tokens import drawn_next_tokens
from ibcore.problems.tokens import TokenSet, drawn_tokens


def tokens(seed=0, d=7):
    return drawn_tokens(4, 4, d, torch.Generator().manual_seed(seed))


def text(seed=0):
    return drawn_next_tokens(6, 5, (1, 2, 3, 2), torch.Generator().manual_seed(seed))


def test_the_slope_and_its_derivative_are_those_of_the_loss():
    data, p = tokens(), torch.randn(1, 7, generator=torch.Generator().manual_seed(2))
    objective = Objective(Attention(data.tokens, data.scores), Logistic())
    layer, point = Layer(data), p.double()
    vector, unit = layer.slope(point[0].numpy())
    pulled, log_unit = objective.at(point).slope
    np.testing.assert_allclose(np.exp(unit) * vector, pulled[0] * log_unit.exp()[0])
    matrix, unit = layer.bend(point[0].numpy())
    product = objective.curvature(point)
    rows = torch.cat([product(e[None]) for e in torch.eye(7).double()])
    np.testing.assert_allclose(np.exp(unit) * matrix, -rows, atol=1e-15)


def test_the_flow_is_the_limit_of_small_steps():
    data = tokens(1)
    run = follow(data, torch.zeros(7), [math.log(2.0)])
    objective = Objective(Attention(data.tokens, data.scores), Logistic())
    zero = torch.zeros(1, 7).double()
    steps = [
        descend(objective, zero, constant(2.0 / count), steps=[count]).theta[0, 0]
        for count in (1000, 2000)
    ]
    torch.testing.assert_close(2 * steps[1] - steps[0], run.path[0], rtol=0, atol=1e-5)


def test_the_excess_of_the_loss():
    data, p = tokens(2), torch.randn(7, generator=torch.Generator().manual_seed(3))
    objective = Objective(Attention(data.tokens, data.scores), Logistic())
    loss = float(objective.mean(3 * p[None].double()))
    winners = Layer(data).log_attention(3 * p.double().numpy())[:, 0] > math.log(0.5)
    limit = np.where(winners, math.log1p(math.exp(-1)), math.log(2)).mean()
    excess = Layer(data).log_excess(3 * p.double().numpy(), winners)
    if loss > limit:
        assert math.exp(excess) == pytest.approx(loss - limit, rel=1e-9)
    else:
        assert math.isnan(excess)
    every = np.ones(4, dtype=bool)
    above = math.exp(Layer(data).log_excess(np.zeros(7), every))
    assert above == pytest.approx(
        math.log1p(math.exp(-0.25)) - math.log1p(math.exp(-1))
    )


def test_far_out_the_excess_is_that_of_exponentials():
    """One input of two tokens at p = 1000: kappa e^-1000."""
    data = TokenSet(torch.tensor([[[1.0], [0.0]]]), torch.tensor([0]))
    excess = Layer(data).log_excess(np.array([1000.0]), np.array([True]))
    assert excess == pytest.approx(-1000 - math.log1p(math.e), abs=1e-9)


def test_log_odds_of_the_best_token():
    data, p = tokens(3), torch.randn(7, generator=torch.Generator().manual_seed(4))
    attention = Attention(data.tokens, data.scores).attention(p[None].double())[0, :, 0]
    torch.testing.assert_close(log_odds(data, p.double()), torch.logit(attention))


def test_a_way_below_its_threshold():
    data = tokens(4, 24)
    problem = Selected(data, torch.zeros(24).double(), data_selection(data))
    way = problem.way((0.0, 5.0, 50.0))
    shares = threshold_shares(way)
    assert float(shares[0]) > 1 > float(shares[1])
    pace = way.guaranteed_pace
    assert pace[:2].tolist() == [math.inf, math.inf]
    assert 1 <= float(pace[2]) < 1.5
    assert float(way.pace()[-1]) > 0


def test_the_gap_decides():
    hits = outcomes(tokens(5, 24), (0.7, 1.6), (20.0,))
    assert float(hits[0, 0]) > 0.99
    assert float(hits[0, 1]) < 1e-6


def test_the_plane_of_the_explorer():
    data = plane_tokens(1.25)
    alone = data_selection(data, [True, False])
    torch.testing.assert_close(alone.query, torch.tensor([1.0, 0.0]).double())
    assert alone.gaps.tolist() == pytest.approx([-1, 1.25])


def cross_entropy(data, W):
    logs = torch.log_softmax(data.contexts @ W.T, 1)
    return -data.weights @ (data.shares * logs).sum(1)


def test_the_decoder_is_that_of_automatic_differentiation():
    data = text()
    W = torch.randn(6, 5, generator=torch.Generator().manual_seed(1)).double()
    gradient = torch.autograd.functional.jacobian(lambda w: cross_entropy(data, w), W)
    decoder = Decoder(data)
    flat = W.flatten().numpy()
    np.testing.assert_allclose(decoder.slope(flat)[0], -gradient.flatten(), atol=1e-14)
    hessian = torch.autograd.functional.hessian(lambda w: cross_entropy(data, w), W)
    np.testing.assert_allclose(
        decoder.bend(flat)[0], -hessian.reshape(30, 30), atol=1e-14
    )
    excess = float(cross_entropy(data, W)) - data.entropy
    assert math.exp(decoder.log_excess(flat)) == pytest.approx(excess, rel=1e-9)


def test_the_frozen_flow_is_the_part_off_the_span():
    data = text(1)
    limit = limit_of(data)
    W = limit.finite + torch.randn(6, 5, generator=torch.Generator().manual_seed(2))
    W = W - limit.inside(W) + limit.finite
    whole = torch.from_numpy(Decoder(data).slope(W.flatten().numpy())[0])
    outside = whole - whole @ limit.basis @ limit.basis.T
    frozen = Frozen(data, limit)
    vector, unit = frozen.slope(W.flatten().numpy())
    np.testing.assert_allclose(np.exp(unit) * vector, outside, atol=1e-13)
    matrix, unit = frozen.bend(W.flatten().numpy())
    step = 1e-5 * limit.direction.flatten().numpy()
    ends = [frozen.slope(W.flatten().numpy() + s * step) for s in (1, -1)]
    change = np.exp(ends[0][1]) * ends[0][0] - np.exp(ends[1][1]) * ends[1][0]
    np.testing.assert_allclose(np.exp(unit) * matrix @ step, change / 2, atol=1e-12)


def test_early_training_of_the_decoder():
    """W = -t grad to first order."""
    data = text(2)
    zero = torch.zeros(6, 5).double()
    W = train(data, zero, [math.log(1e-4)], tolerance=1e-10).path[0]
    first = 1e-4 * Decoder(data).slope(zero.flatten().numpy())[0]
    np.testing.assert_allclose(W, first, rtol=1e-3, atol=1e-9)
