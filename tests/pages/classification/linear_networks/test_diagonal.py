import dataclasses
import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.dynamics.log_time import flow
from ibcore.losses import Exponential
from ibcore.models.diagonal import Diagonal, even_start
from ibcore.oracles.norm_margin import norm_max_margin
from ibcore.pages.classification.linear_networks.diagonal import claims as page
from ibcore.pages.classification.linear_networks.diagonal.claims.diag_classification_quasinorm import (
    _deeper,
    _depth_one,
    _depth_two,
    planted_problems,
)
from ibcore.pages.classification.linear_networks.diagonal.claims.diag_init_scale_vs_accuracy import (
    TIMES,
    _as_proved,
    _certificate,
    _deep_residuals,
    contrasting,
    rising_duals,
)
from ibcore.pages.classification.linear_networks.diagonal.explorers import (
    explore_training,
    three_of_twelve,
)
from ibcore.problems.sparse_margin import planted_l1

CLAIMS = {
    claim.id: claim
    for claim in (
        page.diag_classification_quasinorm,
        page.diag_init_scale_vs_accuracy,
    )
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_hold_and_controls_are_refuted(verdicts, name):
    evidence = verdicts[name].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_limits_of_deep_networks_are_fixed_by_their_constraints(verdicts):
    (run,) = verdicts["diag-classification-quasinorm"].data["runs"]
    listed = run.listed.vertices[run.ranks]
    close = run.distances[-1] <= 1e-5
    assert bool(
        ((listed.abs() < 1e-12) == (run.limits.abs() < 1e-4 * run.limits.abs().amax()))[
            close
        ].all()
    )


def test_the_map_has_both_ends(verdicts):
    (one,) = verdicts["diag-init-scale-vs-accuracy"].data["maps"]
    assert one["ratios"].shape == (len(TIMES), 3)
    assert float(one["ratios"].max()) <= 1 + 1e-9
    assert float(one["ratios"][4, -1]) < 0.95
    assert float(one["ratios"][-1, 0]) > 0.99


def test_what_is_proved_of_the_l1_margin_holds_and_says_something(verdicts):
    (one,) = verdicts["diag-init-scale-vs-accuracy"].data["maps"]
    assert one["rich"].shape == one["guaranteed"].shape == (1,)
    assert 0.6 < float(one["guaranteed"][0]) < float(one["rich"][0])
    lost = one["rich"] * math.nan
    assert _as_proved(one["rich"], one["guaranteed"]).holds
    assert not _as_proved(one["guaranteed"] - 0.01, one["guaranteed"]).holds
    assert not _as_proved(lost, one["guaranteed"]).holds
    assert not _as_proved(one["rich"], lost).holds


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
    run = flow(
        model, Exponential(), start, log_loss=[-10.0, -1e4, -1e8], tolerance=1e-8
    )
    betas = model.coefficients(run.theta)
    ratios = (betas @ signed.T).amin(-1) / betas.abs().sum(-1) / (67 / 110)
    assert float(ratios[0, 0]) == pytest.approx(0.5 / (67 / 110), abs=2e-3)
    assert float(ratios[1, 0]) < 0.85
    assert bool((ratios[1, 1:] > 0.999).all())
    assert float(ratios[2, 0]) > 0.999


def test_duals_that_fall_are_rejected():
    drawn = [
        planted_l1(
            6,
            3,
            (0.3, 0.5, 0.7, 1.0, 1.0, 1.0, 1.0),
            0.3,
            torch.Generator().manual_seed(seed),
        )
        for seed in range(6)
    ]
    assert {rising_duals(data) for data in drawn} == {True, False}


def test_depth_two_conserves_the_product_of_its_layers():
    data = planted_problems(Setting("quick", 1), 1)[0]
    start = even_start(7, torch.tensor([0.3]).double())
    run = flow(
        Diagonal(data.signed), Exponential(), start, log_loss=-5.0, tolerance=1e-8
    )
    u, v = run.theta[0].chunk(2, -1)
    torch.testing.assert_close(u * v, torch.full_like(u, 0.09), rtol=1e-6, atol=0)


def test_depth_three_conserves_the_sum_of_inverses_of_its_copies():
    data = planted_problems(Setting("quick", 1), 1)[0]
    start = even_start(7, torch.tensor([0.3]).double())
    run = flow(
        Diagonal(data.signed, 3), Exponential(), start, log_loss=-5.0, tolerance=1e-8
    )
    u, v = run.theta[0].chunk(2, -1)
    torch.testing.assert_close(
        1 / u + 1 / v, torch.full_like(u, 2 / 0.3), rtol=1e-6, atol=0
    )


def test_the_control_at_depth_three_starts_from_every_scale_up_to_one():
    data, _, _ = contrasting(Setting("quick", 1), 0)
    alphas = torch.tensor([0.1, 1.0], dtype=torch.float64)
    both = _deep_residuals(data, alphas)
    alone = _deep_residuals(data, alphas[:1])
    assert both.shape == (2, 2)
    torch.testing.assert_close(both[:, :1], alone, rtol=1e-4, atol=0)


def test_one_bad_member_makes_a_check_over_all_members_fall(verdicts):
    maps = verdicts["diag-init-scale-vs-accuracy"].data["maps"]
    for name, bad in [("gaps", 1e-7), ("residuals", 2e-3), ("gaps", math.nan)]:
        values = maps[0][name].clone()
        values.view(-1)[-1] = bad
        checks = _certificate([{**maps[0], name: values}])
        assert not all(check.holds for check in checks)


def test_broken_members_are_no_evidence_at_depth_two():
    gaps = torch.full((12,), 1e-6, dtype=torch.float64)
    ratios = torch.ones(12, dtype=torch.float64)
    proved = torch.full((12,), 0.7, dtype=torch.float64)
    assert all(check.holds for check in _depth_two([1.0] * 12, gaps, ratios, proved))
    broken = torch.where(torch.arange(12) < 6, gaps, math.nan)
    for lost in ((broken, ratios, proved), (gaps, broken, proved)):
        assert not all(check.holds for check in _depth_two([1.0], *lost))
    assert not _depth_two([1.0], gaps, ratios, broken)[1].holds
    assert not _depth_two([1.0], gaps + 1, ratios, proved)[1].holds
    assert not _depth_two([math.nan], gaps, ratios, proved)[0].holds
    assert _depth_one(gaps + 0.1).refuted
    assert not _depth_one(broken).refuted


def test_a_network_that_breaks_down_does_not_count_as_having_arrived(verdicts):
    (run,) = verdicts["diag-classification-quasinorm"].data["runs"]
    lost = run.distances.clone()
    lost[:, ::2] = math.nan
    checks = _deeper([dataclasses.replace(run, distances=lost)])
    assert checks[1].measured <= 0.5
    assert checks[1].broken == lost.shape[1] // 2


def test_explorer_draws_and_says_what_it_shows():
    fig, sentence = explore_training(7, 1.0, 2)
    assert len(fig.axes) == 2
    assert "3 of 12 coefficients" in sentence
    _, early = explore_training(0, 10.0, 2)
    assert "3 of 12" not in early


def test_the_explored_problem_is_what_it_says():
    data = three_of_twelve()
    assert int((norm_max_margin(data.X, data.y, 1).primal.abs() > 1e-9).sum()) == 3
