import math

import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.homogeneous_networks import margin_bounds as page


@pytest.fixture(scope="module")
def verdicts():
    return [
        page.network_margin_bounds.verify(Setting("quick", seed)) for seed in (0, 1)
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_claim_holds_and_its_control_is_refuted(verdicts, seed):
    evidence = verdicts[seed].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_every_network_comes_down_to_every_loss_and_fits_what_it_must(verdicts):
    for run in verdicts[0].data["runs"]:
        assert run.unreached == ()
        assert run.margins.shape == (len(page.LEVELS), 8, 3, 120)
        assert run.margins.dtype == torch.float64
        assert bool((run.margins[-1] > 0).all())


def made_up(depth, *, deeper=2.0, leading=10.0, again=1.0):
    """Runs in which margins are 1 for true labels, and for random ones 1/4 at the comparison, `deeper` below it."""
    margins = torch.ones(3, 8, 3, 20, dtype=torch.float64)
    margins[:, :, 1] = again
    margins[page.AT, :, 2], margins[page.AT + 1, :, 2] = 0.25, deeper
    ones = torch.ones(3, 8, 3, dtype=torch.float64)
    spectral = ones.clone()
    spectral[page.AT + 1, :, 2] = 8.0
    return page.Trained(depth, margins, spectral, ones, leading * depth**2 * ones)


def outcomes(two, three):
    checks, control = page.judge([two, three])
    return [check.name for check in checks if not check.holds], control.refuted


def test_made_up_runs_are_judged_at_the_level_of_the_comparison():
    assert outcomes(made_up(2), made_up(3)) == ([], True)
    failed, _ = outcomes(made_up(2, deeper=0.9), made_up(3))
    assert failed == [
        "2 layers: raw margins, true over random labels trained to a tenth of the loss, at most 1"
    ]
    failed, _ = outcomes(made_up(2), made_up(3, deeper=5.0))
    assert failed == ["3 layers: the same over the spectral complexity at least 2"]
    failed, _ = outcomes(made_up(2, leading=0.2), made_up(3, leading=0.2))
    assert failed == ["leading term of the bound, true labels (1 is vacuous)"]
    failed, _ = outcomes(made_up(2), made_up(3, leading=8.0))
    assert failed == ["leading term with three layers over that with two at least 2"]


@pytest.mark.parametrize("again", [0.4, 2.5])
def test_a_shift_between_true_labels_would_not_refute(again):
    assert outcomes(made_up(2, again=again), made_up(3)) == ([], False)


def test_a_label_costs_log_2_if_it_is_not_fitted():
    run = made_up(2)
    run.margins[:, 0, 0, :2] = -1
    expected = 0.1 * math.log(2) / torch.tensor(page.LEVELS).double()
    torch.testing.assert_close(run.missed()[:, 0, 0], expected, rtol=1e-6, atol=0)
    assert float(run.missed()[:, 1:].abs().max()) == 0
    failed, _ = outcomes(run, made_up(3))
    assert failed == ["share of labels that are not fitted, over log 2 times the loss"]


def test_networks_that_stop_early_are_named_and_count_as_failing():
    run = made_up(2)
    run.margins[page.AT, :2, 2] = torch.nan
    assert run.unreached == tuple(
        f"2 layers, seed {seed}, random labels: the loss did not reach 0.01"
        for seed in range(2)
    )
    checks, control = page.judge([run, made_up(3)])
    broken = {check.name: check.broken for check in checks if check.broken}
    assert broken == {
        "2 layers: true over random labels at least 2, spectral": 2,
        "2 layers: true over random labels at least 2, frobenius": 2,
        "share of labels that are not fitted, over log 2 times the loss": 2,
    }
    assert not checks[-1].holds
    assert control.refuted
    run.margins[page.AT, :, 1] = torch.nan
    assert not page.judge([run, made_up(3)])[1].refuted


def test_the_leading_term_is_the_stated_one(verdicts):
    run = verdicts[0].data["runs"][0]
    normalized = run.normalized("spectral")
    assert torch.allclose(
        run.leading * normalized,
        (run.leading * normalized)[0].expand_as(run.leading),
        rtol=1e-6,
    )
    assert bool((run.leading > 2**1.5 / 2 / 120**0.5).all())
