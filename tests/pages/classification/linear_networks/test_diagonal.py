import pytest
import torch

from ibcore.claims import Setting
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.pages.classification.linear_networks.diagonal.claims.diag_classification_quasinorm import (
    planted_problems,
)
from ibcore.pages.classification.linear_networks.diagonal.explorers import (
    explore_training,
    three_of_twelve,
)
from ibcore.pages.classification.linear_networks.diagonal.runs import follow


def test_a_tiny_start_keeps_the_l1_limit_away_at_any_computable_loss():
    """Rows (0.8, 0.1) and (0.5, 0.9): from alpha = 1e-10 the direction is e_1 at
    log(1/L) = 1e4.

    log(1/L) / alpha^2 is 1e24 there. e_1 has the l1 margin 1/2, the best is 67/110. The
    second coordinate sets in at log(1/L) of order alpha^(-15/26), at 6e5 for alpha =
    1e-10.
    """
    signed = torch.tensor([[0.8, 0.1], [0.5, 0.9]], dtype=torch.float64)
    model = Diagonal(signed)
    start = even_start(2, torch.tensor([1e-10, 1e-3, 0.1]).double())
    run = follow(model, start, (-10.0, -1e4, -1e8), tolerance=1e-8)
    betas = model.coefficients(run.theta)
    ratios = (betas @ signed.T).amin(-1) / betas.abs().sum(-1) / (67 / 110)
    assert float(ratios[0, 0]) == pytest.approx(0.5 / (67 / 110), abs=2e-3)
    assert float(ratios[1, 0]) < 0.85
    assert bool((ratios[1, 1:] > 0.999).all())
    assert float(ratios[2, 0]) > 0.999


def test_depth_two_conserves_the_product_of_its_layers():
    data = planted_problems(Setting("quick", 1), 1)[0]
    start = even_start(7, torch.tensor([0.3]).double())
    run = follow(Diagonal(data.signed), start, (-5.0,), tolerance=1e-8)
    u, v = run.theta[0].chunk(2, -1)
    torch.testing.assert_close(u * v, torch.full_like(u, 0.09), rtol=1e-6, atol=0)


def test_depth_three_conserves_the_sum_of_inverses_of_its_copies():
    data = planted_problems(Setting("quick", 1), 1)[0]
    start = even_start(7, torch.tensor([0.3]).double())
    run = follow(Diagonal(data.signed, 3), start, (-5.0,), tolerance=1e-8)
    u, v = run.theta[0].chunk(2, -1)
    torch.testing.assert_close(
        1 / u + 1 / v, torch.full_like(u, 2 / 0.3), rtol=1e-6, atol=0
    )


def test_explorer_draws_and_says_what_it_shows():
    fig, sentence = explore_training(7, 1.0, 2)
    assert len(fig.axes) == 2
    assert "3 of 12 coefficients" in sentence
    _, early = explore_training(0, 10.0, 2)
    assert "3 of 12" not in early


def test_the_explored_problem_is_what_it_says():
    data = three_of_twelve()
    assert int((norm_max_margin(data.X, data.y, 1).primal.abs() > 1e-9).sum()) == 3
