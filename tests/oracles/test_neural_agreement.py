import pytest
import torch

from ibcore.oracles.max_margin import max_margin
from ibcore.oracles.neural_agreement import agreement_limit
from ibcore.problems.separable import planted_margin
from ibcore.validation import InvalidInput


@pytest.mark.parametrize(("x", "p"), [(1.0, 1.0), (1.9, 0.6 / 1.09)])
def test_one_point_of_each_class_in_closed_form(x, p):
    """On x and -1 the pair p = w_+ - s w_-, r = w_- - s w_+ has r = -1 and p = max(1/x,
    2s/(1 + s^2)).
    """
    slope = 0.3
    limit = agreement_limit(
        torch.tensor([[x], [-1.0]]).double(), torch.tensor([1.0, -1.0]), slope
    )
    pair = torch.cat(
        [limit.plus - slope * limit.minus, limit.minus - slope * limit.plus]
    )
    torch.testing.assert_close(
        pair, torch.tensor([p, -1.0]).double(), atol=1e-6, rtol=0
    )
    assert limit.consistent
    assert limit.gap < 1e-8


def test_it_is_the_max_margin_program_on_transformed_features():
    data = planted_margin(20, 5, 1.0, torch.Generator().manual_seed(2))
    limit, slope = agreement_limit(data.X, data.y, 0.3), 0.3
    g, h = (torch.where(data.y * sign > 0, 1.0, slope) for sign in (1, -1))
    best = max_margin(torch.cat([g[:, None] * data.X, -h[:, None] * data.X], 1), data.y)
    torch.testing.assert_close(
        torch.cat([limit.plus, limit.minus]), best.primal, atol=1e-6, rtol=0
    )
    assert float((data.y * limit.outputs(data.X, slope)).min()) == pytest.approx(
        1, abs=1e-6
    )


def test_without_a_kink_it_is_the_support_vector_machine():
    data = planted_margin(15, 4, 0.5, torch.Generator().manual_seed(3))
    limit = agreement_limit(data.X, data.y, 1.0)
    w_hat = max_margin(data.X, data.y).primal
    torch.testing.assert_close(limit.plus, w_hat / 2, atol=1e-6, rtol=0)
    torch.testing.assert_close(limit.minus, -w_hat / 2, atol=1e-6, rtol=0)


def test_given_patterns_replace_perfect_agreement():
    data = planted_margin(12, 3, 1.0, torch.Generator().manual_seed(4))
    default = agreement_limit(data.X, data.y, 0.3)
    same = agreement_limit(
        data.X, data.y, 0.3, active_plus=data.y > 0, active_minus=data.y < 0
    )
    torch.testing.assert_close(default.plus, same.plus)
    other = agreement_limit(
        data.X, data.y, 0.3, active_plus=data.y < 0, active_minus=data.y > 0
    )
    assert not other.consistent


def test_labels_that_no_pair_fits_are_refused():
    X = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(InvalidInput, match="no pair"):
        agreement_limit(
            X,
            torch.tensor([1.0, -1.0]),
            0.3,
            active_plus=[True, True],
            active_minus=[False, False],
        )
    with pytest.raises(InvalidInput, match="slope_below"):
        agreement_limit(X, torch.tensor([1.0, 1.0]), 0.0)
