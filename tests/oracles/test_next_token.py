import cvxpy as cp
import numpy as np
import pytest
import torch

from ibcore.oracles.multiclass import multiclass_max_margin
from ibcore.oracles.next_token import next_token_limit
from ibcore.problems.next_tokens import conflicting, drawn_next_tokens
from ibcore.validation import InvalidInput, NotSeparable


def draw(seed=0, supports=(1, 2, 3, 2)):
    return drawn_next_tokens(6, 5, supports, torch.Generator().manual_seed(seed))


def solved(data):
    return next_token_limit(data.contexts, data.weights, data.shares)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_log_odds_and_margins(seed):
    data = draw(seed)
    limit = solved(data)
    scores = data.contexts @ limit.finite.T
    level = data.contexts @ limit.direction.T
    for j, on in enumerate(data.support):
        odds = scores[j, on] - data.shares[j, on].log()
        assert float(odds.max() - odds.min()) < 1e-10
        assert float(level[j, on].max() - level[j, on].min()) < 1e-10
        assert float(level[j, on].min() - level[j, ~on].max()) > 1 - 1e-9
    assert limit.divergence == pytest.approx(0, abs=1e-14)
    torch.testing.assert_close(limit.inside(limit.finite), limit.finite)
    assert float(limit.inside(limit.direction).abs().max()) < 1e-12


def test_one_token_a_context_is_the_multiclass_program():
    data = draw(4, (1, 1, 1, 1))
    limit = solved(data)
    other = multiclass_max_margin(data.contexts, data.shares.argmax(1), 6)
    torch.testing.assert_close(limit.direction.flatten(), other.primal)
    assert float(limit.finite.abs().max()) == 0
    assert limit.basis.shape == (30, 0)


def test_unit_contexts_have_a_closed_form():
    """Level at (V - k)/V on the k tokens that follow, at -k/V on the others."""
    shares = torch.tensor([[0.5, 0.5, 0, 0], [0.25, 0.25, 0.5, 0]]).double()
    limit = next_token_limit(torch.eye(2), [0.5, 0.5], shares)
    expected = torch.tensor([[2, 2, -2, -2], [1, 1, 1, -3]]).double() / 4
    torch.testing.assert_close(limit.direction, expected.T, atol=1e-10, rtol=0)
    assert limit.program.margin**-2 == pytest.approx(1 + 3 / 4)


def test_the_plain_programs_agree():
    """The margin program without the span, and the infimum of contradicting data."""
    data = conflicting(draw(5), 1.5, 2.0)
    limit = solved(data)
    W, scores = cp.Variable((6, 5)), []
    constraints = []
    for h, p in zip(data.contexts.numpy(), data.shares.numpy(), strict=True):
        logits, on = W @ h, np.flatnonzero(p)
        scores.append(cp.log_sum_exp(logits[on]) - p[on] @ logits[on])
        constraints += [logits[on[0]] == logits[z] for z in on[1:]]
        constraints += [logits[on[0]] - logits[v] >= 1 for v in np.flatnonzero(p == 0)]
    cp.Problem(cp.Minimize(cp.sum_squares(W)), constraints).solve(solver=cp.CLARABEL)
    np.testing.assert_allclose(W.value, limit.direction.numpy(), atol=1e-5)
    least = cp.Problem(cp.Minimize(data.weights.numpy() @ cp.hstack(scores)))
    least.solve(solver=cp.CLARABEL)
    assert least.value - data.entropy == pytest.approx(limit.divergence, abs=1e-7)
    assert limit.divergence > 1e-3


def test_the_drift_balances_the_push_of_other_tokens():
    """Minimizing CE with a part alpha/t on the others moves the finite part by c/t."""
    data = draw(6)
    limit = solved(data)
    step = 1e-6

    def pull(W):
        logits = data.contexts @ W.T
        inner = torch.softmax(logits.masked_fill(~data.support, -torch.inf), 1)
        inside = (data.weights[:, None] * (data.shares - inner)).T @ data.contexts
        weights = torch.zeros_like(data.shares)
        weights[tuple(limit.pairs.T)] = limit.program.dual * step
        push = (weights.sum(1, keepdim=True) * data.shares - weights).T @ data.contexts
        return limit.inside(inside + push)

    left = pull(limit.finite + step * limit.drift).norm()
    assert float(left / pull(limit.finite).norm()) < 1e-4


def test_a_factor_of_the_contexts():
    data = draw(7)
    one, two = (
        solved(data),
        next_token_limit(4 * data.contexts, data.weights, data.shares),
    )
    torch.testing.assert_close(two.finite, one.finite / 4)
    torch.testing.assert_close(two.direction, one.direction / 4)


def test_texts_without_a_limit():
    with pytest.raises(NotSeparable):
        next_token_limit([[1.0], [2.0]], [0.5, 0.5], [[1, 0, 0], [0, 1, 0]])
    with pytest.raises(InvalidInput, match="every token follows"):
        next_token_limit([[1.0]], [1.0], [[0.5, 0.5]])
    with pytest.raises(InvalidInput, match="as many"):
        next_token_limit([[1.0]], [0.5, 0.5], [[1.0, 0.0]])
    with pytest.raises(InvalidInput, match="sum 1"):
        next_token_limit([[1.0]], [1.0], [[1.0, 1.0, 0.0]])
