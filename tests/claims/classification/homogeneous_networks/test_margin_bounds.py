import pytest
import torch

from ibcore.claims import Setting
from ibcore.claims.classification.homogeneous_networks import margin_bounds as page


@pytest.fixture(scope="module")
def verdicts():
    return [
        page.network_margin_bounds.verify(Setting("quick", seed), seeds=seeds)
        for seed, seeds in ((0, 3), (1, 2))
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_claim_holds_and_its_control_is_refuted(verdicts, seed):
    evidence = verdicts[seed].evidence
    assert [check for check in evidence.checks if not check.holds] == []
    assert evidence.control.refuted


def test_networks_are_compared_at_the_same_loss_and_fit_every_label(verdicts):
    for run in verdicts[0].data["runs"]:
        assert run.reached
        assert bool((run.margins[page.AT] > 0).all())
        assert run.margins.shape[:3] == (len(page.LEVELS), 3, 3)


def test_the_leading_term_is_the_stated_one(verdicts):
    run = verdicts[0].data["runs"][0]
    normalized = run.normalized("spectral")
    assert torch.allclose(
        run.leading * normalized,
        (run.leading * normalized)[0].expand_as(run.leading),
        rtol=1e-6,
    )
    assert bool((run.leading > 2**1.5 / 2 / 150**0.5).all())
